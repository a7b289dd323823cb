"""The fault table: each fault, how a test injects it, the client's view, and the tests.

``python -m tests.faults.page`` writes it into docs/faults.md. A row without a test has a reason.
"""

import attrs

IO = "tests/io"
HERE = "tests/faults"
HOSTILE = "tests/hostile"
CUTS = f"{IO}/test_cuts.py"
CHAT_CUTS = "tests/io/test_cuts_chat.py"
FAULTS = f"{IO}/test_faults.py"
ENDINGS = f"{IO}/test_endings.py"
CLIENTS = f"{IO}/test_clients.py"
PARTING = "tests/relay/test_parting.py"


@attrs.frozen
class Row:
    """One fault; ``tests`` are ids of tests, ``left`` is the reason if there are none."""

    fault: str
    injected: str
    seen: str
    tests: tuple[str, ...] = ()
    left: str = ""


@attrs.frozen
class Section:
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]


_BREAKS = Section(
    "The upstream breaks off",
    (
        Row(
            "FIN or a clean end at every byte",
            "the fake Gemini ends the first attempt after each number of bytes",
            "one whole answer: every character once, one id, one STOP",
            (
                f"{CUTS}::test_a_cut_at_any_byte_is_not_seen_when_the_model_echoes",
                f"{CUTS}::test_a_cut_at_any_byte_is_not_seen_when_the_model_goes_on_plainly",
                f"{CUTS}::test_a_cut_at_any_place_is_not_seen_in_a_json_array",
            ),
        ),
        Row(
            "RST at every byte",
            "the same, with SO_LINGER 0",
            "the same",
            (f"{CUTS}::test_a_cut_at_any_byte_is_not_seen_when_the_model_echoes",),
        ),
        Row(
            "FIN, a clean end or RST at every byte, for a client of OpenAI's dialect",
            "the same, in the middle of a text and of parallel calls",
            "one whole answer, as a strict reader of its chunks has it: every character and every"
            " call once, one finish_reason, one usage, [DONE]",
            (
                f"{CHAT_CUTS}::test_a_cut_at_any_byte_is_not_seen_by_a_chat",
                f"{CHAT_CUTS}::test_a_cut_at_any_byte_glues_no_calls",
            ),
        ),
        Row(
            "truncated chunk, bad chunk size, short Content-Length",
            "at eight places of an answer each, SSE and array",
            "one whole answer",
            (f"{FAULTS}::test_a_fault_is_not_seen",),
        ),
        Row(
            "many faults in a row",
            "fixed scripts, and random ones",
            "one whole answer",
            (
                f"{FAULTS}::test_many_faults_in_a_row_are_not_seen",
                f"{FAULTS}::test_any_succession_of_faults_is_not_seen",
            ),
        ),
        Row(
            "six cuts of one JSON answer",
            "six kinds of cut, each a few frames further; a model that echoes, one that continues "
            "without an echo, one that thinks first",
            "one valid document, STOP; no text until it is whole",
            (f"{IO}/test_documents.py::test_a_document_that_is_cut_six_times_comes_out_whole",),
        ),
        Row(
            "a cut JSON answer, and then another document, twice",
            "the fake Gemini sends the document again with other values",
            "an error frame, then the end of the connection without a last chunk",
            (f"{IO}/test_documents.py::test_two_whole_new_documents_in_a_row_are_a_loud_end",),
        ),
        Row(
            "one of a few values, cut in the word",
            "text/x.enum; the model repeats the value, or continues it",
            "the value",
            (f"{IO}/test_documents.py::test_an_answer_that_is_one_of_a_few_values_is_made_whole",),
        ),
        Row(
            "a break that cannot be repaired",
            "content that cannot be continued, or no retries left",
            "an error frame, then the end of the connection without a last chunk",
            (
                f"{ENDINGS}::test_the_last_words_are_in_the_clients_dialect",
                f"{ENDINGS}::test_what_text_cannot_continue_fails_loudly",
                f"{ENDINGS}::test_without_repair_a_break_is_still_loud",
            ),
        ),
        Row(
            "the same, and the client reads slowly",
            "Node's fetch with a pause after each event; a client that stays, and one that leaves",
            "the error, then the cut: the connection stays open until the client has left, for a "
            "second at most",
            (
                "tests/sdk/test_javascript.py::test_giving_up_is_told_to_a_reader_that_takes_its_time",
                f"{PARTING}::test_the_connection_stays_open_until_the_client_has_left",
                f"{PARTING}::test_a_client_that_stays_is_left",
            ),
        ),
        Row(
            "the same, in HTTP/1.0",
            "raw sockets, in plain text and TLS; curl",
            "all bytes, then a reset: a FIN would complete the body",
            (
                f"{PARTING}::test_a_reset_destroys_nothing_that_is_on_its_way",
                f"{PARTING}::test_of_tls_the_end_is_a_reset_without_a_farewell",
                f"{PARTING}::test_curl_says_that_the_answer_is_not_whole",
            ),
        ),
        Row(
            "a break inside an event that is being sent",
            "a shutdown while an image is half written",
            "only the cut: an error would be read as the other half",
            (
                "tests/relay/test_downstream.py::test_an_image_that_is_half_written_is_followed_by_no_error",
            ),
        ),
        Row(
            "a body that passes through breaks off",
            "Content-Length 100, then 4 bytes, and the like",
            "the bytes that came, and no proper end",
            ("tests/routes/test_passthrough.py::test_an_answer_that_breaks_off_is_not_completed",),
        ),
        Row(
            "a chat of the OpenAI layer that passes through breaks off",
            "between two events, inside one, after [DONE]",
            "an error event between two events: openai raises APIError after all the text",
            (
                "tests/routes/test_passthrough.py::test_a_chat_that_breaks_off_ends_with_openais_error",
                "tests/routes/test_passthrough.py::test_what_may_not_be_told_is_cut_without_a_word",
                "tests/sdk/test_matrix_others.py::test_openai_raises_when_a_stream_breaks_off",
            ),
        ),
    ),
)

_SILENCE = Section(
    "The upstream is silent or slow",
    (
        Row(
            "stall after k bytes",
            "40 places of an answer; the heartbeat is shorter than the time limit for silence",
            "blank lines between frames meanwhile, then one whole answer",
            (
                f"{HERE}/test_stalls.py::test_a_stall_after_any_number_of_bytes_is_resumed_and_the_client_kept_warm",
                f"{CLIENTS}::test_heartbeats_stand_only_between_frames",
                f"{FAULTS}::test_every_moment_has_a_patience_of_its_own",
            ),
        ),
        Row(
            "stalls without an end",
            "every attempt stalls",
            "an error after the retries",
            (f"{HERE}/test_stalls.py::test_a_stream_that_stalls_for_ever_ends_loudly",),
        ),
        Row(
            "stall before the headers",
            "the request is read and not answered",
            "504 DEADLINE_EXCEEDED after one attempt: the model may be working on it",
            (
                f"{HERE}/test_stalls.py::test_an_upstream_that_never_answers_is_asked_once_and_is_too_late",
                f"{HERE}/test_stalls.py::test_what_may_not_be_repeated_is_asked_once_and_is_too_late",
            ),
        ),
        Row(
            "a path that drops packets",
            "the kernel drops all packets of a connection: before the answer, in it, and "
            "while a body is sent",
            "the connection fails within a minute, like a reset, and its attempt is repeated",
            (
                "tests/relay/test_keepalive.py::test_a_path_that_swallows_packets_fails_as_a_reset_does",
            ),
        ),
        Row(
            "silence, and a client that sets X-Server-Timeout",
            "shorter and longer than our own limit, on seven kinds of route",
            "504 when its time is over, and not before; an answer that has begun continues",
            (
                f"{HERE}/test_deadlines.py::test_silence_ends_when_the_client_says",
                f"{HERE}/test_deadlines.py::test_a_longer_time_than_our_own_is_kept",
                f"{HERE}/test_deadlines.py::test_a_stream_that_delivers_is_not_ended_by_it",
                f"{HERE}/test_deadlines.py::test_no_attempt_begins_after_it",
                f"{HERE}/test_deadlines.py::test_a_stream_with_text_out_is_not_repaired_beyond_it",
                f"{HERE}/test_deadlines.py::test_without_it_silence_is_not_repeated",
            ),
        ),
        Row(
            "one byte at a time, latency, jitter, 1 kB/s",
            "a line that carries the answer like that, four kinds of request",
            "the upstream's bytes, exactly, by one attempt",
            (
                f"{HERE}/test_networks.py::test_what_comes_over_a_bad_line_is_passed_on_byte_for_byte",
            ),
        ),
    ),
)

_CONNECTING = Section(
    "The upstream cannot be reached",
    (
        Row(
            "the name does not resolve",
            "a resolver that fails",
            "503 UNAVAILABLE, one look-up for each attempt; the next request tries again",
            (
                f"{HERE}/test_connecting.py::test_a_name_that_nobody_knows",
                f"{HERE}/test_connecting.py::test_a_name_that_is_known_again_serves_the_next_request",
            ),
        ),
        Row(
            "connection refused",
            "a port without a listener",
            "the same",
            (
                f"{HERE}/test_connecting.py::test_a_port_that_refuses",
                f"{HERE}/test_connecting.py::test_a_port_that_opens_again_serves_the_next_request",
            ),
        ),
        Row(
            "a handshake without an answer",
            "the port accepts and sends nothing",
            "503 after connect_timeout_seconds, one connection for each attempt",
            (f"{HERE}/test_connecting.py::test_a_handshake_that_is_never_answered",),
        ),
        Row(
            "certificate expired, of another name, of an unknown authority",
            "certificates made for the test, a process that trusts one authority (SSL_CERT_FILE)",
            "503; no request is sent, encrypted or in the clear; one connection for each attempt",
            (
                f"{HERE}/test_tls.py::test_a_certificate_that_is_wrong_ends_the_attempt_before_a_request",
                f"{HERE}/test_tls.py::test_an_upstream_with_a_certificate_of_a_trusted_authority_is_spoken_to",
            ),
        ),
        Row(
            "a port that does not speak TLS",
            "an https URL that leads to plain HTTP",
            "the same",
            (
                f"{HERE}/test_tls.py::test_a_port_that_does_not_speak_tls_gets_no_request_in_the_clear",
            ),
        ),
    ),
)

_ANSWERS = Section(
    "The upstream sends another kind of answer",
    (
        Row(
            "429 with Retry-After or RetryInfo",
            "longer and shorter than retry_after_limit_seconds",
            "the answer after one short wait; otherwise the error as it came, with its Retry-After",
            (
                f"{HERE}/test_answers.py::test_an_error_answer_passes_as_it_came_after_a_few_attempts",
                f"{HERE}/test_answers.py::test_a_retry_after_that_fits_is_waited_for_once",
                f"{ENDINGS}::test_an_error_answer_passes_as_it_came",
            ),
        ),
        Row(
            "503 to many clients at once",
            "with and without Retry-After, in seconds and as a date",
            "a wait within retry_after_limit_seconds is kept; the key's retries stay below a fifth "
            "of its requests plus retries_per_minute; then the answer as it came",
            (
                f"{HERE}/test_overloads.py::test_a_wait_beyond_our_limit_means_no_to_every_client",
                f"{HERE}/test_overloads.py::test_many_clients_together_repeat_a_fifth_of_their_requests_and_the_floor",
                f"{HERE}/test_overloads.py::test_a_quiet_caller_has_all_its_retries_whatever_others_do",
                f"{HERE}/test_overloads.py::test_a_date_to_come_again_is_kept_like_seconds",
            ),
        ),
        Row(
            "429 for a daily quota",
            "with a RetryInfo of a second beside it",
            "the answer as it came, at once",
            (f"{HERE}/test_overloads.py::test_a_quota_for_the_day_is_passed_on_at_once",),
        ),
        Row(
            "400, 403",
            "every route",
            "the answer as it came, at once",
            (
                f"{HERE}/test_answers.py::test_an_error_answer_passes_as_it_came_after_a_few_attempts",
            ),
        ),
        Row(
            "500, 503",
            "every route, repeatedly",
            "the answer as it came, after 1 + max_consecutive_retries attempts",
            (
                f"{HERE}/test_answers.py::test_an_error_answer_passes_as_it_came_after_a_few_attempts",
            ),
        ),
        Row(
            "a page of HTML, a line of text",
            "with 502 and 503, from a gateway, on every route",
            "the status with a google.rpc error in the client's form, and the request id",
            (
                f"{HERE}/test_answers.py::test_the_page_of_a_gateway_is_told_again_as_google_tells_errors",
            ),
        ),
        Row(
            "no answer after all retries",
            "every route; also a 503 from the upstream itself",
            "Retry-After and x-should-retry: false, if gemproxy asked several times; otherwise "
            "only the upstream's own headers",
            (
                f"{HERE}/test_answers.py::test_who_asked_in_vain_says_not_to_ask_again_at_once",
                f"{HERE}/test_answers.py::test_what_the_upstream_answers_says_no_more_of_asking_again",
                "tests/sdk/test_unary.py::test_openai_does_not_repeat_what_was_asked_in_vain",
            ),
        ),
        Row(
            "200 with no body, HTML, invalid gzip, half a document; bytes that are not HTTP",
            "streams, repeatedly",
            "502 or 503 in Google's form, without details of our code",
            (
                f"{HERE}/test_answers.py::test_a_stream_that_cannot_be_read_is_asked_for_again_and_then_unavailable",
            ),
        ),
        Row(
            "the same for calls and other paths",
            "unary calls and a path that passes through",
            "without an answer, 502; a meaningless answer as it came",
            (
                f"{HERE}/test_answers.py::test_a_call_without_an_answer_is_unavailable",
                f"{HERE}/test_answers.py::test_a_call_whose_answer_means_nothing_gets_it_as_it_came",
            ),
        ),
        Row(
            "200 in another framing than requested",
            "JSON for `alt=sse` (an object, a list, lines), events without it, under any "
            "Content-Type; a bare response among events; with cuts and without",
            "the whole answer in the requested framing, by one attempt",
            (
                f"{IO}/test_framings.py::test_an_answer_in_any_form_is_asked_for_once",
                f"{IO}/test_framings.py::test_a_cut_in_any_form_is_not_seen",
                f"{IO}/test_framings.py::test_a_bare_response_among_events_is_one_of_them",
            ),
        ),
        Row(
            "200 with JSON that is not a generation",
            "an object, a list; a root error",
            "the answer as it came, by one attempt; the error as an error",
            (
                "tests/routes/test_stream.py::test_json_that_is_no_generation_passes_as_it_came",
                "tests/routes/test_stream.py::test_a_bare_error_of_status_200_is_an_error",
            ),
        ),
        Row(
            "200, then an error inside the stream",
            "framed and unframed, in four places",
            "one whole answer; a quota error with a long wait as a typed error",
            (
                f"{FAULTS}::test_a_fault_is_not_seen",
                f"{ENDINGS}::test_a_quota_error_in_the_stream_is_passed_on",
            ),
        ),
    ),
)

_FLOODS = Section(
    "The upstream does not end",
    (
        Row(
            "a frame of 1 GiB",
            "a process whose memory is measured; SSE and array",
            "503, or after text an error frame; memory limited by max_frame_bytes",
            (
                f"{HERE}/test_floods.py::test_a_frame_of_a_gibibyte_is_given_up_at_the_cap",
                f"{HERE}/test_floods.py::test_a_frame_of_a_gibibyte_after_text_ends_the_answer_loudly",
            ),
        ),
        Row(
            "a stream without an end",
            "1 GiB of valid frames",
            "an error frame at max_stream_bytes; memory bounded",
            (f"{HERE}/test_floods.py::test_a_stream_without_an_end_is_given_up_at_the_cap",),
        ),
        Row(
            "comments and blank lines without an end",
            "1 GiB of comments",
            "503; memory bounded",
            (f"{HERE}/test_floods.py::test_signs_of_life_without_an_end_are_given_up",),
        ),
        Row(
            "a head or an error page without an end",
            "a header of 1 GiB; a status 500 with 1 GiB",
            "502 or 503; the first MiB of the page",
            (
                f"{HERE}/test_floods.py::test_a_head_without_an_end_is_no_answer",
                f"{HERE}/test_floods.py::test_an_error_without_an_end_is_read_no_further_than_needed",
            ),
        ),
    ),
)

_CLIENTS = Section(
    "The client",
    (
        Row(
            "FIN or RST at every frame",
            "each stream of an answer stalls after the frame that its client reads last",
            "(gone) the upstream connection is closed at once, tasks and descriptors are freed",
            (
                f"{HERE}/test_leaving.py::test_after_any_frame",
                f"{CLIENTS}::test_a_client_that_leaves_in_the_stream_ends_the_attempt",
                f"{CLIENTS}::test_a_client_that_leaves_during_a_back_off_ends_the_request",
            ),
        ),
        Row(
            "FIN or RST before an answer, in a download, in its own body",
            "five kinds of request",
            "(gone) the same",
            (
                f"{HERE}/test_leaving.py::test_before_an_answer",
                f"{HERE}/test_leaving.py::test_in_a_body_that_passes_through",
                f"{HERE}/test_leaving.py::test_in_the_middle_of_its_own_body",
            ),
        ),
        Row(
            "a client that never reads",
            "24 of them with answers of 256 MiB each, in a process whose memory is measured",
            "(cut) after send_timeout_seconds; others are served; memory limited by the sockets",
            (
                f"{HERE}/test_readers.py::test_clients_that_never_read_cost_little_and_are_cut",
                f"{CLIENTS}::test_a_client_that_does_not_read_stops_the_upstream",
                f"{CLIENTS}::test_a_client_that_never_reads_is_given_up",
            ),
        ),
        Row(
            "a client that reads byte by byte",
            "a socket with a small buffer",
            "the whole answer; other clients are not delayed",
            (
                f"{HERE}/test_readers.py::test_a_client_that_reads_byte_by_byte_gets_all_and_holds_up_nobody",
            ),
        ),
        Row(
            "slow head, or none",
            "a head byte by byte; a connection without a request",
            "disconnected after request_header_timeout",
            (
                f"{HERE}/test_heads.py::test_a_head_that_comes_drop_by_drop",
                f"{HERE}/test_heads.py::test_connections_without_a_request",
            ),
        ),
        Row(
            "slow body",
            "Content-Length 100, then two bytes; the same in chunks; a byte now and then",
            "408 DEADLINE_EXCEEDED, on every route in its own form",
            (
                f"{HOSTILE}/test_caps.py::test_a_body_that_comes_to_a_halt_is_given_up",
                f"{HOSTILE}/test_caps.py::test_a_body_that_drips_is_given_up",
                f"{HOSTILE}/test_caps.py::test_a_body_at_fault_is_told_as_such_on_every_route",
            ),
        ),
        Row(
            "body too large",
            "one byte beyond max_body_bytes, with and without a length",
            "413 in Google's form, on every route; the upstream sees an incomplete body at most",
            (
                "tests/routes/test_passthrough.py::test_a_body_beyond_the_cap_is_refused",
                f"{HOSTILE}/test_caps.py::test_a_body_at_fault_is_told_as_such_on_every_route",
            ),
        ),
        Row(
            "many large bodies",
            "two that are too large to keep, two that stop in the middle",
            "a small request beside them is repaired",
            (f"{HOSTILE}/test_caps.py::test_large_bodies_take_no_repair_from_small_ones",),
        ),
        Row(
            "a malformed request with a key in it",
            "thirteen kinds of invalid HTTP",
            "400; one line in the log at INFO, without any part of the request",
            (f"{HOSTILE}/test_secrets.py::test_a_malformed_request_shows_nothing_of_itself",),
        ),
        Row(
            "header too large, 130 headers",
            "raw sockets, see the probes of docs/hostile.md",
            "400",
            (f"{HOSTILE}/test_probes.py::test_a_probe_is_refused_or_read_alike_on_both_sides",),
        ),
        Row(
            "gzip bombs, 40,000 empty gzip members",
            "a compressed body on a route that reads it",
            "415, without decompressing it",
            (f"{HOSTILE}/test_caps.py::test_a_compressed_body_that_has_to_be_read_is_refused",),
        ),
    ),
)

_MACHINE = Section(
    "The machine and the process",
    (
        Row(
            "no descriptors left",
            "a process with 128 descriptors, and connections until all are used",
            "open connections are served, 503 if the upstream needs a new one; other clients are "
            "refused; no busy loop; full service as soon as descriptors are free",
            (
                f"{HERE}/test_descriptors.py::test_a_connection_that_is_open_is_served_and_another_is_turned_away",
                f"{HERE}/test_descriptors.py::test_a_request_that_finds_no_descriptor_for_the_upstream_is_unavailable",
                f"{HERE}/test_descriptors.py::test_it_waits_without_spinning_and_recovers",
            ),
        ),
        Row(
            "500 streams at once",
            "each with its own faults; and all in step, a frame when all have the last one",
            "each whole; none is left behind",
            (
                f"{HERE}/test_crowds.py::test_of_many_streams_with_all_kinds_of_trouble_each_is_exact",
                f"{HERE}/test_crowds.py::test_no_stream_is_left_behind_by_the_others",
            ),
        ),
        Row(
            "many connections while the loop is busy",
            "a process that is stopped, and as many clients as may be served",
            "each is accepted when the loop is free again",
            (f"{HERE}/test_crowds.py::test_a_crowd_waits_in_the_kernel_while_the_loop_is_busy",),
        ),
        Row(
            "more requests than max_connections",
            "one more",
            "503 with Retry-After at once, without queueing",
            (f"{HERE}/test_crowds.py::test_one_too_many_is_told_so_at_once",),
        ),
        Row(
            "SIGTERM, streams finish in time",
            "a process, SIGTERM in the middle of an answer that also breaks",
            "one whole answer; readiness is off, no new connection is accepted; status 0",
            (
                f"{HERE}/test_shutdown.py::test_a_stream_finishes_within_the_drain_and_is_repaired_meanwhile",
                f"{HERE}/test_shutdown.py::test_nobody_new_is_let_in_while_streams_finish",
                "tests/web/test_server.py::test_readiness_is_off_for_connections_that_are_still_open",
            ),
        ),
        Row(
            "SIGHUP; a terminal that is closed",
            "a process with a stream, with and without workers; nohup; a terminal of its own",
            "one line in the log, and all streams continue; a closed terminal lets streams finish",
            (
                "tests/web/test_server.py::test_a_hang_up_changes_nothing_and_is_one_line",
                "tests/web/test_server.py::test_under_nohup_a_hang_up_is_ignored",
                "tests/web/test_server.py::test_a_terminal_that_is_closed_lets_streams_finish",
            ),
        ),
        Row(
            "SIGTERM, a stream outlasts drain_timeout",
            "stalled, waiting for its next attempt, without an answer yet; a second signal",
            "an error frame and no last chunk, or 503; never a clean end; status 0",
            (
                f"{HERE}/test_shutdown.py::test_a_stream_that_outlasts_the_drain_ends_with_an_error_and_no_last_chunk",
                f"{HERE}/test_shutdown.py::test_an_array_that_outlasts_the_drain_stays_open",
                f"{HERE}/test_shutdown.py::test_a_stream_between_two_attempts_is_told_too",
                f"{HERE}/test_shutdown.py::test_a_request_without_an_answer_yet_is_unavailable",
                f"{HERE}/test_shutdown.py::test_a_second_signal_does_not_wait_for_the_drain",
            ),
        ),
        Row(
            "the clock jumps an hour, forward or back",
            "the time of day is replaced while a stream runs",
            "no effect: time limits, heartbeats and figures use the monotonic clock",
            (
                f"{HERE}/test_clocks.py::test_a_jump_disturbs_no_stream",
                f"{HERE}/test_clocks.py::test_patience_and_heartbeats_go_on_after_a_jump",
                f"{HERE}/test_clocks.py::test_nothing_but_what_people_read_looks_at_the_time_of_day",
            ),
        ),
        Row(
            "the disk of the log is full",
            "/dev/full as the log file",
            "no effect; standard error has the lines, and one that reports the full disk",
            (f"{HERE}/test_disks.py::test_a_log_that_cannot_be_written_stops_nobody",),
        ),
        Row(
            "memory after all of these",
            "every fault of a stream, then a search for its objects",
            "no object of a finished request is left",
            (
                f"{HERE}/test_forgetting.py::test_a_stream_is_forgotten_whatever_went_wrong_with_it",
                f"{HERE}/test_forgetting.py::test_a_request_whose_client_left_is_forgotten",
            ),
        ),
        Row(
            "random faults for hours",
            "`make soak`",
            "slopes of memory, descriptors and tasks; every answer checked",
            left="takes hours: bench/soak.py, tried by tests/bench/test_soak.py for seconds",
        ),
        Row(
            "SIGKILL at random points",
            "`make kill`: a proxy with a ledger is killed while requests are admitted, run, are"
            " resumed and end, and is started again",
            "every request that came to the upstream has a row; what nobody will settle is marked;"
            " what is spent is the sum of the rows, and nothing is held",
            (
                "tests/metered/test_kill.py::test_what_a_killed_process_leaves_is_right",
                "tests/metered/test_restart.py::test_the_count_of_the_day_outlives_a_kill",
                "tests/metered/test_restart.py::test_a_killed_request_counts_and_holds_nothing",
            ),
        ),
        Row(
            "disk of the ledger full",
            "SQLite at its largest size; streams of a user with a limit by the day",
            "whole answers; health is failing, and what was used is written when there is room",
            (
                "tests/metered/test_ledgers.py::test_a_full_disk_stops_no_stream",
                "tests/ledger/test_trouble.py::test_a_full_disk",
                "tests/ledger/test_trouble.py::test_more_rows_than_may_wait",
            ),
        ),
        Row(
            "SQLite locked by another process",
            "BEGIN IMMEDIATE on a connection of its own; the same at the start",
            "whole answers; health is failing, and what was used is written after the lock",
            (
                "tests/metered/test_ledgers.py::test_a_lock_of_another_program_stops_no_stream",
                "tests/ledger/test_trouble.py::test_a_lock_of_another_program",
                "tests/ledger/test_trouble.py::test_a_start_while_another_program_has_the_lock",
            ),
        ),
        Row(
            "the database of the ledger is gone, and comes back",
            "PostgreSQL refuses all connections; the file of SQLite is deleted, and made anew",
            "no effect on requests; rows wait and are written then",
            (
                "tests/ledger/test_trouble.py::test_a_server_that_is_gone_and_comes_back",
                "tests/ledger/test_trouble.py::test_a_file_that_is_gone_and_one_that_takes_its_place",
            ),
        ),
        Row("Redis down, slow, MOVED, OOM", "", "", left="there is no Redis yet"),
        Row(
            "settings reloaded from a bad file",
            "",
            "",
            left="settings are read once, at the start",
        ),
        Row(
            "all keys of the pool rest, or are sick",
            "the fake refuses every key: quotas by minute and by day, or invalid keys",
            "429 with the time of the first that can serve again, without a request that goes up;"
            " 503 if all are sick",
            (
                "tests/pooled/test_quotas.py::test_where_all_rest_the_answer_is_429_without_a_call",
                "tests/pooled/test_failover.py::test_a_short_rest_of_all_is_waited_for_once",
                "tests/pooled/test_blame.py::test_all_sick_is_503_once_and_quickly",
            ),
        ),
    ),
)

SECTIONS = (_BREAKS, _SILENCE, _CONNECTING, _ANSWERS, _FLOODS, _CLIENTS, _MACHINE)

ROWS = tuple(row for section in SECTIONS for row in section.rows)
