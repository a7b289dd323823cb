"""Every fault as bytes, without a socket."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.delivery import (
    Close,
    Flood,
    NoSuchPlace,
    Pause,
    Reply,
    Send,
    Step,
    Transfer,
    Wiring,
    compose,
    deliver,
    offset,
)
from gemproxy.chaos.faults import END, HEADERS, THINKING, Fault, Kind, Place, byte, event, utf8
from gemproxy.chaos.frames import Document
from gemproxy.chaos.framing import Framing, Style
from tests.chaos.client import Seen

SSE = Framing()
ARRAY = Framing(Style.ARRAY)


def document(text: str, *, thought: bool = False) -> Document:
    part = {"text": text, "thought": True} if thought else {"text": text}
    return {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]}


DOCUMENTS = [document("hm", thought=True), document("Grüße, "), document("你好 🎒"), document("!")]
BODY = compose(DOCUMENTS, SSE, None).body


def seen(steps: list[Step]) -> Seen:
    return Seen(b"".join(step.data for step in steps if isinstance(step, Send)), reset=False)


def delivered(
    fault: Fault | None, wiring: Wiring | None = None, framing: Framing = SSE
) -> tuple[Seen, Step]:
    steps = list(deliver(compose(DOCUMENTS, framing, fault), fault, wiring or Wiring()))
    return seen(steps), steps[-1]


def test_a_whole_answer_goes_out_in_one_chunk_for_each_frame() -> None:
    got, end = delivered(None)
    assert got.body == BODY
    assert got.terminated
    assert got.raw.count(b"\r\ndata: ") == len(DOCUMENTS)
    assert end is Close.KEEP


def test_the_server_pauses_between_frames_only() -> None:
    steps = list(deliver(compose(DOCUMENTS, SSE, None), None, Wiring()))
    assert sum(isinstance(step, Pause) for step in steps) == len(DOCUMENTS) - 1


def test_a_body_can_have_a_length() -> None:
    got, end = delivered(None, Wiring(Transfer.LENGTH))
    assert f"Content-Length: {len(BODY)}" in got.head
    assert got.body == BODY
    assert end is Close.KEEP


def test_a_body_can_end_with_the_connection() -> None:
    got, end = delivered(None, Wiring(Transfer.CLOSE))
    assert "Connection: close" in got.head
    assert got.body == BODY
    assert end is Close.FIN


@pytest.mark.parametrize("size", [1, 7])
def test_frames_can_be_cut_into_small_writes(size: int) -> None:
    steps = list(deliver(compose(DOCUMENTS, SSE, None), None, Wiring(Transfer.LENGTH, size)))
    writes = [step.data for step in steps if isinstance(step, Send)][1:]
    assert all(len(write) <= size for write in writes)
    assert b"".join(writes) == BODY


def test_drip_writes_bytes_one_by_one() -> None:
    got, end = delivered(Fault(Kind.DRIP))
    assert got.raw.count(b"\r\n1\r\n") >= len(BODY) - 1
    assert got.body == BODY
    assert end is Close.KEEP


@given(st.integers(0, len(BODY)))
def test_a_clean_end_is_proper_http_after_exactly_so_many_bytes(cut: int) -> None:
    got, end = delivered(Fault(Kind.CLEAN_EOF, byte(cut)))
    assert got.body == BODY[:cut]
    assert got.terminated
    assert end is Close.KEEP


@given(st.integers(0, len(BODY)))
def test_a_clean_end_has_the_length_of_what_was_sent(cut: int) -> None:
    got, _ = delivered(Fault(Kind.CLEAN_EOF, byte(cut)), Wiring(Transfer.LENGTH))
    assert f"Content-Length: {cut}" in got.head
    assert got.body == BODY[:cut]


@given(
    st.integers(0, len(BODY)),
    st.sampled_from([(Kind.FIN, Close.FIN), (Kind.RST, Close.RST), (Kind.STALL, Close.HANG)]),
    st.sampled_from(list(Transfer)),
)
def test_a_broken_end_comes_after_exactly_so_many_bytes(
    cut: int, broken: tuple[Kind, Close], transfer: Transfer
) -> None:
    kind, close = broken
    got, end = delivered(Fault(kind, byte(cut)), Wiring(transfer))
    assert got.body == BODY[:cut]
    assert not got.terminated
    assert end is close


def test_a_truncated_chunk_announces_more_than_comes() -> None:
    got, end = delivered(Fault(Kind.TRUNCATED_CHUNK, byte(30)), Wiring(Transfer.LENGTH))
    size, _, data = got.raw.partition(b"\r\n\r\n")[2].partition(b"\r\n")
    assert data == BODY[:30]
    assert int(size, 16) > 30
    assert end is Close.FIN


def test_a_bad_chunk_has_a_size_that_is_no_number() -> None:
    got, end = delivered(Fault(Kind.BAD_CHUNK, byte(30)))
    assert got.body == BODY[:30]
    assert got.raw.endswith(b"\r\nno-number\r\n")
    assert end is Close.FIN


def test_a_short_length_promises_the_whole_body() -> None:
    got, end = delivered(Fault(Kind.SHORT_LENGTH, byte(30)))
    assert f"Content-Length: {len(BODY)}" in got.head
    assert got.body == BODY[:30]
    assert end is Close.FIN


@pytest.mark.parametrize(
    ("kind", "close"), [(Kind.FIN, Close.FIN), (Kind.RST, Close.RST), (Kind.STALL, Close.HANG)]
)
def test_a_fault_before_the_headers_sends_nothing(kind: Kind, close: Close) -> None:
    got, end = delivered(Fault(kind, HEADERS))
    assert got.raw == b""
    assert end is close


@given(st.integers(0, 9))
def test_a_place_after_frames_is_the_end_of_a_frame(number: int) -> None:
    got, _ = delivered(Fault(Kind.CLEAN_EOF, event(number)))
    assert len(got.documents) == min(number, len(DOCUMENTS))


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_place_inside_a_character_splits_its_bytes(number: int) -> None:
    got, _ = delivered(Fault(Kind.CLEAN_EOF, utf8(number)))
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        got.body.decode()


def test_the_place_while_thinking_is_after_the_first_thought() -> None:
    got, _ = delivered(Fault(Kind.STALL, THINKING))
    assert [d["candidates"][0]["content"]["parts"][0]["thought"] for d in got.documents] == [True]


def test_the_place_at_the_end_is_after_the_last_byte() -> None:
    got, end = delivered(Fault(Kind.RST, END))
    assert got.body == BODY
    assert end is Close.RST


@pytest.mark.parametrize("place", [THINKING, utf8(1)])
def test_a_place_that_the_answer_does_not_have_is_an_error(place: Place) -> None:
    with pytest.raises(NoSuchPlace, match="the answer has no"):
        offset(place, [b"data: {}\r\n\r\n"])


def test_an_error_frame_ends_the_stream() -> None:
    got, end = delivered(Fault(Kind.ERROR_FRAME, event(2), code=429, retry=2))
    assert got.documents[:2] == DOCUMENTS[:2]
    assert got.documents[2]["error"]["code"] == 429
    assert len(got.documents) == 3
    assert got.terminated
    assert end is Close.KEEP


def test_a_fault_of_frames_waits_for_the_end_of_its_frame() -> None:
    at_byte, _ = delivered(Fault(Kind.ERROR_FRAME, byte(5)))
    at_event, _ = delivered(Fault(Kind.ERROR_FRAME, event(1)))
    assert at_byte.body == at_event.body


def test_an_error_in_an_array_is_an_element_of_it() -> None:
    got, _ = delivered(Fault(Kind.ERROR_FRAME, event(1)), framing=ARRAY)
    assert json.loads(got.body) == [DOCUMENTS[0], {"error": json.loads(got.body)[1]["error"]}]


def test_a_raw_error_stands_outside_of_the_framing() -> None:
    got, _ = delivered(Fault(Kind.RAW_ERROR, event(2)))
    whole, _, tail = got.body.rpartition(b"\r\n\r\n")
    assert len(whole.split(b"\r\n\r\n")) == 2
    assert json.loads(tail)["error"]["status"] == "UNAVAILABLE"
    assert b"\n" in tail


def test_after_garbage_the_stream_goes_on() -> None:
    got, _ = delivered(Fault(Kind.GARBAGE, event(1)))
    events = got.body.split(b"\r\n\r\n")[:-1]
    assert len(events) == len(DOCUMENTS) + 1
    assert [json.loads(e[6:]) for e in (events[0], *events[2:])] == DOCUMENTS
    assert got.terminated


def test_a_bad_finish_stands_on_the_last_frame_that_is_sent() -> None:
    got, end = delivered(Fault(Kind.BAD_FINISH, event(3), reason="OTHER"))
    assert got.text == "Grüße, 你好 🎒"
    assert got.documents[-1]["candidates"][0]["finishReason"] == "OTHER"
    assert len(got.documents) == 3
    assert end is Close.KEEP


def test_a_bad_finish_before_any_frame_is_a_frame_without_parts() -> None:
    got, _ = delivered(Fault(Kind.BAD_FINISH, event(0), reason="SAFETY"))
    assert got.documents == [
        {
            "candidates": [
                {"content": {"role": "model"}, "finishReason": "SAFETY", "index": 0},
            ]
        }
    ]


def test_a_bad_finish_does_not_change_the_documents_it_is_given() -> None:
    before = json.dumps(DOCUMENTS)
    compose(DOCUMENTS, SSE, Fault(Kind.BAD_FINISH, event(3)))
    assert json.dumps(DOCUMENTS) == before


def test_an_endless_line_is_flooded_until_the_peer_closes() -> None:
    fault = Fault(Kind.ENDLESS_LINE, event(1))
    steps = list(deliver(compose(DOCUMENTS, SSE, fault), fault, Wiring(Transfer.LENGTH)))
    assert isinstance(steps[-2], Flood)
    assert b"\n" not in steps[-2].data.partition(b"\r\n")[2].removesuffix(b"\r\n")
    assert seen(steps).body.startswith(BODY[:30])


@pytest.mark.parametrize(
    ("framing", "unwrap"), [(SSE, lambda found: found), (ARRAY, lambda found: found[0])]
)
def test_a_status_has_googles_error_body(
    framing: Framing, unwrap: Callable[[object], dict[str, dict[str, object]]]
) -> None:
    got, end = delivered(Fault(Kind.STATUS, code=429, retry=20), framing=framing)
    assert got.status == 429
    assert framing.content_type in got.head
    assert unwrap(json.loads(got.body))["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert end is Close.KEEP


def test_a_status_can_have_a_body_and_headers_of_its_own() -> None:
    fault = Fault(Kind.STATUS, code=520, body=b"oops", headers=(("Retry-After", "3"),))
    got, _ = delivered(fault)
    assert got.raw.startswith(b"HTTP/1.1 520 Unknown\r\n")
    assert got.body == b"oops"
    assert "Retry-After: 3" in got.head


def test_an_html_page_is_no_json() -> None:
    got, _ = delivered(Fault(Kind.HTML, code=502))
    assert got.status == 502
    assert "text/html" in got.head
    assert got.body.startswith(b"<!DOCTYPE html>")


def test_an_empty_answer_is_200_and_ends_properly() -> None:
    got, end = delivered(Fault(Kind.EMPTY))
    assert (got.status, got.body, got.terminated, end) == (200, b"", True, Close.KEEP)


def test_bad_gzip_says_that_it_is_gzip() -> None:
    got, _ = delivered(Fault(Kind.BAD_GZIP))
    assert "Content-Encoding: gzip" in got.head
    assert got.body.startswith(b"\x1f\x8b")


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(0, 40))
def test_no_write_is_empty_because_an_empty_chunk_is_an_end(pieces: list[bytes], cut: int) -> None:
    fault = Fault(Kind.FIN, byte(cut))
    steps = deliver(Reply(200, (), tuple(pieces)), fault, Wiring())
    chunks = [step.data for step in steps if isinstance(step, Send)][1:]
    assert all(not chunk.startswith(b"0") for chunk in chunks)


def test_a_bare_frame_has_no_data_line_and_the_stream_goes_on() -> None:
    got, end = delivered(Fault(Kind.BARE, event(1)))
    events = got.body.split(b"\r\n\r\n")[:-1]

    assert [event.startswith(b"data: ") for event in events] == [True, False, True, True]
    assert [json.loads(event.removeprefix(b"data: ")) for event in events] == DOCUMENTS
    assert end is Close.KEEP


@pytest.mark.parametrize(("framing", "at"), [(SSE, 9), (ARRAY, 1)])
def test_where_there_is_no_event_none_is_bare(framing: Framing, at: int) -> None:
    with pytest.raises(NoSuchPlace):
        compose(DOCUMENTS, framing, Fault(Kind.BARE, event(at)))
