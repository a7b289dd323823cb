"""Frames after an interruption: told as if the first attempt had gone on."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemproxy.core.answer.chunk import Undecodable, read
from gemproxy.core.answer.rewrite import Rewriter, dump, without_reason
from gemproxy.core.answer.usage import Tally
from tests.gemini import chunk

Json = dict[str, Any]

IMAGE = {"inlineData": {"mimeType": "image/png", "data": "aWNl"}}
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}
CODE = {"executableCode": {"code": "1"}, "thoughtSignature": "s"}

any_text = st.text(st.characters(), max_size=8)  # lone surrogates too
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)
texts = st.builds(
    lambda text, more: {"text": text} | more,
    any_text,
    st.sampled_from([{}, {}, {"thoughtSignature": "s"}, {"thought": False}]),
)
thoughts = st.builds(lambda text: {"text": text, "thought": True}, any_text)
others = st.sampled_from([IMAGE, CALL, CODE, {"aPartOfTomorrow": 1}])
parts_lists = st.lists(texts | texts | thoughts | others, max_size=5)


def encoded(document: Json) -> bytes:
    return json.dumps(document).encode()


def of(*parts: Json, **more: Any) -> bytes:
    return encoded(chunk(parts=list(parts), **more))


def rewritten(rewriter: Rewriter, data: bytes, drop: int = 0) -> Json:
    """Return the frame as the client gets it; it has to say something."""
    new = rewriter.rewrite(data, drop)
    assert new is not None
    return strictly(new)


def strictly(data: bytes) -> Json:
    """Decode what we wrote as a reader does that allows no NaN and splits at any line end."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    assert len(data.decode().splitlines()) == 1
    document: Json = json.loads(data, parse_constant=refuse)
    return document


def candidate_of(document: Json) -> Json:
    (candidate,) = document["candidates"]
    assert isinstance(candidate, dict)
    return candidate


def parts_of(document: Json | None) -> list[Json]:
    candidates = document["candidates"] if document is not None else []
    return [part for c in candidates for part in c.get("content", {}).get("parts", [])]


def visible(parts: list[Json]) -> str:
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def continued(base: str = "", grounding: Json | None = None, **more: Any) -> Rewriter:
    return Rewriter(
        Tally(),
        continued=True,
        base=len(base.encode("utf-8", "surrogatepass")),
        grounding=grounding or {},
        **more,
    )


# -- text --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(parts=parts_lists, drop=st.integers(0, 20), goes_on=st.booleans())
def test_the_text_is_the_original_without_the_dropped_beginning(
    parts: list[Json], drop: int, goes_on: bool
) -> None:
    rewriter = Rewriter(Tally(), continued=goes_on)
    drop = min(drop, len(visible(parts)))

    new = rewriter.rewrite(of(*parts), drop)

    kept = parts_of(strictly(new) if new is not None else None)
    assert visible(kept) == visible(parts)[drop:]
    assert [part for part in kept if "text" not in part] == [
        part for part in parts if "text" not in part
    ]
    assert not any(part.get("thought") for part in kept)
    assert rewriter.received == len(visible(parts))
    assert rewriter.dropped == drop


@settings(deadline=None)
@given(frames=st.lists(parts_lists, max_size=5), skip=st.integers(0, 40))
def test_a_beginning_is_dropped_over_as_many_frames_as_it_has(
    frames: list[list[Json]], skip: int
) -> None:
    rewriter = continued()
    kept: list[Json] = []
    rest = skip
    for parts in frames:
        drop = min(rest, len(visible(parts)))
        rest -= drop
        new = rewriter.rewrite(of(*parts), drop)
        kept += parts_of(strictly(new) if new is not None else None)

    whole = "".join(map(visible, frames))
    assert visible(kept) == whole[skip:]
    assert rewriter.dropped == min(skip, len(whole))
    assert rewriter.dropped_bytes == len(whole[:skip].encode("utf-8", "surrogatepass"))


@given(parts=parts_lists, drop=st.integers(0, 20))
def test_what_is_read_is_what_is_rewritten(parts: list[Json], drop: int) -> None:
    data = of(*parts)
    seen = read(data)

    new = continued().rewrite(data, min(drop, len(seen.text)))

    after = read(new) if new is not None else read(b"{}")
    assert after.text == seen.text[min(drop, len(seen.text)) :]
    assert (after.call, after.opaque) == (seen.call, seen.opaque)
    assert not after.thought


def test_a_frame_with_a_thought_and_text_keeps_its_text() -> None:
    document = rewritten(continued(), of({"text": "hm", "thought": True}, {"text": " upon"}))

    assert parts_of(document) == [{"text": " upon"}]


def test_thoughts_pass_where_the_client_has_seen_none() -> None:
    thought = {"text": "hm", "thought": True}

    assert parts_of(rewritten(Rewriter(Tally(), swallow_thoughts=False), of(thought))) == [thought]


@pytest.mark.parametrize(
    "data",
    [
        of({"text": "hm", "thought": True}),
        of({"text": "hm", "thought": True}, usage=(3, 4)),
        of({"text": ""}),
        of({}),
        of(),
        encoded(chunk(usage=(3, 4))),
        b"{}",
        b'{"candidates":[],"usageMetadata":{"totalTokenCount":3}}',
    ],
)
def test_a_frame_with_nothing_to_say_is_left_out(data: bytes) -> None:
    assert continued().rewrite(data, 0) is None


def test_a_frame_of_which_all_text_is_dropped_is_left_out() -> None:
    assert continued().rewrite(of({"text": "Once"}), 4) is None


def test_a_frame_that_ends_the_answer_goes_out_without_parts() -> None:
    document = rewritten(continued(), of({"text": "Once"}, finish="STOP"), 4)

    assert candidate_of(document)["finishReason"] == "STOP"
    assert candidate_of(document)["content"] == {"role": "model"}


@pytest.mark.parametrize(
    "document",
    [
        chunk(finish="STOP"),
        {"candidates": [{"groundingMetadata": {"webSearchQueries": ["q"]}}]},
        {"candidates": [{"citationMetadata": {"citationSources": [{"endIndex": 3}]}}]},
        {"candidates": [{"urlContextMetadata": {"urlMetadata": []}}]},
        {"promptFeedback": {"blockReason": "SAFETY"}},
    ],
)
def test_what_belongs_to_the_whole_answer_passes_without_parts(document: Json) -> None:
    assert continued().rewrite(encoded(document), 0) is not None


def test_unknown_fields_travel() -> None:
    document = chunk("Once", finish="STOP", fieldOfTomorrow={"a": [1, None]})
    document["candidates"][0] |= {"safetyRatings": [{"blocked": False}], "avgLogprobs": -0.25}

    assert rewritten(Rewriter(Tally()), encoded(document)) == document


# -- who it says it is -------------------------------------------------------------------------


def test_every_frame_carries_the_id_and_the_version_of_the_first() -> None:
    rewriter = continued(response_id="first", model_version="v1")

    document = rewritten(rewriter, of({"text": "a"}, response_id="second"))

    assert document["responseId"] == "first"
    assert document["modelVersion"] == "v1"


def test_an_id_that_the_client_never_got_is_not_made_up() -> None:
    document = rewritten(Rewriter(Tally()), encoded(chunk("a", response_id=None)))

    assert "responseId" not in document


# -- signatures and tokens ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        ({"text": "a", "thoughtSignature": "s"}, [{"text": "a"}]),
        ({"text": "", "thoughtSignature": "s"}, []),
        ({"thoughtSignature": "s"}, []),
        (CALL, [CALL]),
        (IMAGE | {"thoughtSignature": "s"}, [IMAGE | {"thoughtSignature": "s"}]),
        (CODE, [CODE]),
    ],
)
def test_after_a_text_resume_signatures_stay_on_calls_only(part: Json, kept: list[Json]) -> None:
    new = continued().rewrite(of(part, finish="STOP"), 0)

    assert new is not None
    assert parts_of(strictly(new)) == kept


@pytest.mark.parametrize(
    "part",
    [
        {"text": "a", "thoughtSignature": "s"},
        {"text": "", "thoughtSignature": "s"},
        {"thoughtSignature": "s"},
        CALL,
    ],
)
def test_a_replayed_attempt_keeps_its_signatures(part: Json) -> None:
    assert parts_of(rewritten(Rewriter(Tally()), of(part))) == [part]


def test_tokens_are_stripped_after_a_text_resume() -> None:
    document = rewritten(continued(), encoded(chunk("a", token="t")))

    assert "continuationToken" not in candidate_of(document)
    assert continued().rewrite(encoded(chunk(token="t")), 0) is None


def test_tokens_pass_after_a_native_one_even_alone() -> None:
    native = Rewriter(Tally())

    for data in (encoded(chunk("a", token="t")), encoded(chunk(token="t"))):
        assert candidate_of(rewritten(native, data))["continuationToken"] == "t"


# -- usage -------------------------------------------------------------------------------------


def test_usage_is_the_sum_over_the_attempts_without_the_echo() -> None:
    first = {"promptTokenCount": 3, "candidatesTokenCount": 10, "totalTokenCount": 13}
    rewriter = Rewriter(Tally().settled(first, received=40, delivered=40), continued=True)

    document = rewritten(rewriter, of({"text": "x" * 40}, usage=(20, 20)), 20)

    assert document["usageMetadata"] == {
        "promptTokenCount": 3,
        "candidatesTokenCount": 20,
        "totalTokenCount": 23,
    }


def test_the_last_usage_goes_into_the_last_frame() -> None:
    rewriter = continued()
    rewriter.last_usage = {"promptTokenCount": 3, "candidatesTokenCount": 9, "totalTokenCount": 12}

    document = rewritten(rewriter, of({"text": "a"}, finish="STOP", usage=(3, 4)))

    assert document["usageMetadata"]["candidatesTokenCount"] == 9


@pytest.mark.parametrize("usage", [None, [], "text", 3])
def test_usage_that_is_no_object_is_let_be(usage: object) -> None:
    assert rewritten(continued(), of({"text": "a"}, usageMetadata=usage))["usageMetadata"] == usage


# -- grounding and citations -------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def span_of(text: str, start: int, end: int) -> Json:
    """Return a span over ``text[start:end]``, as protobuf writes it: in bytes, zero left out."""
    before, inside = len(text[:start].encode()), len(text[start:end].encode())
    span = {"endIndex": before + inside, "text": text[start:end]}
    return {"startIndex": before, **span} if before else span


def words_at(text: str, span: Json) -> str:
    return text.encode()[span.get("startIndex", 0) : span["endIndex"]].decode()


@settings(deadline=None)
@given(delivered=words, preamble=st.just("") | words, new=words, data=st.data())
def test_offsets_point_at_the_same_words_of_the_joined_text(
    delivered: str, preamble: str, new: str, data: st.DataObject
) -> None:
    echo = delivered[len(delivered) - data.draw(st.integers(0, len(delivered))) :]
    attempt = preamble + echo + new
    drop = len(preamble + echo)
    start = data.draw(st.integers(drop, len(attempt) - 1))
    end = data.draw(st.integers(start + 1, len(attempt)))
    span = span_of(attempt, start, end)
    document = chunk(attempt)
    document["candidates"][0] |= {
        "groundingMetadata": {"groundingSupports": [{"segment": span}]},
        "citationMetadata": {"citationSources": [span]},
    }

    candidate = candidate_of(rewritten(continued(delivered), encoded(document), drop))

    whole = delivered + visible(candidate["content"]["parts"])
    (support,) = candidate["groundingMetadata"]["groundingSupports"]
    (source,) = candidate["citationMetadata"]["citationSources"]
    assert words_at(whole, support["segment"]) == attempt[start:end]
    assert words_at(whole, source) == attempt[start:end]


@given(delivered=words, preamble=words, data=st.data())
def test_offsets_are_never_negative(delivered: str, preamble: str, data: st.DataObject) -> None:
    attempt = preamble + delivered + "!"
    end = data.draw(st.integers(1, len(attempt)))
    document = chunk(attempt)
    document["candidates"][0]["citationMetadata"] = {"citations": [span_of(attempt, 0, end)]}

    candidate = candidate_of(
        rewritten(continued(delivered), encoded(document), len(preamble + delivered))
    )

    (source,) = candidate["citationMetadata"]["citations"]
    assert 0 <= source["startIndex"] <= source["endIndex"]


def grounded(*queries: str, uri: str, indices: list[int]) -> Json:
    return {
        "webSearchQueries": list(queries),
        "groundingChunks": [{"web": {"uri": uri}}],
        "groundingSupports": [{"segment": {"endIndex": 2}, "groundingChunkIndices": indices}],
        "searchEntryPoint": {"renderedContent": uri},
    }


def test_sources_are_those_of_both_attempts() -> None:
    before = grounded("one", "two", uri="https://a.test", indices=[0])
    document = chunk("b ")
    document["candidates"][0]["groundingMetadata"] = grounded(
        "two", "three", uri="https://b.test", indices=[0]
    )

    shown = candidate_of(rewritten(continued("a ", before), encoded(document)))["groundingMetadata"]

    assert shown["webSearchQueries"] == ["one", "two", "three"]
    assert [c["web"]["uri"] for c in shown["groundingChunks"]] == [
        "https://a.test",
        "https://b.test",
    ]
    assert [s["groundingChunkIndices"] for s in shown["groundingSupports"]] == [[0], [1]]
    assert shown["groundingSupports"][1]["segment"] == {"startIndex": 2, "endIndex": 4}
    assert shown["searchEntryPoint"] == {"renderedContent": "https://b.test"}


def test_what_the_client_has_seen_of_sources_is_known_for_the_next_attempt() -> None:
    before = grounded("one", uri="https://a.test", indices=[0])
    rewriter = continued("a ", before)
    assert rewriter.shown == before
    document = chunk("b ")
    document["candidates"][0]["groundingMetadata"] = grounded(
        "two", uri="https://b.test", indices=[0]
    )

    told = candidate_of(rewritten(rewriter, encoded(document)))["groundingMetadata"]

    assert rewriter.shown == told
    assert len(told["groundingSupports"]) == 2


def test_sources_that_come_again_in_an_attempt_are_not_added_twice() -> None:
    rewriter = continued("a ", grounded("one", uri="https://a.test", indices=[0]))
    document = chunk("b ")
    document["candidates"][0]["groundingMetadata"] = grounded(
        "two", uri="https://b.test", indices=[0]
    )

    rewritten(rewriter, encoded(document))
    again = candidate_of(rewritten(rewriter, encoded(document)))["groundingMetadata"]

    assert len(again["groundingChunks"]) == 2


def test_a_replayed_attempt_keeps_its_offsets() -> None:
    document = chunk("a")
    document["candidates"][0]["groundingMetadata"] = grounded(uri="https://a.test", indices=[0])

    assert rewritten(Rewriter(Tally(), base=9), encoded(document)) == document


# -- odd frames --------------------------------------------------------------------------------

odd_parts = st.lists(
    json_values
    | st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["text", "thought", "functionCall", "x"], json_values)
    )
)
odd_grounding = st.fixed_dictionaries(
    {},
    optional={
        "groundingChunks": json_values,
        "webSearchQueries": json_values,
        "groundingSupports": json_values
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "segment": json_values
                    | st.fixed_dictionaries({"endIndex": json_values, "startIndex": json_values}),
                    "groundingChunkIndices": json_values,
                },
            )
        ),
    },
)
odd_candidates = st.fixed_dictionaries(
    {},
    optional={
        "content": json_values | st.fixed_dictionaries({"parts": json_values | odd_parts}),
        "groundingMetadata": json_values | odd_grounding,
        "citationMetadata": json_values
        | st.fixed_dictionaries({"citations": json_values | st.lists(st.just({"endIndex": "3"}))}),
        "finishReason": json_values,
    },
)
odd_frames = st.fixed_dictionaries(
    {},
    optional={
        "candidates": json_values | st.lists(json_values | odd_candidates),
        "usageMetadata": json_values
        | st.fixed_dictionaries(
            dict.fromkeys(["candidatesTokensDetails", "promptTokenCount"], json_values)
        ),
        "promptFeedback": json_values,
        "responseId": json_values,
    },
)


@settings(deadline=None)
@given(document=odd_frames, before=odd_grounding, drop=st.integers(0, 9), goes_on=st.booleans())
@example(document={"candidates": [None, 3]}, before={}, drop=0, goes_on=True)
@example(document={"candidates": [{"content": "x"}]}, before={}, drop=0, goes_on=True)
def test_whatever_can_be_read_can_be_rewritten(
    document: Json, before: Json, drop: int, goes_on: bool
) -> None:
    data = encoded(document)
    try:
        text = read(data).text
    except Undecodable:
        return

    rewriter = Rewriter(Tally(), "first", "v1", continued=goes_on, grounding=before)
    new = rewriter.rewrite(data, min(drop, len(text)))

    if new is not None:
        assert strictly(new)["responseId"] == "first"
    strictly(without_reason(data))


# -- the probabilities of tokens ---------------------------------------------------------------


def with_logprobs(*tokens: str, text: str | None = None) -> bytes:
    document = chunk("".join(tokens) if text is None else text)
    chosen = [{"token": token, "logProbability": -1} for token in tokens]
    document["candidates"][0]["logprobsResult"] = {"chosenCandidates": chosen}
    return encoded(document)


@pytest.mark.parametrize(
    ("drop", "tokens"), [(0, ["O", "nce", " a"]), (1, ["nce", " a"]), (2, None), (4, [" a"])]
)
def test_the_tokens_of_an_echo_are_not_told_twice(drop: int, tokens: list[str] | None) -> None:
    candidate = candidate_of(rewritten(continued(), with_logprobs("O", "nce", " a"), drop))

    shown = candidate.get("logprobsResult")
    assert (shown and [one["token"] for one in shown["chosenCandidates"]]) == tokens


def test_tokens_that_spell_another_text_stay_where_nothing_is_cut() -> None:
    data = with_logprobs("\u2581Once", text="Once")

    assert "logprobsResult" in candidate_of(rewritten(continued(), data))
    assert "logprobsResult" not in candidate_of(rewritten(continued(), data, 1))


@pytest.mark.parametrize(("base", "kept"), [("", True), ("Once upon", False)])
def test_an_average_over_an_attempt_is_one_over_the_answer_only_where_it_is_all(
    base: str, kept: bool
) -> None:
    document = chunk(" a time", finish="STOP")
    document["candidates"][0]["avgLogprobs"] = -0.3

    candidate = candidate_of(rewritten(continued(base), encoded(document)))

    assert ("avgLogprobs" in candidate) is kept


# -- writing -----------------------------------------------------------------------------------


def test_an_ending_that_is_not_accepted_leaves_its_text() -> None:
    document = chunk("Once", finish="OTHER")
    document["candidates"][0]["finishMessage"] = "An unknown error."

    assert json.loads(without_reason(encoded(document))) == chunk("Once")


@given(json_values.map(lambda value: {"x": value}))
@example({"x": "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r\n"})
@example({"x": "\ud800\u2028"})
@example({"\u2028": 1})
def test_what_is_written_is_one_line_of_json_that_says_the_same(document: Json) -> None:
    assert strictly(dump(document)) == document


def test_text_is_written_as_text() -> None:
    assert dump({"x": "é語\U0001f600"}) == '{"x":"é語\U0001f600"}'.encode()


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_beyond_a_double_is_never_written_as_infinity(number: str) -> None:
    data = b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"x":%s}]}' % number.encode()

    assert parts_of(rewritten(continued(), data)) == [{"text": "a"}]
    strictly(without_reason(data))


def test_bytes_that_are_no_text_do_not_keep_a_frame_from_being_told() -> None:
    data = b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"x":"\xff"}]}'
    assert read(data).plain

    assert parts_of(rewritten(continued(), data)) == [{"text": "a"}]


def test_half_a_character_dropped_leaves_the_other_half() -> None:
    data = b'{"candidates":[{"content":{"parts":[{"text":"\\ud83d"},{"text":"\\ude00b"}]}}]}'

    assert visible(parts_of(rewritten(continued(), data, 1))) == "\ude00b"
