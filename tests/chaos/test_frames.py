"""What the documents of an attempt say, and that they say all of it."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.answers import Answer, Call, Ending, code_result, image
from gemproxy.chaos.frames import (
    Document,
    Envelope,
    Portion,
    all_of,
    call_parts,
    grounding,
    merged,
    offset_of,
    project_of,
    render,
    split,
    token_for,
    tokens,
)
from tests.chaos.client import text_of

STORY = "Once upon a time there was a stream that did not break. " * 4


def rendered(answer: Answer, portion: Portion | None = None) -> list[Document]:
    envelope = Envelope(prompt_tokens=7, response_id="r-1", model="gemini-test")
    return render(answer, portion or all_of(answer), envelope, random.Random(1))


def candidates(documents: list[Document], index: int = 0) -> list[Document]:
    return [c for d in documents for c in d.get("candidates", []) if c["index"] == index]


def parts(documents: list[Document]) -> Iterator[dict[str, Any]]:
    for candidate in candidates(documents):
        yield from candidate["content"].get("parts", [])


def reasons(documents: list[Document]) -> list[str | None]:
    return [candidate.get("finishReason") for candidate in candidates(documents)]


@given(st.text(max_size=300), st.integers(1, 9), st.integers(0, 30), st.integers())
def test_chunks_are_the_text_in_pieces_of_the_size_asked_for(
    text: str, least: int, more: int, seed: int
) -> None:
    chunks = split(text, (least, least + more), random.Random(seed))
    assert "".join(chunks) == text
    assert all(least <= len(chunk) <= least + more for chunk in chunks[:-1])


@given(
    text=st.text(max_size=200),
    thoughts=st.text(max_size=50),
    alone=st.booleans(),
    everywhere=st.booleans(),
)
def test_the_frames_hold_the_text_once_and_in_order(
    *, text: str, thoughts: str, alone: bool, everywhere: bool
) -> None:
    answer = Answer(text, thoughts, ending=Ending(alone=alone, everywhere=everywhere))
    documents = rendered(answer)
    assert text_of(documents) == text
    assert reasons(documents)[-1] == "STOP"


def test_every_frame_has_the_same_ids_and_running_totals() -> None:
    documents = rendered(Answer(STORY, "I think. " * 9))
    assert {d["responseId"] for d in documents} == {"r-1"}
    assert {d["modelVersion"] for d in documents} == {"gemini-test"}
    totals = [d["usageMetadata"]["totalTokenCount"] for d in documents]
    assert totals == sorted(totals)
    usage = documents[-1]["usageMetadata"]
    assert usage["candidatesTokenCount"] == tokens(len(STORY))
    assert usage["thoughtsTokenCount"] == tokens(len("I think. " * 9))
    assert usage["totalTokenCount"] == 7 + tokens(len(STORY)) + tokens(len("I think. " * 9))


def test_thoughts_come_before_the_text() -> None:
    flags = [part.get("thought", False) for part in parts(rendered(Answer(STORY, "Hm, " * 20)))]
    assert flags == sorted(flags, reverse=True)
    assert flags[0]


def test_only_the_last_frame_has_a_finish_reason() -> None:
    *before, last = reasons(rendered(Answer(STORY, ending=Ending("MAX_TOKENS"))))
    assert last == "MAX_TOKENS"
    assert set(before) == {None}


def test_a_stream_may_end_without_a_finish_reason() -> None:
    assert set(reasons(rendered(Answer(STORY, ending=Ending(None))))) == {None}


def test_a_finish_reason_may_come_alone_with_a_message() -> None:
    ending = Ending("MALFORMED_FUNCTION_CALL", message="no such function", alone=True)
    last = rendered(Answer(STORY, ending=ending))[-1]["candidates"][0]
    assert last["content"] == {"role": "model"}
    assert last["finishMessage"] == "no such function"


def test_a_stop_may_stand_on_every_frame() -> None:
    assert set(reasons(rendered(Answer(STORY, ending=Ending(everywhere=True))))) == {"STOP"}


def test_a_stop_may_stand_on_a_frame_in_the_middle() -> None:
    found = reasons(rendered(Answer(STORY, ending=Ending(after=(2,)))))
    assert [i for i, reason in enumerate(found, start=1) if reason] == [2, len(found)]


def test_empty_stops_may_come_first() -> None:
    documents = rendered(Answer(STORY, ending=Ending(empty_first=2)))
    assert reasons(documents)[:3] == ["STOP", "STOP", None]
    assert text_of(documents[:2]) == ""
    assert text_of(documents) == STORY


def test_usage_may_come_after_the_end() -> None:
    last = rendered(Answer(STORY, ending=Ending(usage_after=True)))[-1]
    assert "candidates" not in last
    assert last["usageMetadata"]["candidatesTokenCount"] == tokens(len(STORY))


def test_an_empty_answer_is_one_frame_with_a_stop() -> None:
    documents = rendered(Answer())
    assert reasons(documents) == ["STOP"]
    assert text_of(documents) == ""


def test_thoughts_alone_end_with_a_stop() -> None:
    documents = rendered(Answer(thoughts="Hm."))
    assert all(part["thought"] for part in parts(documents))
    assert reasons(documents)[-1] == "STOP"


def test_a_blocked_prompt_is_one_frame_without_candidates() -> None:
    (document,) = rendered(Answer(STORY, block="SAFETY"))
    assert document["promptFeedback"] == {"blockReason": "SAFETY"}
    assert "candidates" not in document


def test_a_signature_comes_on_an_empty_last_part() -> None:
    assert list(parts(rendered(Answer(STORY, signature="c2ln"))))[-1] == {
        "text": "",
        "thoughtSignature": "c2ln",
    }


def test_other_parts_stand_around_the_text() -> None:
    found = list(
        parts(rendered(Answer(STORY, opening=(code_result("2"),), closing=(image(b"x"),))))
    )
    assert "codeExecutionResult" in found[0]
    assert "inlineData" in found[-1]


def test_a_resumed_telling_leaves_out_what_stands_before_the_text() -> None:
    answer = Answer(STORY, opening=(code_result("2"),), calls=(Call("f"),))
    found = list(parts(rendered(answer, Portion("the rest", len(STORY), resumed=True))))
    assert found[0] == {"text": "the rest"}
    assert found[-1] == {"functionCall": {"name": "f", "args": {}}}


def test_several_candidates_come_by_turns_and_each_ends() -> None:
    documents = rendered(Answer(STORY, others=("another story " * 9,)))
    assert [d["candidates"][0]["index"] for d in documents[:4]] == [0, 1, 0, 1]
    second = candidates(documents, 1)
    assert "".join(c["content"]["parts"][0]["text"] for c in second) == "another story " * 9
    assert second[-1]["finishReason"] == "STOP"


def test_a_checkpoint_says_how_much_was_told_before_it() -> None:
    documents = rendered(Answer(STORY, checkpoint=3))
    told = ""
    for number, candidate in enumerate(candidates(documents), start=1):
        told += candidate["content"]["parts"][0]["text"]
        token = candidate.get("continuationToken")
        assert (token is not None) == (number % 3 == 0)
        assert token is None or offset_of(token) == len(told)


def test_a_checkpoint_of_a_resumed_text_counts_from_the_start_of_the_whole() -> None:
    portion = Portion("an echo and " + STORY[100:], len(STORY), resumed=True)
    documents = rendered(Answer(STORY, checkpoint=1), portion)
    assert offset_of(candidates(documents)[-1]["continuationToken"]) == len(STORY)
    assert all(
        STORY[offset_of(c["continuationToken"]) :].startswith(after["content"]["parts"][0]["text"])
        for c, after in zip(candidates(documents)[3:], candidates(documents)[4:], strict=False)
    )


def test_a_hop_ends_with_a_token_and_without_the_rest() -> None:
    documents = rendered(Answer(STORY, hop=2, calls=(Call("f"),)))
    last = candidates(documents)[-1]
    assert last["finishReason"] == "CONTINUATION"
    assert offset_of(last["continuationToken"]) == len(text_of(documents)) < len(STORY)


def test_the_last_hop_ends_as_the_answer_does() -> None:
    assert reasons(rendered(Answer("short", hop=1)))[-1] == "STOP"


@given(st.integers(0, 10**9))
def test_tokens_are_read_back(offset: int) -> None:
    assert offset_of(token_for(offset)) == offset


@pytest.mark.parametrize(
    "token",
    ["", "chaos checkpoint 3", "Y2hhb3MgY2hlY2twb2ludCA=", "b3RoZXIgMw==", "\N{SNOWMAN}", 5],
)
def test_foreign_tokens_are_told_apart(token: object) -> None:
    assert offset_of(token) is None


def test_grounding_offsets_count_bytes() -> None:
    text = "Ålesund är vackert, ja"
    segment = grounding(("vackert",), text)["groundingSupports"][0]["segment"]
    assert text.encode()[segment["startIndex"] : segment["endIndex"]].decode() == "vackert"


def test_grounding_leaves_out_what_this_attempt_did_not_say() -> None:
    found = grounding(("gone", "here"), "only here")
    assert len(found["groundingChunks"]) == len(found["groundingSupports"]) == 1


def test_the_frame_that_finishes_has_the_grounding() -> None:
    *before, last = candidates(rendered(Answer(STORY, citations=("stream",))))
    assert last["groundingMetadata"]["groundingSupports"]
    assert not any("groundingMetadata" in candidate for candidate in before)


def test_a_whole_call_is_one_part() -> None:
    assert list(call_parts(Call("f", {"a": 1}, "id-1", "c2ln"))) == [
        {"functionCall": {"id": "id-1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}
    ]


def test_a_streamed_call_spells_out_its_arguments_piece_by_piece() -> None:
    args = {"city": "Paris", "ok": True, "n": [1.5, None], "odd name": ""}
    opening, *pieces, end = [p["functionCall"] for p in call_parts(Call("f", args, piece=2))]
    assert opening == {"name": "f", "willContinue": True}
    assert end == {}
    assert [piece["partialArgs"][0] for piece in pieces] == [
        {"jsonPath": "$.city", "stringValue": "Pa", "willContinue": True},
        {"jsonPath": "$.city", "stringValue": "ri", "willContinue": True},
        {"jsonPath": "$.city", "stringValue": "s"},
        {"jsonPath": "$.ok", "boolValue": True},
        {"jsonPath": "$.n[0]", "numberValue": 1.5},
        {"jsonPath": "$.n[1]", "nullValue": "NULL_VALUE"},
        {"jsonPath": '$["odd name"]', "stringValue": ""},
    ]
    assert all(piece["willContinue"] for piece in pieces)


def test_the_unary_answer_says_the_same_in_one_document() -> None:
    answer = Answer(
        STORY, "Hm, " * 20, closing=(image(b"x"),), signature="c2ln", others=("other " * 20,)
    )
    documents = rendered(answer)
    whole = merged(documents)
    assert text_of([whole]) == STORY
    kinds = [sorted(part) for part in whole["candidates"][0]["content"]["parts"]]
    assert kinds == [["text", "thought"], ["text"], ["inlineData"], ["text", "thoughtSignature"]]
    assert whole["candidates"][0]["finishReason"] == "STOP"
    assert whole["candidates"][1]["content"]["parts"] == [{"text": "other " * 20}]
    assert whole["usageMetadata"] == documents[-1]["usageMetadata"]


def test_merging_leaves_the_streamed_documents_alone() -> None:
    documents = rendered(Answer(STORY))
    before = json.dumps(documents)
    merged(documents)
    assert json.dumps(documents) == before


def test_the_unary_answer_to_a_blocked_prompt_has_no_candidates() -> None:
    assert "candidates" not in merged(rendered(Answer(block="SAFETY")))


def test_a_token_may_be_bound_to_a_project() -> None:
    token = token_for(12, "lab")

    assert (offset_of(token), project_of(token)) == (12, "lab")
    assert (offset_of(token_for(12)), project_of(token_for(12))) == (12, "")
    assert project_of("no token") == ""
