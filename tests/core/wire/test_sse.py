"""The frames of an event stream: the standard's rules, every byte kept, any chunking."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemproxy.core.wire.frame import Frame, FrameTooLarge, line_end
from gemproxy.core.wire.sse import SSEDecoder, event

BOM = b"\xef\xbb\xbf"
NOISE = b"x" * 2048
ALMOST_DATA = (
    b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\n"
    b"data:3\rdata:\r\n data:32\ndata:4\n\n"
)
ERROR = b'{\n  "error": {\n    "code": 503,\n    "status": "UNAVAILABLE"\n  }\n}'

FRAGMENTS = [
    *(b"\r", b"\n", b"\r\n", b"\r\r", b"\n\n", b"\r\n\r\n"),
    *(b"data: x", b"data:y", b"data:  z", b"data", b"data: ", b"da", b"event: e", b": c", b":"),
    *(b"{", b"[", b"}", b" ", b"\t", BOM, BOM[:2], "é".encode(), b"\x00", b"\xff"),
    *(b'data: {"a":1}\r\n\r\n', b'data: {"a":1}\n\n', b"data: x\r\r", ERROR),
]
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=30).map(b"".join)
chunk_sizes = st.lists(st.integers(1, 12), min_size=1, max_size=10)


def chunked(stream: bytes, sizes: list[int]) -> Iterable[bytes]:
    """Cut ``stream`` into chunks of these sizes, over and over."""
    start = 0
    while start < len(stream):
        for size in sizes:
            yield stream[start : start + size]
            start += size


def decode(chunks: Iterable[bytes]) -> tuple[list[Frame], Frame | None]:
    """Return the frames of a whole body, and what its end left over."""
    decoder = SSEDecoder()
    frames = [frame for chunk in chunks for frame in decoder.feed(chunk)]
    return frames, decoder.close()


def data_of(stream: bytes) -> list[bytes]:
    """Return the data of all complete events of ``stream``."""
    return [bytes(frame.data) for frame in decode([stream])[0] if frame.data is not None]


def by_the_book(stream: bytes) -> list[bytes]:
    """Return the data of all events, with the last one dispatched at the end of the body.

    The algorithm of the standard, line by line, for a body that is there as a whole.
    """
    events: list[bytes] = []
    values: list[bytes] = []
    for line in [*re.split(rb"\r\n|\r|\n", stream.removeprefix(BOM)), b""]:
        name, _, value = line.partition(b":")
        if name == b"data":
            values.append(value.removeprefix(b" "))
        if not line and values:
            events.append(b"\n".join(values))
            values = []
    return events


# Vectors of the web platform tests (eventsource), as far as they are about data.
@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (BOM + b"data:1\n\n" + BOM + b"data:2\n\ndata:3\n\n", [b"1", b"3"]),
        (BOM + BOM + b"data:1\n\ndata:2\n\ndata:3\n\n", [b"2", b"3"]),
        (
            b"data:1\r:\0\n:\r\ndata:2\n:"
            + NOISE
            + b"\rdata:3\n:data:fail\r:"
            + NOISE
            + b"\ndata:4\n\n",
            [b"1\n2\n3\n4"],
        ),
        (b"retry:1000\ndata:test1\n\nid:test\ndata:test2", [b"test1"]),
        (b"data:\n\ndata\ndata\n\ndata:test\n\n", [b"", b"\n", b"test"]),
        (
            ALMOST_DATA,
            [b"\0\n 2\n1\n3\n\n4"],
        ),
        (b"data:test\r\ndata\ndata:test\r\n\r\n", [b"test\n\ntest"]),
        (
            b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:comment\ndata:test\n\n",
            [b"test\n\ntest"],
        ),
        (b"data:\ttest\rdata: \ndata:test\n\n", [b"\ttest\n\ntest"]),
        (b"event:\ndata:x\n\nevent:test\ndata:x\n\n", [b"x", b"x"]),
        (b"retry:03000\ndata:x\n\nretry:1000x\ndata:x\n\n", [b"x", b"x"]),
        (b"id\nid:\0\ndata: caf\xe9 \xff\n\n", [b"caf\xe9 \xff"]),
    ],
)
def test_the_data_of_an_event_is_what_the_standard_says(
    stream: bytes, expected: list[bytes]
) -> None:
    assert data_of(stream) == expected


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_plain_events_are_cut_with_their_blank_line(eol: bytes) -> None:
    events = [b'data: {"n":%d}' % n + eol + eol for n in range(3)]

    assert decode([b"".join(events)]) == (
        [Frame(event, b'{"n":%d}' % n) for n, event in enumerate(events)],
        None,
    )


def test_the_last_event_of_a_stream_with_bare_crs_waits_for_the_next_byte() -> None:
    decoder = SSEDecoder()

    assert decoder.feed(b"data: 1\r\rdata: 2\r\r") == [Frame(b"data: 1\r\r", b"1")]
    assert decoder.feed(b"data") == [Frame(b"data: 2\r\r", b"2")]


def test_an_lf_that_comes_late_still_belongs_to_its_cr() -> None:
    decoder = SSEDecoder()

    assert decoder.feed(b"data: 1\r\n\r") == []
    assert decoder.feed(b"\n") == [Frame(b"data: 1\r\n\r\n", b"1")]
    assert decoder.close() is None


def test_line_ends_may_change_from_event_to_event() -> None:
    raws = [b"data: 1\r\n\r\n", b"data: 2\n\n", b"data: 3\r\r", b"data: 4\n\r\n", b"data: 5\r\r\n"]

    frames, rest = decode([b"".join(raws)])

    assert [frame.raw for frame in frames] == raws
    assert [frame.data for frame in frames] == [b"1", b"2", b"3", b"4", b"5"]
    assert rest is None


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_a_line_end_inside_of_an_event_is_seen_after_plain_events(eol: bytes) -> None:
    events = [
        event + eol + eol
        for event in (b"data: 1", b"data: 2\ndata: 3", b"data: 4\rdata: 5", b"data: 6\r\n:")
    ]

    assert decode([b"".join(events)])[0] == [
        Frame(events[0], b"1"),
        Frame(events[1], b"2\n3"),
        Frame(events[2], b"4\n5"),
        Frame(events[3], b"6"),
    ]


def test_blank_lines_and_comments_are_frames_without_data() -> None:
    stream = b"\r\n: ping\r\n\r\n\r\ndata: 1\r\n\r\n\r\n"

    assert decode([stream]) == (
        [
            Frame(b"\r\n", None),
            Frame(b": ping\r\n\r\n", None),
            Frame(b"\r\n", None),
            Frame(b"data: 1\r\n\r\n", b"1"),
            Frame(b"\r\n", None),
        ],
        None,
    )


def test_a_comment_without_a_blank_line_belongs_to_the_event_behind_it() -> None:
    assert decode([b": ping\ndata: 1\n\n"])[0] == [Frame(b": ping\ndata: 1\n\n", b"1")]


def test_the_bom_stays_in_the_raw_bytes() -> None:
    assert decode([BOM + b"\ndata: 1\n\n"])[0] == [
        Frame(BOM + b"\n", None),
        Frame(b"data: 1\n\n", b"1"),
    ]
    assert decode([BOM, b"data: 1"])[1] == Frame(BOM + b"data: 1\r\n\r\n", b"1")


@pytest.mark.parametrize("text", [ERROR, b"[" + ERROR + b"\n]", ERROR.replace(b"\n", b"\r\n")])
def test_an_unframed_error_with_a_blank_line_is_a_frame(text: bytes) -> None:
    event = b"data: 1\r\n\r\n"

    assert decode([event + text + b"\n\n"]) == (
        [Frame(event, b"1"), Frame(text + b"\n\n", text)],
        None,
    )


@pytest.mark.parametrize("text", [ERROR, b"[" + ERROR + b"\n]"])
def test_an_unframed_error_that_ends_the_body_is_the_rest(text: bytes) -> None:
    assert decode([text + b"\n"]) == ([], Frame(text + b"\n\n", text))
    assert decode([b"data: 1\r\n\r\n" + text])[1] == Frame(text + b"\r\n\r\n", text)


def test_an_unframed_error_that_was_cut_comes_as_far_as_it_goes() -> None:
    assert decode([b"data: 1\n\n" + ERROR[:20]])[1] == Frame(ERROR[:20] + b"\n\n", ERROR[:20])


@pytest.mark.parametrize(
    ("before", "rest", "missing"),
    [
        (b"", b"data: 1", b"\r\n\r\n"),
        (b"", b"data: 1\r", b"\n\r\n"),
        (b"", b"data: 1\r\n", b"\r\n"),
        (b"", b"data: 1\r\n\r", b"\n"),
        (b"", b"data: 1\n", b"\n"),
        (b"", b"event: e\ndata: 1", b"\n\n"),
        (b"", b"event: e\rdata: 1", b"\r\r"),
        (b"", b"event: e\rdata: 1\r", b"\r"),
        (b"data: 0\r\n\r\n", b"data: 1", b"\r\n\r\n"),
        (b"data: 0\r\n\r\n", b"data: 1\r", b"\n\r\n"),
        (b"data: 0\r\n\r\n", b"data: 1\n", b"\r\n"),
        (b"data: 0\r\n\r\n", b"data: 1\r\n\r", b"\n"),
        (b"data: 0\n\n", b"data: 1", b"\n\n"),
        (b"data: 0\n\n", b"data: 1\n", b"\n"),
        (b"data: 0\n\n", b"data: 1\r", b"\n\n"),
        (b"data: 0\r\r", b"data: 1", b"\r\r"),
        (b"data: 0\r\r", b"data: 1\r", b"\r"),
        (b"data: 0\r\r", b"data: 1\r\r", b""),
        (b"\n", b"data: 1", b"\n\n"),
    ],
)
def test_a_last_event_is_completed_in_the_line_ends_of_its_stream(
    before: bytes, rest: bytes, missing: bytes
) -> None:
    frames, last = decode([before + rest])

    assert b"".join(frame.raw for frame in frames) == before
    assert last == Frame(rest + missing, b"1")


@pytest.mark.parametrize(
    ("rest", "data"),
    [
        (b'data: {"candi', b'{"candi'),
        (b"data:", b""),
        (b"data", b""),
        (b"data: \xe2\x82", b"\xe2\x82"),
        (b'data: {"a":1}\r\ndat', b'{"a":1}'),
    ],
)
def test_half_an_event_is_left_to_the_caller_to_judge(rest: bytes, data: bytes) -> None:
    assert decode([b"data: 0\r\n\r\n", rest])[1] == Frame(rest + b"\r\n\r\n", data)


@pytest.mark.parametrize("rest", [b"\r", b" ", b": ping", b": ping\n", b"event: e\n", b"da", BOM])
def test_a_rest_without_data_comes_as_it_is(rest: bytes) -> None:
    assert decode([rest]) == ([], Frame(rest, None))


def test_an_empty_body_and_a_closed_decoder_have_nothing_left() -> None:
    decoder = SSEDecoder()

    assert decoder.close() is None
    assert decoder.feed(b"") == []
    decoder.feed(b"data: 1")
    assert decoder.close() is not None
    assert decoder.close() is None


@pytest.mark.parametrize("chunk", [b"data: 12345", b"data: 1\n\ndata: 12345"])
def test_an_unfinished_frame_beyond_the_cap_is_refused(chunk: bytes) -> None:
    with pytest.raises(FrameTooLarge, match="10 bytes"):
        SSEDecoder(max_frame=10).feed(chunk)


def test_the_cap_counts_over_chunks_and_anew_for_each_frame() -> None:
    decoder = SSEDecoder(max_frame=10)

    for _ in range(3):
        assert decoder.feed(b"data: 1234") == []
        assert decoder.feed(b"\n\n") == [Frame(b"data: 1234\n\n", b"1234")]
    decoder.feed(b"data: 1234")
    with pytest.raises(FrameTooLarge):
        decoder.feed(b"5")


@pytest.mark.parametrize("eol", [b"\r\n", b"\n", b"\r"])
def test_a_long_event_in_many_chunks_is_one_frame(eol: bytes) -> None:
    event = b"data: " + b"QUJD" * (5 << 20) + eol + eol

    frames, rest = decode(chunked(event + b"data: 1" + eol + eol + b":", [65536]))

    assert [frame.raw for frame in frames] == [event, b"data: 1" + eol + eol]
    assert rest == Frame(b":", None)


@settings(deadline=None)
@given(streams, chunk_sizes)
@example(b"data: 1\r\n\r\ndata: 2\r\r\n\r\ndata: 3\r\n\r\n", [1])
@example(b"\r\rdata: 1\r\r\r\n\n", [1])
@example(BOM + b"\r\n\r\n" + BOM + b"\r\n", [1])
def test_chunking_changes_nothing(stream: bytes, sizes: list[int]) -> None:
    assert decode(chunked(stream, sizes)) == decode([stream])


@settings(deadline=None)
@given(streams, chunk_sizes)
def test_the_raw_bytes_joined_are_the_stream(stream: bytes, sizes: list[int]) -> None:
    frames, rest = decode(chunked(stream, sizes))

    joined = b"".join(frame.raw for frame in [*frames, *([rest] if rest else [])])
    assert joined.startswith(stream)
    assert not joined[len(stream) :].strip(b"\r\n")


@settings(deadline=None)
@given(streams)
def test_events_are_those_of_the_standard(stream: bytes) -> None:
    frames, rest = decode([stream])

    whole = [*frames, *([rest] if rest else [])]
    found = [bytes(frame.data) for frame in whole if frame.data is not None]
    framed = [data for data in found if not data.startswith((b"{", b"["))]
    expected = [data for data in by_the_book(stream) if not data.startswith((b"{", b"["))]
    assert framed == expected


@settings(deadline=None)
@given(streams)
def test_a_completed_rest_is_an_event_to_the_next_reader(stream: bytes) -> None:
    frames, rest = decode([stream])
    if rest is None or rest.data is None:
        return

    again, nothing = decode([*(frame.raw for frame in frames), rest.raw, b"data: next\n\n"])

    assert again == [*frames, rest, Frame(b"data: next\n\n", b"next")]
    assert nothing is None


@given(st.binary(max_size=200), chunk_sizes)
def test_arbitrary_bytes_all_come_out_again(stream: bytes, sizes: list[int]) -> None:
    frames, rest = decode(chunked(stream, sizes))

    assert b"".join(frame.raw for frame in [*frames, *([rest] if rest else [])]).startswith(stream)


def test_an_event_is_one_data_line_and_a_blank_one() -> None:
    assert event(b'{"a":1}', b"\r\n") == b'data: {"a":1}\r\n\r\n'


@pytest.mark.parametrize("eol", [b"\r\n", b"\n", b"\r"])
def test_an_event_can_have_the_line_end_of_another(eol: bytes) -> None:
    found = line_end(b"data: 1" + eol + eol)

    assert found == eol
    assert decode([event(b"2", found), b":"])[0] == [Frame(b"data: 2" + eol + eol, b"2")]


@pytest.mark.parametrize("raw", [b"", b"data: 1"])
def test_bytes_without_a_line_end_have_none(raw: bytes) -> None:
    assert line_end(raw) == b""


def test_the_data_of_a_large_frame_is_a_view_of_it_and_reads_the_same() -> None:
    large = b'{"a":"' + b"x" * (1 << 19) + b'"}'
    stream = b"".join(b"data: " + data + b"\r\n\r\n" for data in (b"{}", large, b"{}"))

    frames, rest = decode(chunked(stream, [70_000]))

    assert rest is None
    assert b"".join(frame.raw for frame in frames) == stream
    assert [type(frame.data) for frame in frames] == [bytes, memoryview, bytes]
    assert [bytes(frame.data or b"") for frame in frames] == [b"{}", large, b"{}"]
