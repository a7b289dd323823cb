"""What one frame says: the same by either decoder, and nothing but Undecodable goes wrong."""

import json
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gemproxy.core.answer.chunk import (
    FINISH_REASONS,
    SILENT,
    Chunk,
    Said,
    Undecodable,
    loads,
    read,
    read_tolerantly,
)

Json = dict[str, Any]

TEXT = {"candidates": [{"content": {"parts": [{"text": "Once"}], "role": "model"}, "index": 0}]}
FRAME = {
    **TEXT,
    "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 4},
    "modelVersion": "gemini-test",
    "responseId": "first",
}
IMAGE = {"inlineData": {"mimeType": "image/png", "data": "aWNl"}}

any_text = st.text(st.characters(), max_size=12)  # lone surrogates too
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(any_text, json_values, max_size=3)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def shaped(unknown: st.SearchStrategy[Json], **fields: st.SearchStrategy[Any]) -> Any:
    """Return objects that have some of ``fields``, and fields that nobody knows."""
    known = st.fixed_dictionaries({}, optional=fields)
    return st.builds(lambda one, other: other | one, known, unknown)


@st.composite
def responses(draw: st.DrawFn) -> Json:
    """Draw a response in Gemini's shape, with unknown fields and nulls at every level."""
    unknown = st.dictionaries(st.sampled_from(["x", "safetyRatings"]), json_values, max_size=1)
    part = shaped(
        unknown,
        text=maybe(any_text),
        thought=maybe(st.booleans()),
        thoughtSignature=maybe(any_text),
        functionCall=maybe(objects),
        inlineData=maybe(objects),
        executableCode=maybe(objects),
    )
    content = shaped(unknown, parts=maybe(st.lists(part, max_size=3)), role=st.just("model"))
    reasons = st.sampled_from([*filter(None, FINISH_REASONS), "FINISH_REASON_UNSPECIFIED", "NEW"])
    candidate = shaped(
        unknown,
        content=maybe(content),
        finishReason=maybe(reasons),
        continuationToken=maybe(any_text),
        groundingMetadata=maybe(objects),
        index=maybe(st.integers(0, 2)),
    )
    feedback = shaped(unknown, blockReason=maybe(st.sampled_from(["SAFETY", "OTHER", ""])))
    response = shaped(
        unknown,
        candidates=maybe(st.lists(candidate, max_size=2)),
        usageMetadata=maybe(objects),
        promptFeedback=maybe(feedback),
        responseId=maybe(any_text),
        modelVersion=maybe(any_text),
        error=maybe(objects),
    )
    return dict(draw(response))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a response of which some were changed, lost or added."""
    data = json.dumps(draw(responses()), ensure_ascii=draw(st.booleans()))
    frame = bytearray(data.encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(frame)))
        frame[start : start + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(frame)


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def of_parts(*parts: object, **candidate: object) -> bytes:
    return encoded({"candidates": [{"content": {"parts": list(parts)}, **candidate}]})


def comparable(chunk: Chunk) -> Json:
    """Return what a chunk says, with its raw JSON parsed; ``plain`` is only a short cut."""
    fields = {name: getattr(chunk, name) for name in chunk.__struct_fields__ if name != "plain"}
    for name in ("usage", "grounding"):
        fields[name] = loads(bytes(fields[name])) if fields[name] else None
    return fields


# -- the fields -----------------------------------------------------------------------------


def test_visible_text_of_one_candidate_is_plain() -> None:
    chunk = read(encoded(FRAME))

    assert chunk.plain
    assert chunk.news
    assert chunk.text == "Once"
    assert chunk.response_id == "first"
    assert chunk.model_version == "gemini-test"
    assert json.loads(bytes(chunk.usage)) == FRAME["usageMetadata"]


@pytest.mark.parametrize(
    "more",
    [
        {"finishReason": "STOP"},
        {"continuationToken": "token"},
        {"groundingMetadata": {"webSearchQueries": ["q"]}},
    ],
)
def test_text_with_something_to_decide_is_not_plain(more: Json) -> None:
    chunk = read(of_parts({"text": "Once"}, **more))

    assert not chunk.plain
    assert chunk.text == "Once"
    assert chunk.news


@pytest.mark.parametrize(
    "document",
    [
        {**FRAME, "promptFeedback": {"blockReason": "SAFETY"}},
        {**FRAME, "error": {"code": 503}},
        {"candidates": [*TEXT["candidates"], {"index": 1}]},
    ],
)
def test_a_response_with_something_to_decide_is_not_plain(document: Json) -> None:
    assert not read(encoded(document)).plain


@pytest.mark.parametrize(
    ("parts", "text", "thought", "call", "opaque"),
    [
        ([{"text": "a"}, {"text": "b"}], "ab", False, False, False),
        ([{"text": "a", "thought": False}], "a", False, False, False),
        ([{"text": "hm", "thought": True}], "", True, False, False),
        ([{"text": "hm", "thought": True}, {"text": "a"}], "a", True, False, False),
        ([{"text": "a", "thoughtSignature": "s"}], "a", False, False, False),
        ([{"functionCall": {"name": "f", "args": {}}}], "", False, True, False),
        ([{"functionCall": {}}], "", False, True, False),
        ([{"functionCall": {"name": "f"}, "thoughtSignature": "s"}], "", False, True, False),
        ([{"text": "a"}, {"functionCall": {"name": "f"}}], "a", False, True, False),
        ([IMAGE], "", False, False, True),
        ([{**IMAGE, "thoughtSignature": "s"}], "", False, False, True),
        ([{"text": "a"}, IMAGE], "a", False, False, True),
        ([IMAGE, {"thoughtSignature": "s"}], "", False, False, True),
        ([{**IMAGE, "thought": True}], "", True, False, False),
        ([{"executableCode": {"code": "1"}, "thoughtSignature": "s"}], "", False, False, True),
        ([{"codeExecutionResult": {"output": "1"}}], "", False, False, True),
        ([{"toolCall": {"id": "1"}}], "", False, False, True),
        ([{"aPartOfTomorrow": 1}], "", False, False, True),
    ],
)
def test_parts_say_what_they_are(
    parts: list[Json],
    text: str,
    thought: bool,
    call: bool,
    opaque: bool,
) -> None:
    chunk = read(of_parts(*parts))

    assert (chunk.text, chunk.thought, chunk.call, chunk.opaque) == (text, thought, call, opaque)
    assert chunk.news


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [{}],
        [{"text": ""}],
        [{"text": None}],
        [{"text": "", "thoughtSignature": "s"}],
        [{"thoughtSignature": "s"}],
        [{"thoughtSignature": "s" * 10_000}],
        [{"thought": False}],
        [{"functionCall": None}],
        [{"inlineData": None}],
    ],
)
def test_parts_that_bring_no_content_are_no_news(parts: list[Json]) -> None:
    chunk = read(of_parts(*parts))

    assert not chunk.news
    assert not chunk.opaque


def test_the_size_of_a_frame_does_not_change_what_it_says() -> None:
    large = {**IMAGE, "thoughtSignature": "s", "x": "y" * 100_000}

    assert read(of_parts(large)).opaque
    assert not read(encoded({**json.loads(of_parts({})), "x": "y" * 100_000})).news


@pytest.mark.parametrize(
    "document",
    [
        {"candidates": [{"content": {"parts": [{"text": "b"}]}, "index": 1}]},
        {"candidates": [*TEXT["candidates"], {"content": {"parts": [{"text": "b"}]}, "index": 1}]},
    ],
)
def test_a_second_candidate_is_marked_and_cannot_be_continued(document: Json) -> None:
    chunk = read(encoded(document))

    assert chunk.candidates
    assert chunk.opaque


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ([{"finishReason": "STOP", "index": 1}], [(1, False, "STOP")]),
        ([{"index": 1}, {"finishReason": "STOP"}], [(1, False, None), (0, False, "STOP")]),
        ([{}, {}, {}], [(0, False, None), (1, False, None), (2, False, None)]),
        (
            [{"finishReason": "STOP"}, TEXT["candidates"][0] | {"index": 1}],
            [(0, False, "STOP"), (1, True, None)],
        ),
        ([{"finishReason": 1, "index": 1}], [(1, False, "STOP")]),
    ],
)
def test_each_of_several_candidates_says_how_it_stands(candidates: Any, said: Any) -> None:
    assert read(encoded({"candidates": candidates})).candidates == tuple(
        Said(index, news, reason) for index, news, reason in said
    )


@pytest.mark.parametrize("candidates", [[], [{}], [{"index": 0, "finishReason": "STOP"}]])
def test_a_lone_candidate_is_not_told_apart(candidates: Any) -> None:
    assert read(encoded({"candidates": candidates})).candidates == ()


def test_the_text_of_a_lone_second_candidate_is_not_that_of_the_first() -> None:
    chunk = read(of_parts({"text": "Once"}, index=1))

    assert not chunk.plain
    assert (chunk.text, chunk.news, chunk.opaque) == ("", True, True)


@pytest.mark.parametrize("usage", [None, {}])
@pytest.mark.parametrize("finish", [{}, {"finishReason": "STOP"}])
def test_a_usage_that_says_nothing_is_none(usage: Any, finish: Json) -> None:
    document = {"candidates": [{**TEXT["candidates"][0], **finish}], "usageMetadata": usage}

    assert not read(encoded(document)).usage


@pytest.mark.parametrize("error", [{}, None, "", [], {"code": 0, "message": "", "details": []}])
def test_an_empty_error_is_none(error: Any) -> None:
    chunk = read(encoded({**TEXT, "error": error}))

    assert chunk.error is None
    assert chunk.text == "Once"


def test_the_text_of_several_candidates_is_that_of_the_first() -> None:
    second = {"content": {"parts": [{"text": "Twice"}]}, "index": 1}

    assert read(encoded({"candidates": [*TEXT["candidates"], second]})).text == "Once"


@pytest.mark.parametrize(
    "reason", [None, "", "FINISH_REASON_UNSPECIFIED", 0], ids=["null", "empty", "name", "number"]
)
def test_an_unspecified_finish_reason_is_none(reason: object) -> None:
    assert read(of_parts({"text": "a"}, finishReason=reason)).finish_reason is None


@pytest.mark.parametrize("number", range(1, len(FINISH_REASONS)))
def test_a_finish_reason_as_a_number_is_the_one_of_that_name(number: int) -> None:
    # The numbers of the enum in google.ai.generativelanguage.v1beta.Candidate.
    numbers = {"STOP": 1, "SAFETY": 3, "OTHER": 5, "LANGUAGE": 6, "IMAGE_RECITATION": 17}

    reason = read(of_parts({"text": "a"}, finishReason=number)).finish_reason

    assert reason == FINISH_REASONS[number]
    assert numbers.get(str(reason), number) == number


def test_a_finish_reason_of_an_unknown_number_is_still_a_reason() -> None:
    assert read(of_parts({"text": "a"}, finishReason=99)).finish_reason == "99"


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "A_REASON_OF_TOMORROW", 1, 99])
def test_a_blocked_prompt_has_a_reason(reason: object) -> None:
    assert read(encoded({"promptFeedback": {"blockReason": reason}})).block_reason is not None


@pytest.mark.parametrize(
    "feedback",
    [
        None,
        {},
        {"safetyRatings": []},
        {"blockReason": "BLOCK_REASON_UNSPECIFIED"},
        {"blockReason": "BLOCKED_REASON_UNSPECIFIED"},
        {"blockReason": 0},
        {"blockReason": None},
    ],
)
def test_feedback_without_a_block_is_none(feedback: object) -> None:
    assert read(encoded({"promptFeedback": feedback})).block_reason is None


def test_an_empty_continuation_token_is_none() -> None:
    assert read(of_parts({"text": "a"}, continuationToken="")).token is None
    assert read(of_parts({"text": "a"}, continuationToken="t")).token == "t"


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"error": {"code": 503}}, {"code": 503}),
        ([{"error": {"code": 503}}], {"code": 503}),
        ({"error": "overloaded"}, {"message": "overloaded"}),
        ({"error": None}, None),
    ],
)
def test_an_error_in_the_stream_is_an_object(document: object, error: object) -> None:
    assert read(encoded(document)).error == error


def test_an_error_printed_over_several_lines_is_one() -> None:
    assert read(json.dumps({"error": {"code": 503}}, indent=2).encode()).error == {"code": 503}


def test_null_counts_as_absent() -> None:
    document = {
        "candidates": [
            {
                "content": {"parts": [{"text": "a", "functionCall": None, "thought": None}]},
                "groundingMetadata": None,
                "finishReason": None,
                "index": None,
            }
        ],
        "usageMetadata": None,
        "error": None,
    }

    chunk = read(encoded(document))

    assert chunk.text == "a"
    assert not chunk.call
    assert not chunk.grounding
    assert not chunk.usage


@pytest.mark.parametrize("data", [b"{}", b" { } ", b'{"candidates":[]}', b'{"candidates":null}'])
def test_a_frame_that_says_nothing_is_silent(data: bytes) -> None:
    assert read(data) == SILENT


# -- text ------------------------------------------------------------------------------------


def test_lone_surrogates_are_text() -> None:
    chunk = read(b'{"candidates":[{"content":{"parts":[{"text":"\\ud83d"}]}}]}')

    assert chunk.text == "\ud83d"


def test_a_surrogate_pair_in_escapes_is_one_character() -> None:
    assert read(of_parts({"text": "\U0001f600"})).text == "\U0001f600"


@given(st.text(min_size=1))
def test_plain_text_is_exact(text: str) -> None:
    for ensure_ascii in (True, False):
        document = {"candidates": [{"content": {"parts": [{"text": text}]}}]}
        chunk = read(json.dumps(document, ensure_ascii=ensure_ascii).encode())
        assert chunk.plain
        assert chunk.text == text


# -- both decoders ---------------------------------------------------------------------------


@settings(deadline=None)
@given(document=responses(), ensure_ascii=st.booleans())
@example(document={"candidates": [{"content": {"parts": [{}]}}]}, ensure_ascii=True)
def test_both_decoders_agree(document: Json, ensure_ascii: bool) -> None:
    data = json.dumps(document, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
    assume(ensure_ascii or b"\xed" not in data)

    assert comparable(read(data)) == comparable(read_tolerantly(data))


@settings(deadline=None)
@given(st.binary() | damaged() | json_values.map(encoded))
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}')
@example(b'{"candidates":[{"finishReason":"STOP","x":"\xff"}]}')
@example(b'{"x":' + b"[" * 100_000)
@example(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
@example(b'{"candidates":[{"index":' + b"1" * 5000 + b"}]}")
@example(b'{"candidates":[{"content":{"parts":[{"\\ud800":1}]}}]}')
@example(b'[{"error":null}]')
def test_reading_returns_a_chunk_or_raises_undecodable(data: bytes) -> None:
    try:
        chunk = read(data)
    except Undecodable:
        return

    assert isinstance(chunk, Chunk)


@settings(deadline=None)
@given(damaged())
@example(b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"x":"\xff"}')
@example(b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"x":1e999}')
def test_what_was_read_can_be_decoded_again_to_be_rewritten(data: bytes) -> None:
    try:
        read(data)
    except Undecodable:
        return

    assert isinstance(loads(data, "replace"), dict | list)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[DONE]",
        b"null",
        b"[]",
        b'"text"',
        b'{"candidates":[',
        b"{} {}",
        b'{"a":NaN}',
        b'{"candidates":NaN}',
        b"{'a':1}",
        b'{"candidates":[{"content":{"parts":[{"text":"\xe2\x82"}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"\xff"}}]}}]}',
        "{}".encode("utf-16"),
    ],
)
def test_what_is_no_json_object_is_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable):
        read(data)


def test_an_error_says_no_word_of_the_frame() -> None:
    with pytest.raises(Undecodable) as caught:
        read(b'{"candidates": "a secret')

    assert "secret" not in str(caught.value)


@given(json_values)
def test_decoding_is_exact(value: object) -> None:
    data = json.dumps(value).encode()

    assert json.dumps(loads(data)).encode() == data


def test_there_is_no_infinity() -> None:
    numbers = loads(b"[1e999, -1e999]")

    assert numbers == [1.7976931348623157e308, -1.7976931348623157e308]
