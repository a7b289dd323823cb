"""JSON outside of its framing: what is Gemini's becomes events, all else stays."""

import json

import pytest

from gemproxy.core.answer.unframed import (
    answers,
    events_of,
    is_answer,
    may_hold_answers,
    one_line,
    says_nothing,
)
from gemproxy.core.wire.frame import Frame
from gemproxy.core.wire.sse import SSEDecoder
from tests.gemini import Json, chunk, documents

ONE, TWO = chunk("One. "), chunk("Two.", finish="STOP")
ERROR = {"error": {"code": 503, "message": "overloaded"}}


def plain(document: object) -> bytes:
    return json.dumps(document).encode()


def event(document: object, eol: str = "\r\n") -> bytes:
    return f"data: {json.dumps(document)}{eol}{eol}".encode()


def frame_of(block: bytes) -> Frame:
    """Return the one frame that a block of an event stream is."""
    decoder = SSEDecoder()
    (frame,) = decoder.feed(block)
    return frame


def told(block: bytes) -> bytes:
    return b"".join(frame.raw for frame in events_of(frame_of(block)))


@pytest.mark.parametrize(
    "document",
    [
        ONE,
        {"candidates": []},
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"usageMetadata": {"totalTokenCount": 3}},
        ERROR,
        {"error": "gone"},
    ],
)
def test_a_response_of_geminis_and_an_error_are_answers(document: Json) -> None:
    assert is_answer(plain(document))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"ok": True},
        {"candidates": "two"},
        {"candidates": None},
        {"error": {}},
        {"error": None, "id": 1},
        {"totalTokens": 3},
        {"choices": [{"delta": {"content": "x"}}]},
        [ONE],
        "candidates",
        None,
    ],
)
def test_all_other_json_is_none(document: object) -> None:
    assert not is_answer(plain(document))


def test_a_response_with_half_a_character_is_an_answer() -> None:
    assert is_answer(
        b'{"\\ud800": 1, "candidates": [{"content": {"parts": [{"text": "\\ud83d"}]}}]}'
    )
    assert not is_answer(b'{"candidates": [')


@pytest.mark.parametrize("indent", [None, 0, 1, 2, 7])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_json_on_many_lines_is_told_on_one(indent: int | None, newline: str) -> None:
    document = chunk("a \\ b\n  c \u2028 d \x85 \u4e2d", usage=(1, 2))
    text = json.dumps(document, indent=indent, ensure_ascii=False).replace("\n", newline)

    line = one_line(text.encode())

    assert json.loads(line) == document
    assert len(line.decode().splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        plain([ONE, TWO]),
        plain(ONE) + plain(TWO),
        plain(ONE) + b"\n" + plain(TWO) + b"\r\n",
        json.dumps([ONE, TWO], indent=2).encode(),
        b"\n " + plain(ONE) + b",\n" + plain(TWO),
    ],
)
def test_answers_are_cut_wherever_they_stand(text: bytes) -> None:
    found = answers(text)

    assert found is not None
    assert [json.loads(data) for data in found] == [ONE, TWO]


@pytest.mark.parametrize(
    "text", [b"", b"[]", plain(ONE)[:-1], plain([ONE, {"a": 1}]), plain(ONE) + b"x", plain([1])]
)
def test_what_holds_anything_else_is_left_alone(text: bytes) -> None:
    assert answers(text) is None


@pytest.mark.parametrize("empty", [None, {}, [], [{}], [None, []]])
def test_empty_json_says_nothing(empty: object) -> None:
    assert says_nothing(empty)
    assert not says_nothing([empty, {"a": None}])
    assert not says_nothing(0)


@pytest.mark.parametrize(
    ("block", "events"),
    [
        (plain(ONE) + b"\r\n\r\n", [ONE]),
        (plain(ONE) + b"\r\n" + plain(TWO) + b"\r\n\r\n", [ONE, TWO]),
        (json.dumps(ONE, indent=2).replace("\n", "\r\n").encode() + b"\r\n\r\n", [ONE]),
        (plain([ONE, TWO]) + b"\r\n\r\n", [ONE, TWO]),
        (event(ONE)[:-2] + plain(TWO) + b"\r\n\r\n", [ONE, TWO]),
        (plain(ONE) + b"\r\n" + event(TWO), [ONE, TWO]),
        (event([ONE, TWO]), [ONE, TWO]),
        (plain(ONE) + b"\n\n", [ONE]),
    ],
    ids=["one", "lines", "pretty", "list", "behind", "before", "a list as data", "lf"],
)
def test_bare_answers_become_events_in_their_place(block: bytes, events: list[Json]) -> None:
    assert documents(told(block)) == events
    assert (b"\r" in told(block)) is (b"\r" in block)
    assert [
        json.loads(bytes(frame.data or b"null")) for frame in events_of(frame_of(block))
    ] == events


@pytest.mark.parametrize(
    "block",
    [
        event(ONE),
        b"event: message\r\n" + event(ONE),
        b"data: {\r\ndata: }\r\n\r\n",
        b": a comment {\r\n\r\n",
        plain({"ping": 1}) + b"\r\n\r\n",
        plain(ONE)[:-1] + b"\r\n\r\n",
        b"{ no JSON\r\n\r\n",
        event("[DONE]").replace(b'"', b""),
        event(ONE)[:-2] + b"{ no JSON\r\n\r\n",
        b"\xef\xbb\xbf" + event(ONE),
    ],
)
def test_every_other_frame_stays_as_it_came(block: bytes) -> None:
    frame = frame_of(block)

    assert events_of(frame) == [frame]


@pytest.mark.parametrize(
    ("block", "may"),
    [
        (event(ONE), False),
        (b"event: message\r\n" + event(ONE), False),
        (b": {\n\n", False),
        (b"\xef\xbb\xbf" + event(ONE), False),
        (b"\xef\xbb\xbf" + plain(ONE) + b"\n\n", True),
        (event(ONE)[:-2] + plain(TWO) + b"\r\n\r\n", True),
        (b"id: 1\r" + plain(TWO) + b"\r\n\r\n", True),
        (event([ONE]), True),
    ],
)
def test_most_frames_are_known_to_hold_no_bare_answer(block: bytes, may: bool) -> None:
    assert may_hold_answers(frame_of(block)) is may


def test_a_field_between_bare_lines_keeps_its_event() -> None:
    block = plain(ONE) + b"\n: ping\nid: 1\n" + event(TWO, "\n")

    assert told(block) == event(ONE, "\n") + b": ping\nid: 1\n" + event(TWO, "\n")


def test_many_lines_take_no_time_each() -> None:
    lines = json.dumps(chunk("x", more=list(range(200_000))), indent=1).encode() + b"\n\n"

    assert len(told(lines).splitlines()) == 2
