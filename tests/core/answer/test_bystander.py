"""The cost of an answer that passes by."""

import gzip
import itertools
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.bystander import Bystander
from gemproxy.core.answer.usage import Billed

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
COST = Billed(10, 5, 0, 15)


def event(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def chunk(text: str, **more: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}}], **more})


WHOLE = chunk("Hello, ") + chunk("world.") + chunk("", usage=USAGE) + b"data: [DONE]\n\n"


def watched(
    *pieces: bytes, events: bool = True, readable: bool = True, packed: bool = False
) -> Bystander:
    bystander = Bystander(events, readable, packed)
    for piece in pieces:
        bystander.take(piece)
    bystander.close()
    return bystander


@given(st.lists(st.integers(0, len(WHOLE)), max_size=9))
def test_the_last_usage_of_a_stream_counts_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(WHOLE)]
    seen = watched(*(WHOLE[a:b] for a, b in itertools.pairwise(edges)))

    assert (seen.usage, seen.size) == (COST, len(WHOLE))


def test_a_stream_that_tells_no_usage_is_counted_by_its_characters() -> None:
    seen = watched(chunk("Hello, "), chunk("world. "), b"data: [DONE]\n\n", b": a comment\n")

    assert (seen.usage, seen.output) == (None, 4)


def test_a_last_event_without_its_end_counts() -> None:
    assert watched(event({"usage": USAGE}).rstrip()).usage == COST


def test_a_document_tells_its_cost_when_it_is_whole() -> None:
    document = json.dumps({"choices": [], "usage": USAGE}).encode()

    assert watched(document[:9], document[9:], events=False).usage == COST


@pytest.mark.parametrize("size", [10, 9 << 20])
def test_the_end_of_a_document_that_is_too_large_is_enough(size: int) -> None:
    begun = b'[{"candidates":[{"content":{"parts":[{"text":"' + b"x" * size
    end = b'"}]}}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5}},{"cand'

    assert watched(begun, end, events=False).usage == COST


def test_a_document_without_usage_is_counted_by_its_texts() -> None:
    document = json.dumps({"id": "long" * 99, "steps": [{"content": [{"text": "word " * 8}]}]})
    seen = watched(document.encode(), events=False)

    assert (seen.usage, seen.output) == (None, 10)


def test_a_compressed_answer_is_counted_by_its_bytes() -> None:
    seen = watched(b"\x1f\x8b" + b"x" * 38, events=False, readable=False)

    assert (seen.usage, seen.output, seen.size) == (None, 10, 40)


@given(st.booleans(), st.booleans(), st.lists(st.integers(0, 300)))
def test_a_packed_answer_tells_its_cost_however_it_is_cut(
    deflate: bool, events: bool, cuts: list[int]
) -> None:
    plain = WHOLE if events else json.dumps({"usage": USAGE}).encode()
    body = zlib.compress(plain) if deflate else gzip.compress(plain)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]

    assert watched(*pieces, events=events, packed=True).usage == COST


def test_a_packed_answer_may_have_several_members() -> None:
    middle = len(WHOLE) // 2
    body = gzip.compress(WHOLE[:middle]) + gzip.compress(WHOLE[middle:]) + b"\0\0"

    assert watched(body, packed=True).usage == COST


def test_an_answer_that_unpacks_to_too_much_is_counted_by_its_bytes() -> None:
    body = gzip.compress(b"x" * (65 << 20))
    seen = watched(body, packed=True)

    assert (seen.usage, seen.readable, seen.output > 0) == (None, False, True)


def test_nothing_is_said_in_an_empty_answer() -> None:
    seen = watched(events=False)

    assert (seen.usage, seen.output, seen.size) == (None, 0, 0)


@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans(), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], events: bool, packed: bool) -> None:
    seen = watched(*pieces, b'data: {"usage": {', events=events, packed=packed)

    assert seen.output >= 0


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    seen = watched(b"data: {" + b"x" * (2 << 20), b"\n", WHOLE)

    assert seen.usage == COST
