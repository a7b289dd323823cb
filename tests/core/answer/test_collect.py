"""A stream told as one response: nothing is lost, and what is signed stays apart."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.collect import Collector, joined_parts
from tests.gemini import Json, chunk
from tests.wire import text_of_documents

TEXT = st.text(max_size=8)
SIGNATURE = st.sampled_from(["c2ln", "bmF0dXJl"])


def said(text: str, thought: bool, signature: str | None) -> Json:
    part: Json = {"text": text}
    if thought:
        part["thought"] = True
    if signature:
        part["thoughtSignature"] = signature
    return part


TEXTS = st.builds(said, TEXT, st.booleans(), st.none() | SIGNATURE)
OTHERS = st.sampled_from(
    [
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"executableCode": {"code": "1 + 1", "language": "PYTHON"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
        {"thoughtSignature": "c2ln"},
    ]
)
PARTS = st.lists(TEXTS | OTHERS, max_size=4)
STREAMS = st.lists(PARTS, min_size=1, max_size=8)


def collected(*responses: Json) -> Json:
    """Return the one response; what was added is copied first, as the collector keeps it."""
    collector = Collector()
    for response in json.loads(json.dumps(responses)):
        collector.add(response)
    return collector.response()


def parts_of(*responses: Json) -> list[Json]:
    return [
        part
        for response in responses
        for candidate in response["candidates"]
        for part in candidate.get("content", {}).get("parts", [])
    ]


def is_signed(part: Json) -> bool:
    return "thoughtSignature" in part


@given(STREAMS, st.booleans())
def test_the_text_is_the_text_of_the_stream(stream: list[list[Json]], thought: bool) -> None:
    responses = [chunk(parts=parts) for parts in stream]

    whole = collected(*responses)

    told = text_of_documents([whole], thought=thought)
    assert told == text_of_documents(responses, thought=thought)


@given(STREAMS)
def test_parts_that_are_signed_or_no_text_keep_their_order_and_their_place(
    stream: list[list[Json]],
) -> None:
    responses = [chunk(parts=parts) for parts in stream]

    def kept(parts: list[Json]) -> list[Any]:
        """Tell each such part with the text that comes before it."""
        before, seen = "", []
        for part in parts:
            if is_signed(part) or "text" not in part:
                seen.append((before, part))
                before = ""
            else:
                before += part["text"]
        return seen

    assert kept(parts_of(collected(*responses))) == kept(parts_of(*responses))


@given(STREAMS)
def test_neighbours_of_one_kind_are_one_part_and_none_is_empty(stream: list[list[Json]]) -> None:
    whole = parts_of(collected(*(chunk(parts=parts) for parts in stream)))

    kinds = [
        (is_signed(part), part.get("thought", False)) if "text" in part else None for part in whole
    ]
    for one, other in itertools.pairwise(kinds):
        assert one is None or other is None or one != other or one[0]
    assert all(part["text"] or is_signed(part) for part in whole if "text" in part)


@given(STREAMS, st.data())
def test_how_the_parts_are_spread_over_the_stream_makes_no_difference(
    stream: list[list[Json]], data: st.DataObject
) -> None:
    parts = [part for parts in stream for part in parts]
    at = data.draw(st.integers(0, len(parts)))

    halves = collected(chunk(parts=parts[:at]), chunk(parts=parts[at:]))

    assert parts_of(halves) == parts_of(collected(chunk(parts=parts)))


@given(st.lists(TEXTS | OTHERS, max_size=8))
def test_joining_what_is_joined_changes_nothing(parts: list[Json]) -> None:
    once = joined_parts(parts)

    assert joined_parts(once) == once


def test_one_response_is_left_as_it_is() -> None:
    response = chunk("Hello", finish="STOP", usage=(3, 2))

    assert collected(response) == response


def test_a_signed_part_is_joined_with_nothing() -> None:
    signed = {"text": "b", "thoughtSignature": "c2ln"}
    responses = [chunk("a"), chunk(parts=[signed]), chunk("c"), chunk("d")]

    assert parts_of(collected(*responses)) == [{"text": "a"}, signed, {"text": "cd"}]


def test_two_signed_parts_stay_two() -> None:
    signed = {"text": "b", "thoughtSignature": "c2ln"}

    assert joined_parts([signed, signed]) == [signed, signed]


def test_an_empty_signed_text_is_kept() -> None:
    last = {"text": "", "thoughtSignature": "c2ln"}

    assert parts_of(collected(chunk("a"), chunk(parts=[last]))) == [{"text": "a"}, last]


def test_thoughts_and_text_are_not_joined() -> None:
    thoughts = [{"text": "Hm", "thought": True}, {"text": "m.", "thought": True}]

    whole = collected(chunk(parts=thoughts[:1]), chunk(parts=[*thoughts[1:], {"text": "So"}]))

    assert parts_of(whole) == [{"text": "Hmm.", "thought": True}, {"text": "So"}]


def test_the_halves_of_a_character_that_two_frames_split_are_one() -> None:
    responses = [json.loads('{"text": "a\\ud83d"}'), json.loads('{"text": "\\ude00b"}')]

    assert joined_parts(responses) == [{"text": "a😀b"}]


def test_an_answer_without_parts_says_so_as_the_unary_method_does() -> None:
    whole = collected(chunk(parts=[]), chunk("", finish="STOP"))

    (candidate,) = whole["candidates"]
    assert candidate["content"] == {"role": "model"}
    assert candidate["finishReason"] == "STOP"


def test_totals_and_reasons_are_the_last_ones() -> None:
    whole = collected(
        chunk("a", usage=(3, 1), finish="STOP"),
        chunk("b", usage=(3, 2), response_id=None),
        chunk("", finish="MAX_TOKENS", usage=(3, 5)),
    )

    assert whole["usageMetadata"]["candidatesTokenCount"] == 5
    assert whole["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert whole["responseId"] == "first"
    assert whole["modelVersion"] == "gemini-test"


def test_a_frame_of_usage_alone_takes_nothing_away() -> None:
    whole = collected(chunk("a", finish="STOP"), {"usageMetadata": {"totalTokenCount": 7}})

    assert parts_of(whole) == [{"text": "a"}]
    assert whole["usageMetadata"] == {"totalTokenCount": 7}


def test_a_blocked_prompt_has_no_candidates() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"}

    assert collected(blocked) == blocked


def test_candidates_are_told_apart_and_in_order() -> None:
    def candidate(index: int, text: str) -> Json:
        content = {"parts": [{"text": text}], "role": "model"}
        return {"candidates": [{"index": index, "content": content}]}

    whole = collected(candidate(1, "x"), candidate(0, "a"), candidate(1, "y"), candidate(0, "b"))

    assert [c["content"]["parts"] for c in whole["candidates"]] == [
        [{"text": "ab"}],
        [{"text": "xy"}],
    ]


def test_sources_come_again_and_an_empty_list_of_them_takes_nothing_away() -> None:
    first = {"webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "u"}}]}
    later = {"groundingChunks": [], "groundingSupports": [{"segment": {"endIndex": 1}}]}

    whole = collected(
        with_candidate(groundingMetadata=first), with_candidate(groundingMetadata=later)
    )

    assert whole["candidates"][0]["groundingMetadata"] == {
        **first,
        "groundingSupports": later["groundingSupports"],
    }


@pytest.mark.parametrize(
    ("name", "field"),
    [("citationMetadata", "citationSources"), ("logprobsResult", "chosenCandidates")],
)
def test_what_is_told_piece_by_piece_is_put_together(name: str, field: str) -> None:
    pieces = [with_candidate(**{name: {field: [number]}}) for number in (1, 2)]

    assert collected(*pieces)["candidates"][0][name] == {field: [1, 2]}


@pytest.mark.parametrize(("last", "token"), [("t2", "t2"), (None, None)])
def test_a_token_is_kept_where_the_answer_ends_with_one(
    last: str | None, token: str | None
) -> None:
    whole = collected(chunk("a", token="t1"), chunk("b", token=last, finish="MAX_TOKENS"))

    assert whole["candidates"][0].get("continuationToken") == token


def test_nulls_and_what_is_no_object_say_nothing() -> None:
    whole = collected(
        chunk("a", safetyRatings=None),
        {"candidates": None, "usageMetadata": None},
        {"candidates": ["x", {"content": None, "index": None}]},
        {"candidates": [{"content": {"parts": ["x", None]}}]},
    )

    assert parts_of(whole) == [{"text": "a"}]


def test_unknown_fields_pass() -> None:
    whole = collected(with_candidate(new=1), {"newer": {"a": 2}})

    assert whole["candidates"][0]["new"] == 1
    assert whole["newer"] == {"a": 2}


def with_candidate(**fields: Any) -> Json:
    return {"candidates": [{"index": 0, **fields}]}
