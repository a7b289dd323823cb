"""The client's request: read in every spelling that Google takes, rebuilt only if faithful."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemproxy.core.repair.request import (
    StreamRequest,
    Unreadable,
    hides_the_end,
    loads_strictly,
    look_up,
    mentions,
    parse_strictly,
    snake_case,
    spelling,
)

Json = dict[str, Any]

SCHEMA = {"type": "object"}
USER = {"role": "user", "parts": [{"text": "Tell me a story."}]}
camel_names = st.from_regex(r"[a-z]{2,6}([A-Z][a-z]{2,6}){0,3}", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers() | st.text(st.characters())
json_values = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def request(**fields: object) -> StreamRequest:
    return StreamRequest(json.dumps(fields).encode())


def configured(**config: object) -> StreamRequest:
    return request(contents=[USER], generationConfig=config)


# -- spelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("camel", "snake"),
    [
        ("contents", "contents"),
        ("maxOutputTokens", "max_output_tokens"),
        ("responseJsonSchema", "response_json_schema"),
        ("topK", "top_k"),
        ("continuationToken", "continuation_token"),
    ],
)
def test_a_name_has_a_snake_case_twin(camel: str, snake: str) -> None:
    assert snake_case(camel) == snake
    assert snake_case(snake) == snake


@given(name=camel_names, value=scalars.filter(lambda value: value is not None))
def test_either_spelling_is_found(name: str, value: object) -> None:
    assert look_up({name: value}, name) == value
    assert look_up({snake_case(name): value}, name) == value
    assert look_up({}, name) is None


@given(name=camel_names, mapping=st.data())
def test_the_spelling_is_the_key_that_a_look_up_reads(name: str, mapping: st.DataObject) -> None:
    twin = snake_case(name)
    drawn = mapping.draw(st.dictionaries(st.sampled_from([name, twin]), scalars))

    assert drawn.get(spelling(drawn, name)) == look_up(drawn, name)


def test_a_name_that_is_missing_is_spelled_as_in_the_reference() -> None:
    assert spelling({}, "maxOutputTokens") == "maxOutputTokens"


# -- contents ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contents", "turns"),
    [
        ([USER], [USER]),
        (USER, [USER]),
        ("Hello", [{"role": "user", "parts": [{"text": "Hello"}]}]),
        ([], []),
        (None, []),
        (3, []),
    ],
)
def test_contents_are_turns_in_every_form(contents: object, turns: list[Json]) -> None:
    assert request(contents=contents).contents == turns


def test_the_body_is_kept_as_it_came() -> None:
    body = b' {"contents" : [ ] , "x":1.50}'

    assert StreamRequest(body).body == body


def test_a_body_is_parsed_once_and_only_when_it_is_asked_for() -> None:
    asked = StreamRequest(b'{"contents":[]}')

    assert "document" not in vars(asked)
    assert asked.document is asked.document


def test_a_prompt_is_not_shown_in_logs() -> None:
    asked = StreamRequest(b'{"contents":"a private prompt"}')
    assert asked.document is not None

    assert "private" not in repr(asked)


# -- what cannot be rebuilt --------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"[]",
        b"null",
        b'"contents"',
        b'{"contents":[]',
        b'{"a":1,"a":2}',
        b'{"generationConfig":{"seed":1,"seed":2}}',
        b'{"a":NaN}',
        b'{"a":[Infinity]}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":[-1e999]}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":' + b"1" * 5000 + b"}",
        b'{"a":' + b"[" * 100_000,
        '{"a":1}'.encode("utf-16"),
        b"--boundary\r\n",
    ],
    ids=range(20),
)
def test_a_body_of_more_than_one_meaning_is_not_rebuilt(body: bytes) -> None:
    asked = StreamRequest(body)

    assert asked.document is None
    assert asked.contents == []
    assert asked.config == {}
    assert not asked.wants_document
    assert not asked.answers_a_call
    assert not asked.several
    assert not asked.server_tools
    assert asked.continuation_token is None
    with pytest.raises(Unreadable):
        parse_strictly(body)


def kinds_of_answers(body: bytes) -> list[type]:
    """Return the types of what a request says of its contents and of its four flags."""
    asked = StreamRequest(body)
    flags = (asked.wants_document, asked.answers_a_call, asked.several, asked.server_tools)
    return [type(answer) for answer in (asked.contents, *flags)]


A_LIST_AND_FOUR_FLAGS = [list, bool, bool, bool, bool]


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_can_be_asked_anything(body: bytes) -> None:
    assert kinds_of_answers(body) == A_LIST_AND_FOUR_FLAGS


odd = st.fixed_dictionaries(
    {},
    optional={
        "contents": json_values | st.lists(st.fixed_dictionaries({"parts": json_values})),
        "generationConfig": json_values
        | st.fixed_dictionaries(
            {},
            optional={
                "responseMimeType": json_values,
                "responseSchema": json_values,
                "responseFormat": json_values | st.lists(st.just({"text": 3}) | json_values),
                "candidateCount": json_values,
            },
        ),
        "tools": json_values,
        "continuationToken": json_values,
    },
)


@given(odd)
@example({"generationConfig": {"responseMimeType": []}})
@example({"generationConfig": {"responseFormat": [{"text": {"mimeType": {}}}]}})
@example({"contents": [{"parts": {"functionResponse": 1}}]})
def test_a_request_with_fields_of_the_wrong_kind_can_be_asked_anything(document: Json) -> None:
    assert kinds_of_answers(json.dumps(document).encode()) == A_LIST_AND_FOUR_FLAGS


@given(json_values)
def test_what_has_one_meaning_is_read_exactly(value: object) -> None:
    text = json.dumps(value)

    assert json.dumps(loads_strictly(text)) == text


@given(st.text())
def test_what_is_read_strictly_reads_the_same_again_or_raises_unreadable(text: str) -> None:
    try:
        value = loads_strictly(text)
    except Unreadable:
        return

    assert loads_strictly(json.dumps(value)) == value


# -- what is asked for -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        configured(responseMimeType="application/json"),
        configured(response_mime_type="application/json"),
        configured(responseMimeType="application/json; charset=utf-8"),
        configured(responseSchema=SCHEMA),
        configured(response_json_schema=SCHEMA),
        configured(responseFormat=[{"text": {"mimeType": "APPLICATION_JSON"}}]),
        configured(responseFormat={"text": {"mime_type": "application/json"}}),
        configured(response_format=[{"image": {}}, {"text": {"schema": SCHEMA}}]),
        request(contents=[USER], generation_config={"response_mime_type": "application/json"}),
    ],
)
def test_json_mode_is_seen_however_it_is_spelled(asked: StreamRequest) -> None:
    assert asked.wants_document


ENUM = {"type": "STRING", "enum": ["sweet", "savoury"]}


@pytest.mark.parametrize(
    "asked",
    [
        configured(responseMimeType="text/x.enum", responseSchema=ENUM),
        configured(response_mime_type="text/x.enum", response_json_schema=ENUM),
        configured(responseFormat={"text": {"mimeType": "TEXT_X_ENUM", "schema": ENUM}}),
    ],
)
def test_one_of_a_few_values_is_no_document(asked: StreamRequest) -> None:
    assert not asked.wants_document
    assert asked.values == {"sweet", "savoury"}


@pytest.mark.parametrize(
    "asked",
    [
        configured(responseSchema=ENUM),
        configured(responseMimeType="application/json", responseSchema=ENUM),
        configured(responseMimeType="text/x.enum"),
        configured(responseMimeType="text/x.enum", responseSchema={"enum": 3}),
    ],
)
def test_only_text_is_one_of_a_few_values(asked: StreamRequest) -> None:
    assert not asked.values


@pytest.mark.parametrize(
    "asked",
    [
        configured(),
        configured(responseMimeType="text/plain"),
        configured(responseFormat=[{"text": {"mimeType": "TEXT_PLAIN"}}, {"image": {}}]),
        configured(responseSchema=None),
        request(contents=[USER]),
        request(contents=[USER], generationConfig="application/json"),
    ],
)
def test_an_answer_in_prose_is_no_document(asked: StreamRequest) -> None:
    assert not asked.wants_document
    assert asked.schema is None


@pytest.mark.parametrize(
    "config",
    [
        {"responseSchema": SCHEMA},
        {"responseJsonSchema": SCHEMA},
        {"response_schema": SCHEMA},
        {"responseFormat": [{"text": {"schema": SCHEMA}}]},
    ],
)
def test_the_schema_is_the_one_that_was_asked_for(config: Json) -> None:
    assert configured(**config).schema == SCHEMA


@pytest.mark.parametrize(
    ("last", "answers"),
    [
        ({"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}, True),
        ({"role": "user", "parts": {"function_response": {"name": "f"}}}, True),
        ({"role": "user", "parts": [{"text": "a"}, {"functionResponse": {}}]}, True),
        (USER, False),
        ({"role": "user"}, False),
        ({"role": "user", "parts": [None]}, False),
    ],
)
def test_a_turn_that_answers_a_call_is_told_from_others(last: Json, answers: bool) -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}

    assert request(contents=[USER, call, last]).answers_a_call is answers


def test_only_the_last_turn_counts() -> None:
    response = {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}

    assert not request(contents=[response, USER]).answers_a_call


@pytest.mark.parametrize(
    ("config", "several"),
    [
        ({"candidateCount": 2}, True),
        ({"candidate_count": 3}, True),
        ({"candidateCount": 1}, False),
        ({"candidateCount": None}, False),
        ({"candidateCount": "2"}, False),
        ({}, False),
    ],
)
def test_several_candidates_are_seen(config: Json, several: bool) -> None:
    assert configured(**config).several is several


@pytest.mark.parametrize(
    ("tools", "server"),
    [
        ([{"googleSearch": {}}], True),
        ([{"google_search": {}}], True),
        ({"codeExecution": {}}, True),
        ([{"functionDeclarations": []}, {"urlContext": {}}], True),
        ([{"file_search": {"fileSearchStoreNames": []}}], True),
        ([{"functionDeclarations": []}], False),
        ([], False),
        (None, False),
        ([{"function_declarations": []}, {}], False),
        ([{"enterpriseWebSearch": {}}], True),
        ([{"retrieval": {}}], True),
        ([{"functionDeclarations": [], "aToolOfTomorrow": {}}], True),
        ("googleSearch", True),
        ([None, "googleSearch"], True),
    ],
)
def test_every_tool_but_functions_may_run_at_googles(tools: object, server: bool) -> None:
    assert request(contents=[USER], tools=tools).server_tools is server


@pytest.mark.parametrize("name", ["cachedContent", "cached_content"])
def test_a_cache_may_hold_tools(name: str) -> None:
    assert request(contents=[USER], **{name: "cachedContents/1"}).server_tools
    assert not request(contents=[USER], **{name: None}).server_tools


def test_a_request_that_cannot_be_read_may_name_tools() -> None:
    assert StreamRequest(b'{"tools": [], "tools": []}').server_tools
    assert not StreamRequest(b"{broken").server_tools


@pytest.mark.parametrize("name", ["continuationToken", "continuation_token"])
def test_a_request_that_itself_continues_says_so(name: str) -> None:
    assert request(contents=[USER], **{name: "t"}).continuation_token == "t"


# -- field masks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mask",
    [
        "",
        "  ",
        "*",
        "candidates",
        "candidates,usageMetadata",
        "usageMetadata, candidates",
        "candidates/*",
        "candidates(*)",
        "*/finishReason",
        "candidates/finishReason",
        "candidates.finishReason",
        "candidates.finish_reason,candidates.content",
        "candidates(content,finishReason),usageMetadata",
        "candidates( content / parts , finishReason )",
        "candidates(content(parts(text)),finish_reason)",
        "usageMetadata(totalTokenCount),candidates(content/parts/text),candidates/finishReason",
    ],
)
def test_a_mask_that_shows_the_end_is_told_from_others(mask: str) -> None:
    assert not hides_the_end(mask)


@pytest.mark.parametrize(
    "mask",
    [
        "usageMetadata",
        "candidates/content",
        "candidates.content",
        "candidates(content)",
        "candidates/content/*",
        "candidates(content(*))",
        "candidates(content/parts/text),usageMetadata/*",
        "candidates(content(parts(text,thought)),index)",
        "usageMetadata(candidates)",
        "promptFeedback(finishReason)",
        "candidatesX",
    ],
)
def test_a_mask_that_hides_the_end_is_seen(mask: str) -> None:
    assert hides_the_end(mask)


@given(st.text(st.sampled_from("ab*(),/. \n") | st.characters()))
def test_any_mask_is_judged(mask: str) -> None:
    assert isinstance(hides_the_end(mask), bool)


names = st.sampled_from(["content", "index", "finishReason", "tokenCount"])


@given(st.lists(names, min_size=1))
def test_grouped_and_listed_masks_are_judged_alike(fields: list[str]) -> None:
    grouped = f"candidates({','.join(fields)})"
    listed = ",".join(f"candidates/{field}" for field in fields)

    assert hides_the_end(grouped) is hides_the_end(listed) is ("finishReason" not in fields)


LONG = st.sampled_from([0, 10, 65_500, 65_536, 65_550, 131_060, 200_000]).map(lambda n: b"x" * n)
BITS = st.sampled_from([b'"', b'tools"', b'"tools":', b'ools"', b"tools", b'Uri"', b"\\", b"{"])


@given(st.lists(LONG | BITS, max_size=12).map(b"".join))
def test_a_name_is_found_wherever_it_stands(body: bytes) -> None:
    found = mentions(body, b'tools"', b'Uri"')

    assert found == (b'tools"' in body or b'Uri"' in body)


def test_a_request_says_what_stands_anywhere_in_it() -> None:
    body = '{"contents":[{"parts":[{"text":"Write \\"Sure, continuing:\\" first"}]}]}'
    assert StreamRequest(body.encode()).says("sure, continuing:")
    assert not StreamRequest(body.encode()).says("here is the rest")
