"""Places of sources: bytes of Gemini's text to characters of the content."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.openai.citations import Content, annotations

Json = dict[str, Any]


def chunk(url: str) -> Json:
    return {"web": {"uri": url, "title": url[8:]}}


def spans(told: list[Json]) -> list[tuple[str, int, int]]:
    cited = [one["url_citation"] for one in told]
    return [(one["url"], one["start_index"], one["end_index"]) for one in cited]


@given(st.text(), st.data())
def test_bytes_become_characters(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    segment = {"startIndex": len(text[:start].encode()), "endIndex": len(text[:end].encode())}
    assert Content(text).place(segment) == (start, end)


def test_inserted_text_moves_the_places_behind_it() -> None:
    content = Content("abcd", [(2, "XYZ")])
    assert content.place({"startIndex": 0, "endIndex": 2}) == (0, 2)
    assert content.place({"startIndex": 2, "endIndex": 4}) == (5, 7)
    assert content.place({"startIndex": 1, "endIndex": 3}) == (1, 6)
    assert content.whole == (0, 7)


def test_the_text_of_a_segment_settles_where_it_is() -> None:
    content = Content("one. two. three.")
    assert content.place({"startIndex": 0, "endIndex": 4, "text": "two."}) == (5, 9)
    assert content.place({"startIndex": 0, "endIndex": 4, "text": "none"}) == (0, 4)


@pytest.mark.parametrize("segment", [{}, {"startIndex": "x", "endIndex": -3}, {"startIndex": 99}])
def test_any_segment_is_within_the_content(segment: Json) -> None:
    start, end = Content("abc").place(segment)
    assert 0 <= start <= end <= 3


def test_each_source_of_a_segment_is_told_and_others_stand_for_the_whole() -> None:
    grounding = {
        "groundingChunks": [chunk("https://a"), chunk("https://b"), {"maps": {"uri": "https://m"}}],
        "groundingSupports": [
            {"segment": {"endIndex": 2}, "groundingChunkIndices": [0, 1, 7, "x"]},
            {"segment": {"startIndex": 2, "endIndex": 4}, "groundingChunkIndices": [0]},
        ],
    }
    assert spans(annotations(Content("abcd"), grounding, [])) == [
        ("https://a", 0, 2),
        ("https://b", 0, 2),
        ("https://a", 2, 4),
        ("https://m", 0, 4),
    ]


def test_citations_are_sources_too() -> None:
    cited: list[Json] = [{"startIndex": 1, "endIndex": 3, "uri": "https://c"}, {"endIndex": 1}]
    assert spans(annotations(Content("abcd"), {}, cited)) == [("https://c", 1, 3)]


@pytest.mark.parametrize(
    "grounding",
    [
        {"groundingChunks": None, "groundingSupports": 3},
        {"groundingChunks": [{}, "x", {"web": 1}], "groundingSupports": [{}, None]},
        {"searchEntryPoint": {"renderedContent": "<p>"}},
    ],
)
def test_metadata_without_a_source_gives_no_annotation(grounding: Json) -> None:
    assert annotations(Content("abcd"), grounding, []) == []
