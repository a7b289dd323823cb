"""Places in texts, and streams cut at them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.probe.cutting import Cut, Place, inside_fence, prefix_of
from gemproxy.probe.said import Said, listen
from tests.gemini import Json, chunk, sse

CODE = (
    "One line.\n```python\ndef f(x):\n    return x\n```\nAnd prose\n    indented by chance, long."
)


def said_by(*responses: Json, eol: str = "\r\n") -> Said:
    return listen(sse(*responses, eol=eol))


@pytest.mark.parametrize(
    ("place", "text", "before"),
    [
        (Place.BEFORE_SPACE, "The lamp is on.", "The"),
        (Place.AFTER_SPACE, "The lamp is on.", "The "),
        (Place.MID_WORD, "The lighthouse is on.", "The ligh"),
        (Place.CODE_LINE, CODE, "One line.\n```python\ndef f(x):"),
        (Place.CHINESE, "ok, 山里的邮差", "ok, 山"),
    ],
)
def test_a_place_is_the_first_boundary_of_its_kind(place: Place, text: str, before: str) -> None:
    at = Cut(place, least=1, ahead=1).find(text)

    assert at is not None
    assert text[:at] == before


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place.BEFORE_SPACE, "One. Two. Three."),
        (Place.MID_WORD, "No word is long"),
        (Place.CODE_LINE, "def f(x):\n    return x"),
        (Place.CHINESE, "山，里，的"),
    ],
)
def test_a_text_may_have_no_such_place(place: Place, text: str) -> None:
    assert Cut(place, least=0, ahead=0).find(text) is None


def test_a_place_comes_behind_the_least_number_of_characters() -> None:
    assert Cut(Place.BEFORE_SPACE, least=5, ahead=1).find("one two three four") == 7


def test_a_place_counts_once_enough_is_known_behind_it() -> None:
    cut, text = Cut(Place.BEFORE_SPACE, least=3, ahead=8), "one two three four"

    found = [cut.find(text[:length]) for length in range(len(text) + 1)]

    assert found == [None] * 11 + [3] * 8


def test_a_fence_is_open_until_it_is_closed() -> None:
    assert [inside_fence(CODE[:end]) for end in (5, 25, 50, 60)] == [False, True, False, False]


TEXTS = st.lists(st.text(max_size=6), min_size=1)


@given(texts=TEXTS, share=st.floats(0, 1), eol=st.sampled_from(["\r\n", "\n"]))
def test_a_prefix_shows_the_text_up_to_the_cut_and_no_more(
    texts: list[str], share: float, eol: str
) -> None:
    said = said_by(*(chunk(text, usage=(3, 4)) for text in texts), eol=eol)
    at = round(len(said.text) * share)

    prefix = prefix_of(said, at)

    assert listen(prefix).text == said.text[:at]
    assert prefix.endswith((eol * 2).encode()) or not prefix


def test_frames_before_the_cut_are_the_bytes_that_came() -> None:
    stream = sse(chunk("one "), chunk("two "), chunk("three"))

    assert prefix_of(listen(stream), 8) == sse(chunk("one "), chunk("two "))


def test_a_shortened_frame_says_nothing_about_the_whole() -> None:
    parts: list[Json] = [
        {"text": "hm", "thought": True},
        {"text": "one "},
        {"text": "two"},
        {"text": "!"},
    ]
    whole = chunk(parts=parts, finish="STOP", token="t", usage=(3, 4))

    frame = prefix_of(said_by(whole), 6).removeprefix(b"data: ")
    document = json.loads(frame)

    assert document["candidates"] == [
        {"index": 0, "content": {"role": "model", "parts": [*parts[:2], {"text": "tw"}]}}
    ]
    assert document["responseId"] == whole["responseId"]
    assert document["usageMetadata"] == whole["usageMetadata"]
