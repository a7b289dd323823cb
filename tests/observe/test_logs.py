"""Log lines: complete, attributed, without secrets, and never in a stream's way."""

import io
import json
import logging
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.observe import logs
from gemproxy.observe.logs import (
    Handover,
    configure,
    masking,
    new_request_id,
    redact,
    request_id_var,
    sane_request_id,
    unsaid,
)

LOGGER = logging.getLogger("gemproxy.test")
KEY = "AIzaSyTest-key_of_no_one-0123456789abcd"


def written(log: Callable[[], None], **options: Any) -> str:
    """Return what ``log`` writes under a fresh configuration."""
    stream = io.StringIO()
    stop = configure(stream=stream, **options)
    try:
        log()
    finally:
        stop()
    return stream.getvalue()


def line(log: Callable[[], None]) -> dict[str, Any]:
    """Return the one JSON line that ``log`` writes."""
    document = json.loads(written(log))
    assert isinstance(document, dict)
    return document


@contextmanager
def request(request_id: str) -> Iterator[None]:
    token = request_id_var.set(request_id)
    try:
        yield
    finally:
        request_id_var.reset(token)


def fail(message: str) -> None:
    raise RuntimeError(message)


def log_failure(message: str) -> None:
    try:
        fail(message)
    except RuntimeError:
        LOGGER.exception("it failed")


def test_a_record_is_one_json_object_with_its_fields() -> None:
    document = line(lambda: LOGGER.info("took %d ms", 5, extra={"model": "gemini", "ms": 5}))

    assert list(document) == ["timestamp", "level", "logger", "message", "model", "ms"]
    assert document["timestamp"].endswith("Z")
    assert document["level"] == "INFO"
    assert document["logger"] == "gemproxy.test"
    assert document["message"] == "took 5 ms"
    assert document["ms"] == 5


@pytest.mark.parametrize("path", ["/\u9f20", "/\x9b31m", "/\udc80", "/\x1b[31m\n"])
def test_what_a_terminal_would_obey_or_cannot_show_is_escaped(path: str) -> None:
    text = written(lambda: LOGGER.info("path", extra={"path": path}))

    assert text.endswith("\n")
    assert text.isascii()
    assert text.strip().isprintable()
    assert json.loads(text)["path"] == path


@pytest.mark.parametrize(
    "extra",
    [
        {"tokens": {KEY: 1}},
        {"tokens": {"prompt": KEY}},
        {"tokens": {"prompt": {"key": "test-secret"}}},
        {"tokens": {1: KEY}},
        {"causes": [KEY]},
        {"causes": (KEY,)},
        {"Authorization": "test-secret"},
        {"error": ValueError(KEY)},
        {"model": "a", "path": f"/{KEY}"},
    ],
)
def test_a_secret_is_found_however_deep_it_stands(extra: dict[str, object]) -> None:
    text = written(lambda: LOGGER.info("said", extra=extra))

    assert "***" in text
    assert KEY not in text
    assert "test-secret" not in text


def test_a_traceback_is_a_field_of_its_own() -> None:
    document = line(lambda: log_failure("no luck"))

    assert document["message"] == "it failed"
    assert document["exc_info"].startswith("Traceback (most recent call last):")
    assert document["exc_info"].endswith("RuntimeError: no luck")


def test_a_queued_record_holds_its_traceback_as_text_and_no_frame() -> None:
    try:
        fail(KEY)
    except RuntimeError:
        record = logging.LogRecord("a", logging.ERROR, "", 0, "it failed", None, sys.exc_info())

    done = Handover(SimpleQueue()).prepare(record)

    assert done.exc_info is None
    assert done.exc_text is not None
    assert done.exc_text.endswith("RuntimeError: AIza***")
    assert record.exc_info is not None


def test_a_stack_is_a_field_of_its_own() -> None:
    document = line(lambda: LOGGER.info("here", stack_info=True))

    assert document["message"] == "here"
    assert "Stack (most recent call last)" in document["stack_info"]


def test_a_record_carries_the_id_of_the_request_it_was_logged_in() -> None:
    def log() -> None:
        with request("abc-1"):
            LOGGER.info("inside")
        LOGGER.info("outside")

    inside, outside = map(json.loads, written(log).splitlines())

    assert inside["request_id"] == "abc-1"
    assert "request_id" not in outside


def test_an_id_that_the_caller_names_is_kept() -> None:
    def log() -> None:
        with request("context"):
            LOGGER.info("x", extra={"request_id": "named"})

    assert line(log)["request_id"] == "named"


def test_arguments_are_rendered_when_they_are_logged_not_when_they_are_written() -> None:
    argument = ["before"]
    stream = io.StringIO()
    stop = configure(stream=stream)
    LOGGER.info("%s", argument)
    argument[0] = "after"
    stop()

    assert "before" in stream.getvalue()


def test_a_wrong_format_does_not_cost_the_record() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "%d and %d", ("one",), None)

    assert Handover(SimpleQueue()).prepare(record).getMessage() == "%d and %d ('one',)"


def test_other_handlers_see_the_record_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    written(lambda: log_failure("no luck"))

    assert caplog.records[-1].exc_info is not None


@pytest.mark.parametrize(
    ("level", "debug_mode", "levels"),
    [
        ("info", False, ["INFO", "WARNING"]),
        ("warning", False, ["WARNING"]),
        ("warning", True, ["DEBUG", "INFO", "WARNING"]),
    ],
)
def test_the_level_decides_what_is_written(
    level: str,
    debug_mode: bool,
    levels: list[str],
) -> None:
    def log() -> None:
        LOGGER.debug("1")
        LOGGER.info("2")
        LOGGER.warning("3")

    lines = written(log, level=level, debug_mode=debug_mode).splitlines()

    assert [json.loads(text)["level"] for text in lines] == levels


def test_text_lines_have_the_fields_after_the_message() -> None:
    def log() -> None:
        with request("abc-1"):
            LOGGER.warning("slow", extra={"ms": 5})
        log_failure("no luck")

    first, second, *rest = written(log, style="text").splitlines()

    assert first.endswith("WARNING  gemproxy.test [abc-1] slow ms=5")
    assert second.endswith("ERROR    gemproxy.test [-] it failed")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "RuntimeError: no luck"


def test_no_message_and_no_field_can_forge_a_line_of_text() -> None:
    def log() -> None:
        LOGGER.info("one\n2026-11-21 ERROR two\x1b[31m", extra={"field": "a\rb"})

    (only,) = written(log, style="text").splitlines()

    assert only.endswith(r"one\x0a2026-11-21 ERROR two\x1b[31m field=a\x0db")


def test_stop_writes_what_is_queued_and_puts_the_root_logger_back() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    stream = io.StringIO()
    stop = configure(stream=stream, level="debug")
    for number in range(500):
        LOGGER.debug("%d", number)
    stop()
    stop()

    assert len(stream.getvalue().splitlines()) == 500
    assert (list(root.handlers), root.level) == before


def test_a_file_gets_the_same_lines(tmp_path: Path) -> None:
    file = tmp_path / "gemproxy.log"

    text = written(lambda: LOGGER.info("both"), file=str(file))

    assert file.read_text() == text
    assert "both" in text


def test_a_full_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 300)
    monkeypatch.setattr(logs, "FILE_COUNT", 1)

    def log() -> None:
        for number in range(20):
            LOGGER.info("%d", number)

    written(log, file=str(tmp_path / "a.log"))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "app.log"

    written(lambda: LOGGER.info("first"), file=str(file))

    assert "first" in file.read_text()


def test_several_processes_share_a_file_and_its_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 3000)
    file = tmp_path / "app.log"
    shown = logging.NullHandler()
    writers = [logs._LogFile(str(file), shown) for _ in range(3)]
    for number in range(90):
        record = logging.LogRecord(
            "x", logging.INFO, "", 0, f"{number:03d} " + "x" * 96, None, None
        )
        writers[number % 3].emit(record)
    for writer in writers:
        writer.close()

    parts = [tmp_path / f"app.log.{n}" for n in (4, 3, 2, 1)]
    lines = "".join(part.read_text() for part in [*parts, file] if part.exists()).splitlines()
    assert [line[:3] for line in lines] == [f"{number:03d}" for number in range(90)]
    assert all(path.stat().st_size <= 3000 for path in tmp_path.iterdir())


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "app.log"

    def log() -> None:
        LOGGER.info("one")
        logs_are_written(file, "one")
        file.rename(tmp_path / "old.log")
        LOGGER.info("two")

    written(log, file=str(file))

    assert "two" in file.read_text()
    assert "two" not in (tmp_path / "old.log").read_text()


def logs_are_written(file: Path, text: str) -> None:
    """Wait until the writer's thread has come to a text."""
    while not file.exists() or text not in file.read_text():
        threading.Event().wait(0.001)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device is always full here")
def test_a_file_whose_disk_is_full_is_told_of_once_and_costs_no_line() -> None:
    stream = io.StringIO()
    stop = configure(stream=stream, file="/dev/full")
    for number in range(3):
        logging.getLogger("some.part").info("line %d", number)
    stop()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    said = [line["message"] for line in lines]
    assert [message for message in said if message.startswith("line")] == [
        "line 0",
        "line 1",
        "line 2",
    ]
    assert said.count("the log file fails: No space left on device") == 1


def test_standard_error_is_the_standard_stream(capsys: pytest.CaptureFixture[str]) -> None:
    stop = configure()
    LOGGER.info("to stderr")
    stop()

    assert "to stderr" in capsys.readouterr().err


def test_a_writer_that_is_too_far_behind_costs_records_and_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "QUEUE_LIMIT", 2)
    records: SimpleQueue[Any] = SimpleQueue()
    handover = Handover(records)

    def log(text: str) -> None:
        handover.handle(logging.LogRecord("a", logging.INFO, "", 0, text, None, None))

    for text in ("1", "2", "lost", "lost"):
        log(text)
    messages = [records.get().getMessage(), records.get().getMessage()]
    log("3")
    messages += [records.get().getMessage(), records.get().getMessage()]

    gap = "2 log records were dropped: the log could not be written in time"
    assert messages == ["1", "2", gap, "3"]


SECRETS = [
    f"key {KEY} was refused",
    "AQ.Ab8RN6Jtest-key_of_no_one is a newer key",
    "ya29.a0Test-token_of.no_one is a token",
    "GET /v1beta/models?key=test-key-1&alt=sse",
    "GET /v1beta/models?alt=sse&key=test-key-1",
    "GET /v1beta/models?access_token=test-key-1 HTTP/1.1",
    "next=%2Fv1%3Fkey%3Dtest-key-1",
    "Authorization: Bearer test-key-1",
    "authorization: basic dGVzdDprZXk=",
    "{'Authorization': 'test-key-1'}",
    "x-goog-api-key: test-key-1",
    '{"X-Goog-Api-Key": "test-key-1"}',
    "(b'x-goog-api-key', b'test-key-1')",
    r"{\"x-goog-api-key\": \"test-key-1\"}",
    "<CIMultiDict('x-goog-api-key': 'test-key-1', 'accept': '*/*')>",
    "proxy http://user:test-key-1@proxy.test:3128 refused",
    "proxy http://user:p@test-key-1@proxy.test refused",
    "GET /v1beta/%41IzaSyTest-key_of_no_one refused",
    "GET /v1beta/%2541%2549za%53yTest-key_of_no_one refused",
    "GET /v1beta/%25252541IzaSyTest-key_of_no_one refused",
    "GET /v1beta/%25%34%31IzaSyTest-key_of_no_one refused",
    "GET /v1beta/A%49%7a%61SyTest-key_of_no_one refused",
    "GET /v1alpha/auth_tokens/test-key-1 refused",
    "GET /v1alpha/auth%5Ftokens%2Ftest-key-1 refused",
    "GET /v1alpha/authTokens/test-key-1 refused",
    "GET /v1beta/models?%6Bey=test-key-1 refused",
    "GET /v1beta/models?%256B%65y=test-key-1 refused",
    "GET /v1beta/models?KEY%3dtest-key-1 refused",
    "GET /v1beta/models?oauth_token=test-key-1 refused",
    "GET /ws?token=test-key-1 refused",
    "GET /%62earer%20test-key-1 refused",
    "Authorization: Token test-key-1",
    "x-api-key: test-key-1",
    "{'Api-Key': 'test-key-1'}",
    "gp-7Kq2test-key-1Lp8 was refused",
    "GET /v1beta/models/%67p-7Kq2test-key-1:generateContent refused",
    "GET /images/5ec2e75ec2e75ec2e75ec2e75ec2e711.png refused",
    "GET /%69mages/5ec2e75ec2e75ec2e75ec2e75ec2e711.png refused",
]
FRAGMENTS = ("5ec2e7", "test-key", "SyTest", "RN6J", "a0Test", "dGVzd", "user", "no_one")


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_masked_and_the_rest_is_kept(text: str) -> None:
    masked = redact(text)

    assert "***" in masked
    assert not [fragment for fragment in FRAGMENTS if fragment in masked]
    assert redact(masked) == masked
    if text.endswith(("refused", "alt=sse", "HTTP/1.1", "'*/*')>")):
        assert masked.endswith(text[-7:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "POST /v1beta/models/gemini-pro:streamGenerateContent?alt=sse 200",
        "key AIza…1234 is cooling down",
        "sort_key=name monkey=1",
        "see https://ai.google.dev/api and mail@example.test",
        "FAQ.md",
        "gp-3 and bigp-1234567890",
        "GET /images/0123.png 404",
        "GET /v1beta/models/gemini%2Dpro:countTokens?pageToken=x%20y",
        "GET /v1beta/corpora/100%25-caf%C3%A9%ff 200",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


@given(
    key=st.from_regex(r"AIza[0-9A-Za-z_-]{35}", fullmatch=True),
    before=st.text(),
    after=st.text(),
)
def test_a_key_is_masked_wherever_it_stands(key: str, before: str, after: str) -> None:
    assert key not in redact(before + key + after)


@given(
    key=st.from_regex(r"AIza[0-9A-Za-z_-]{35}", fullmatch=True),
    depth=st.integers(1, 6),
    letters=st.sets(st.integers(0, 38)),
    lower=st.booleans(),
)
def test_a_key_is_masked_however_often_it_is_encoded(
    key: str, depth: int, letters: set[int], lower: bool
) -> None:
    word = f"/v1beta/{key}/x"
    for _ in range(depth):
        word = "".join(
            f"%{ord(letter):{'02x' if lower else '02X'}}"
            if letter == "%" or number - 8 in letters
            else letter
            for number, letter in enumerate(word)
        )

    masked = redact(word)
    for _ in range(depth):
        assert key not in masked
        masked = unquote(masked)
    assert key not in masked


def test_a_word_that_hides_without_end_is_masked_in_time() -> None:
    assert redact("GET /%" + "25" * 100_000 + f"41{KEY[1:]} 200") == "GET /AIza*** 200"
    assert redact("GET /%2" + "%3" * 100_000 + "541 200") == "GET *** 200"


def test_an_exception_is_told_without_its_words() -> None:
    words = ["words of a client", "more of them"]

    def log() -> None:
        try:
            try:
                fail(words[0])
            except RuntimeError as error:
                raise KeyError(words[1]) from error
        except KeyError as error:
            LOGGER.exception("unexpected", exc_info=unsaid(error))

    told = line(log)["exc_info"]

    assert told.startswith("Traceback")
    assert "Unsaid: RuntimeError" in told
    assert told.endswith("Unsaid: KeyError")
    assert "in fail" in told
    assert not [word for word in words if word in told]


def test_secrets_reach_no_sink_from_message_argument_exception_field_or_stack() -> None:
    def log() -> None:
        LOGGER.info("message %s", KEY)
        log_failure(f"https://host/?key={KEY}")
        LOGGER.info(
            "fields",
            extra={
                "url": f"https://host/?key={KEY}",
                "headers": {"X-Goog-Api-Key": "test-key", "n": [KEY, 1, None]},
                "authorization": "test-key",
                "path": Path(KEY),
            },
        )
        LOGGER.info({"key": KEY})

    for style in ("json", "text"):
        text = written(log, style=style)
        assert "Test-key_of_no_one" not in text
        assert "test-key" not in text

    fields = json.loads(written(log).splitlines()[2])
    assert fields["headers"] == {"X-Goog-Api-Key": "***", "n": ["AIza***", 1, None]}
    assert fields["authorization"] == "***"


def test_request_ids_are_uuids_of_version_7_that_sort_by_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([1_700_000_000_000_000_000, 1_700_000_000_001_000_000])
    monkeypatch.setattr("gemproxy.observe.logs.time.time_ns", lambda: next(times))

    first, second = uuid.UUID(new_request_id()), uuid.UUID(new_request_id())

    assert (first.version, first.variant) == (7, uuid.RFC_4122)
    assert first.int >> 80 == 1_700_000_000_000
    assert first.hex < second.hex


def test_request_ids_differ_and_are_sane() -> None:
    ids = {new_request_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(sane_request_id(request_id) == request_id for request_id in ids)


@pytest.mark.parametrize("value", ["a", "A-b_c.9", "x" * 128])
def test_a_sane_id_of_the_client_is_taken(value: str) -> None:
    assert sane_request_id(value) == value


@pytest.mark.parametrize(
    "value", [None, "", "x" * 129, "a b", "a\r\nb", "a\n", "é", "<script>", ".", ".."]
)
def test_any_other_id_is_not(value: str | None) -> None:
    assert sane_request_id(value) is None


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_path_that_is_no_unicode_is_a_line_in_every_sink(
    style: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # pytest's own handlers would keep the line for a report, which pytest-xdist cannot send
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    file = tmp_path / "app.log"

    text = written(lambda: LOGGER.info("GET /T\udcdcR"), style=style, file=str(file))

    assert "GET /T\\udcdcR" in text
    assert file.read_text() == text
    assert capsys.readouterr().err == ""


def test_configurations_nest() -> None:
    with ExitStack() as stack:
        outer, inner = io.StringIO(), io.StringIO()
        stack.callback(configure(stream=outer))
        stop = configure(stream=inner)
        LOGGER.info("both")
        stop()
        LOGGER.info("outer")

    assert len(outer.getvalue().splitlines()) == 2
    assert len(inner.getvalue().splitlines()) == 1


def test_known_secrets_of_any_form_are_masked_while_they_are_known() -> None:
    def log() -> None:
        extra = {"path": "/v1/b0bs%2Dkey-longer/x", "model": "b0bs-key", "n": ["b0bs-key"]}
        LOGGER.warning("%s and b0bs-key-longer", "b0bs-key", extra=extra)

    with masking(["b0bs-key", "", "b0bs-key-longer"]):
        masked = written(log)

    assert "b0bs" not in masked
    assert "longer" not in masked
    assert "b0bs-key" in written(log)
