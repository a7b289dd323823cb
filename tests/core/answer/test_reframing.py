"""Whatever framing an answer comes in, the client has the one that it asked for."""

import json
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemproxy.core.answer.reframing import FrameReader, StreamOpening
from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Decoder, FrameTooLarge
from gemproxy.core.wire.jsonarray import JSONArrayDecoder
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.voice import Voice
from tests.gemini import Json, chunk, documents, sse

SAID = [chunk("One. "), chunk("Two\n\u2028. ", usage=(1, 2)), chunk("\u4e09.", finish="STOP")]
BOM = b"\xef\xbb\xbf"
EVENTS = "text/event-stream"
JSON = "application/json; charset=UTF-8"


def pretty(document: object) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def array(*responses: Json) -> bytes:
    return b"[" + b"\n,\r\n".join(map(pretty, responses)) + b"\n]\n"


def lines(*responses: Json) -> bytes:
    return b"".join(json.dumps(response).encode() + b"\n" for response in responses)


def lf(*responses: Json) -> bytes:
    return sse(*responses, eol="\n")


def mixed(*responses: Json) -> bytes:
    first, *rest = responses
    return pretty(first) + b"\r\n\r\n" + sse(*rest)


def bare_in_the_middle(*responses: Json) -> bytes:
    first, second, *rest = responses
    return sse(first) + lines(second) + b"\r\n" + sse(*rest)


def bare_in_an_event(*responses: Json) -> bytes:
    first, second, *rest = responses
    return sse(first)[:-2] + lines(second) + b"\r\n" + sse(*rest)


def one_list_as_an_event(*responses: Json) -> bytes:
    return b"data: " + json.dumps(responses).encode() + b"\r\n\r\n"


WAYS: dict[str, Callable[..., bytes]] = {
    "events": sse,
    "events in LF": lf,
    "array": array,
    "compact array": lambda *said: json.dumps(said).encode(),
    "lines": lines,
    "objects": lambda *said: b"".join(map(pretty, said)),
    "bare, then events": mixed,
    "events, one bare": bare_in_the_middle,
    "bare in an event": bare_in_an_event,
    "a list as data": one_list_as_an_event,
}


@attrs.frozen
class Wanted:
    decoder: Callable[[], Decoder]
    voice: Callable[[], Voice]
    read: Callable[[bytes], list[Json]]


WANTED = {
    "sse": Wanted(SSEDecoder, EventVoice, documents),
    "array": Wanted(JSONArrayDecoder, ArrayVoice, json.loads),
}


def opening(wanted: str, kind: str = "", cap: int = 1 << 20) -> StreamOpening:
    decoder = WANTED[wanted].decoder()
    decoder.max_frame = cap
    return StreamOpening(decoder, kind)


def read(body: bytes, wanted: str, kind: str = "", size: int = 1 << 20) -> bytes:
    """Return what the client gets of a whole body that comes in reads of this size."""
    opens, reader = opening(wanted, kind), None
    out = list[Out]()
    for start in range(0, len(body), size):
        data = body[start : start + size]
        if reader is None:
            reader = opens.take(data)
            data = opens.begun
        if reader is not None:
            flow, data = reader.flow(data)
            out += [Run(flow.raw, flow.count, flow.separator)] if flow is not None else []
            out.append(Frames(tuple(reader.feed(data))))
    if reader is None:
        reader = opens.settled()
        out.append(Frames(tuple(reader.feed(opens.begun))))
    frames, tail = reader.close()
    voice = WANTED[wanted].voice()
    return voice.say((*out, Frames(tuple(frames)))) + voice.close(tail)


@pytest.mark.parametrize("kind", [EVENTS, JSON, "text/plain", "application/octet-stream", ""])
@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("way", WAYS)
def test_every_framing_is_told_in_the_one_that_was_asked_for(
    way: str, wanted: str, kind: str
) -> None:
    told = read(WAYS[way](*SAID), wanted, kind)

    assert WANTED[wanted].read(told) == SAID
    assert told.startswith(b"data: " if wanted == "sse" else b"[")


@settings(deadline=None)
@given(
    way=st.sampled_from(sorted(WAYS)),
    wanted=st.sampled_from(sorted(WANTED)),
    before=st.sampled_from([b"", BOM, b"\r\n\r\n", b" \n", BOM + b"\n"]),
    size=st.integers(1, 200),
)
def test_reads_of_any_size_and_what_may_stand_before_make_no_difference(
    way: str, wanted: str, before: bytes, size: int
) -> None:
    told = read(before + WAYS[way](*SAID), wanted, size=size)

    assert WANTED[wanted].read(told.removeprefix(BOM).lstrip()) == SAID


FRAGMENTS = [
    *(lines(SAID[0]), pretty(SAID[1]), sse(SAID[2]), lf(SAID[2]), one_list_as_an_event(*SAID)),
    *(b"data: ", b"event: x\n", b": c\n", b"id: 3\r\n", b"x", BOM, b'{"ok": 1}', b"{}"),
    *(b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"[", b"]", b","),
]


@settings(deadline=None)
@given(
    body=st.lists(st.sampled_from(FRAGMENTS), max_size=10).map(b"".join),
    size=st.integers(1, 40),
    wanted=st.sampled_from(sorted(WANTED)),
    kind=st.sampled_from(["", EVENTS, JSON]),
)
def test_whatever_comes_how_it_is_read_makes_no_difference(
    body: bytes, size: int, wanted: str, kind: str
) -> None:
    assert read(body, wanted, kind, size) == read(body, wanted, kind)


@pytest.mark.parametrize(
    ("body", "wanted", "kind"),
    [
        (sse(*SAID), "sse", EVENTS),
        (sse(*SAID), "sse", JSON),
        (sse(*SAID), "sse", ""),
        (b": hello\n\n" + lf(*SAID) + b"\n\n", "sse", "text/plain"),
        (BOM + sse(*SAID), "sse", EVENTS),
        (array(*SAID), "array", JSON),
        (array(*SAID), "array", EVENTS),
        (b" \n" + array(*SAID), "array", ""),
        (BOM + array(*SAID), "array", JSON),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_an_answer_in_the_framing_that_was_asked_for_is_byte_identical(
    body: bytes, wanted: str, kind: str, size: int
) -> None:
    assert read(body, wanted, kind, size) == body


def test_an_event_stream_that_is_wanted_takes_the_fast_way_of_its_decoder() -> None:
    decoder = SSEDecoder()

    assert FrameReader(decoder).flow == decoder.flow


@pytest.mark.parametrize("way", ["array", "lines", "objects"])
def test_an_element_goes_out_as_soon_as_it_is_whole(way: str) -> None:
    body = WAYS[way](*SAID)
    opens = opening("sse", JSON)
    end = body.index(b"}", body.index(b"first")) + 1

    assert opens.take(body[: end - 1]) is None
    reader = opens.take(body[end - 1 : end])
    assert reader is not None
    assert [frame.data for frame in reader.feed(opens.begun)] != []


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (pretty({"ok": True}), JSON),
        (b'{"choices": []}', "text/plain"),
        (b'[{"name": "x"}, {"name": "y"}]', JSON),
        (b"[1, 2]", ""),
        (BOM + b'{"ok": true}', JSON),
        (b'"fine"', JSON),
        (b"0", "application/problem+json"),
        (b"true\n", JSON),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_json_that_is_no_answer_is_told_from_one(
    body: bytes, kind: str, wanted: str, size: int
) -> None:
    opens = opening(wanted, kind)

    assert [opens.take(body[i : i + size]) for i in range(0, len(body), size)][-1] is None
    assert opens.another_answer() == body


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize(
    "body", [b"", b" ", b"[]", b"{}", b"[{}]", b"null", b'{"half":', b"[1, 2", b'{"a": 1} x', BOM]
)
def test_what_is_cut_or_says_nothing_is_no_other_answer(body: bytes, wanted: str) -> None:
    opens = opening(wanted, JSON)
    opens.take(body)

    assert opens.another_answer() is None


def test_an_answer_that_follows_other_json_is_read() -> None:
    said = [{"ping": 1}, *SAID]

    assert documents(read(lines(*said), "sse", JSON, 3)) == said
    assert documents(read(lines(said[0]) + b"\r\n" + sse(*SAID), "sse", EVENTS, 3)) == said


def test_an_error_is_an_answer() -> None:
    reader = opening("sse", JSON).take(b'{"error": {"code": 503}}')

    assert reader is not None


def test_json_that_is_no_answer_and_does_not_end_is_too_large() -> None:
    opens = opening("sse", JSON, cap=100)

    with pytest.raises(FrameTooLarge):
        opens.take(b'{"x": "' + b"x" * 100)


def test_many_small_frames_in_one_read_are_not_too_large() -> None:
    assert opening("sse", EVENTS, cap=100).take(b"data: {}\n\n" * 50) is not None


@pytest.mark.parametrize(
    ("wanted", "kind", "misnamed"),
    [
        ("sse", EVENTS, False),
        ("sse", JSON, True),
        ("sse", "text/plain", False),
        ("sse", "", False),
        ("array", JSON, False),
        ("array", "Text/Event-Stream; charset=utf-8", True),
    ],
)
def test_a_content_type_of_the_other_framing_is_misnamed(
    wanted: str, kind: str, misnamed: bool
) -> None:
    assert opening(wanted, kind).misnamed is misnamed
