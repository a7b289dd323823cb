"""The elements of a JSON array: cut at their own braces, every byte kept, any chunking."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemproxy.core.wire.frame import Frame, FrameTooLarge
from gemproxy.core.wire.jsonarray import JSONArrayDecoder

FIRST = b'{\n  "text": "a"\n}'
SECOND = b'{\n  "text": "b"\n}'

FRAGMENTS = [
    *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b'\\"', b"\\\\", b" ", b"\n", b"\r\n"),
    *(b"x", b"null", b"<p>", "é".encode(), b"\xff", b'"key"', b'"' + b"x" * 70 + b'"'),
    *(FIRST, SECOND, b"{}", b"\n,\r\n", b'{"a": [{"b": "}"}]}'),
]
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=30).map(b"".join)
chunk_sizes = st.lists(st.integers(1, 12), min_size=1, max_size=10)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=90),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
elements = st.lists(st.dictionaries(st.text(max_size=5), values, max_size=4), max_size=5)


def chunked(stream: bytes, sizes: list[int]) -> Iterable[bytes]:
    """Cut ``stream`` into chunks of these sizes, over and over."""
    start = 0
    while start < len(stream):
        for size in sizes:
            yield stream[start : start + size]
            start += size


def decode(chunks: Iterable[bytes]) -> tuple[list[Frame], Frame | None]:
    """Return the frames of a whole body, and what its end left over."""
    decoder = JSONArrayDecoder()
    frames = [frame for chunk in chunks for frame in decoder.feed(chunk)]
    return frames, decoder.close()


def test_elements_come_with_what_stands_before_them_and_the_bracket_comes_last() -> None:
    stream = b"[" + FIRST + b"\n,\r\n" + SECOND + b"\n]\n"

    assert decode([stream]) == (
        [Frame(b"[" + FIRST, FIRST), Frame(b"\n,\r\n" + SECOND, SECOND)],
        Frame(b"\n]\n", None),
    )


def test_an_element_is_a_frame_as_soon_as_its_last_brace_came() -> None:
    decoder = JSONArrayDecoder()

    assert decoder.feed(b"[" + FIRST[:-1]) == []
    assert decoder.feed(b"}") == [Frame(b"[" + FIRST, FIRST)]
    assert decoder.close() is None


@pytest.mark.parametrize(
    "element",
    [
        b"{}",
        b'{"text": "}{]["}',
        b'{"text": "\\"}"}',
        b'{"text": "\\\\"}',
        b'{"text": "\\\\\\"}\\\\"}',
        b'{"a": {"b": [{"c": {}}, {}]}}',
        b'{"text": "' + b"}" * 70 + b'"}',
        b'{"text": "' + b"x" * 64 + b'"}',
        b'{"text": "' + b"x" * 65 + b'"}',
        b"{" + b'"a": "b", ' * 100 + b'"c": 1}',
        '{"text": "grüße } 漢字 🎈"}'.encode(),
        b'{"not json" }',
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
def test_only_a_brace_outside_of_strings_ends_an_element(element: bytes, size: int) -> None:
    stream = b"[" + element + b"," + element + b"]"

    assert decode(chunked(stream, [size])) == (
        [Frame(b"[" + element, element), Frame(b"," + element, element)],
        Frame(b"]", None),
    )


def test_a_bare_object_is_one_frame() -> None:
    error = b'{\n  "error": {\n    "code": 400\n  }\n}'

    assert decode([error]) == ([Frame(error, error)], None)
    assert decode([error + b"\n"]) == ([Frame(error, error)], Frame(b"\n", None))


@pytest.mark.parametrize("stream", [b"[]", b"[\n]\n", b"[", b" \n", b"]", b"[] {}", b"[]<html>"])
def test_a_body_without_elements_is_a_rest_without_data(stream: bytes) -> None:
    assert decode([stream]) == ([], Frame(stream, None))


def test_nothing_behind_the_closing_bracket_is_a_frame() -> None:
    assert decode([b"[{}", b"\n]", b"\n{}"]) == (
        [Frame(b"[{}", b"{}")],
        Frame(b"\n]\n{}", None),
    )


def test_a_comma_that_was_the_last_byte_is_a_rest_without_data() -> None:
    assert decode([b"[{}\n,\r\n"])[1] == Frame(b"\n,\r\n", None)


@pytest.mark.parametrize(
    "half", [b"{", b'{"te', b'{"text": "a\\', b'{"text": "\xe2\x82', b'{"a": {}']
)
def test_half_an_element_is_its_own_data(half: bytes) -> None:
    assert decode([b"[{}\n,\r\n" + half])[1] == Frame(b"\n,\r\n" + half, half)


@pytest.mark.parametrize(
    ("stream", "garbage"),
    [
        (b"<html>{}</html>", b"<html>{}</html>"),
        (b"\n upstream error", b"upstream error"),
        (b"[null, {}]", b"null, {}]"),
        (b'"text"', b'"text"'),
        (b"}", b"}"),
    ],
)
def test_garbage_ends_the_elements_and_is_its_own_data(stream: bytes, garbage: bytes) -> None:
    assert decode([stream]) == ([], Frame(stream, garbage))
    assert decode([b"[{}\n" + stream]) == ([Frame(b"[{}", b"{}")], Frame(b"\n" + stream, garbage))


def test_an_empty_body_and_a_closed_decoder_have_nothing_left() -> None:
    decoder = JSONArrayDecoder()

    assert decoder.close() is None
    assert decoder.feed(b"") == []
    decoder.feed(b"[{")
    assert decoder.close() is not None
    assert decoder.close() is None


@pytest.mark.parametrize("chunk", [b'[{"a": "b"', b"           ", b"garbage....", b"]          "])
def test_what_is_no_frame_within_the_cap_is_refused(chunk: bytes) -> None:
    with pytest.raises(FrameTooLarge, match="9 bytes"):
        JSONArrayDecoder(max_frame=9).feed(chunk)


def test_the_cap_counts_over_chunks_and_anew_for_each_element() -> None:
    decoder = JSONArrayDecoder(max_frame=9)

    for _ in range(3):
        assert decoder.feed(b',{"a": "b') == []
        assert decoder.feed(b'"}') == [Frame(b',{"a": "b"}', b'{"a": "b"}')]
    decoder.feed(b',{"a": "b')
    with pytest.raises(FrameTooLarge):
        decoder.feed(b"c")


def test_a_long_string_in_many_chunks_is_one_element() -> None:
    element = b'{"data": "' + b"QUJD" * (5 << 20) + b'"}'

    assert decode(chunked(b"[" + element + b"\n]", [65536])) == (
        [Frame(b"[" + element, element)],
        Frame(b"\n]", None),
    )


@settings(deadline=None)
@given(streams, chunk_sizes)
@example(b'[{"a": "\\\\\\""}]', [1])
@example(b'[{"a": "' + b"x" * 70 + b'\\"}"}]', [9])
def test_chunking_changes_nothing(stream: bytes, sizes: list[int]) -> None:
    assert decode(chunked(stream, sizes)) == decode([stream])


@settings(deadline=None)
@given(streams, chunk_sizes)
def test_the_raw_bytes_joined_are_the_stream(stream: bytes, sizes: list[int]) -> None:
    frames, rest = decode(chunked(stream, sizes))

    assert b"".join(frame.raw for frame in [*frames, *([rest] if rest else [])]) == stream


@settings(deadline=None)
@given(elements, chunk_sizes, st.sampled_from([None, 2]))
def test_each_object_of_an_array_is_one_frame(
    objects: list[dict[str, object]], sizes: list[int], indent: int | None
) -> None:
    text = json.dumps(objects, indent=indent, ensure_ascii=False)

    frames, rest = decode(chunked(text.encode(), sizes))

    assert [json.loads(bytes(frame.data or b"")) for frame in frames] == objects
    assert rest is not None
    assert rest.data is None


@given(st.binary(max_size=200), chunk_sizes)
def test_arbitrary_bytes_all_come_out_again(stream: bytes, sizes: list[int]) -> None:
    frames, rest = decode(chunked(stream, sizes))

    assert b"".join(frame.raw for frame in [*frames, *([rest] if rest else [])]) == stream


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_byte_order_mark_belongs_to_the_first_element(size: int) -> None:
    stream = b"\xef\xbb\xbf[" + FIRST + b"]"

    assert decode(chunked(stream, [size])) == (
        [Frame(stream[:-1], FIRST)],
        Frame(b"]", None),
    )


def test_what_is_neither_an_element_nor_a_separator_can_be_given_to_another_decoder() -> None:
    decoder = JSONArrayDecoder()

    assert decoder.feed(FIRST + b"\r\n\r\ndata: x") == [Frame(FIRST, FIRST)]
    assert decoder.stray == b"d"
    assert decoder.leave() == b"data: x"
    assert decoder.close() is None


@pytest.mark.parametrize("stream", [b"", b"[", b"[" + FIRST, b"[" + FIRST + b"] x", FIRST[:-1]])
def test_nothing_strays_in_an_array(stream: bytes) -> None:
    decoder = JSONArrayDecoder()
    decoder.feed(stream)

    assert decoder.stray == b""
