"""The answer that a request gets: the script's, or one that fits better."""

import json
from typing import Any

import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.documents import NoExample
from gemproxy.chaos.fitting import fitting
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.core.seam.document import is_document

HELLO = {"role": "user", "parts": [{"text": "Hello"}]}
CALL = {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]}
RESPONSE = {"functionResponse": {"name": "get_weather", "response": {"sky": "größer"}}}
STORY = BUILT_IN["story"]
SCHEMA = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}
ENUM = {"type": "STRING", "enum": ["yes", "no"]}


def conversation(*parts: object, **config: Any) -> dict[str, Any]:
    """Return a request: a greeting, a call, and these parts behind it, where there are any."""
    behind = [CALL, {"role": "user", "parts": list(parts)}] if parts else []
    return {"contents": [HELLO, *behind], "generationConfig": config}


def wanting_json(**config: Any) -> dict[str, Any]:
    return conversation(responseMimeType="application/json", **config)


@pytest.mark.parametrize("name", ["call", "streamed-call"])
def test_a_call_that_was_responded_to_is_followed_by_a_text(name: str) -> None:
    answer = fitting(BUILT_IN[name], conversation(RESPONSE), documents=False)

    assert answer.calls == ()
    assert (
        answer.text == 'Here is what get_weather has found out, told as it came: {"sky": "größer"}'
    )


def test_every_response_to_parallel_calls_is_in_the_text() -> None:
    snake = {"function_response": {"name": "get_time", "response": {"hour": 5}}}

    said = fitting(BUILT_IN["call"], conversation(RESPONSE, snake), documents=False).text

    assert [line.split()[3] for line in said.splitlines()] == ["get_weather", "get_time"]


def test_the_next_turn_gets_its_call_again() -> None:
    told = {"role": "model", "parts": [{"text": "Cold."}]}
    further = {"role": "user", "parts": [{"text": "And tomorrow?"}]}
    contents = [*conversation(RESPONSE)["contents"], told, further]

    assert fitting(BUILT_IN["call"], {"contents": contents}, documents=True) == BUILT_IN["call"]


def test_a_call_is_made_before_the_json_that_was_asked_for() -> None:
    asked = {**wanting_json(), "tools": [{"functionDeclarations": [{"name": "get_weather"}]}]}

    assert fitting(BUILT_IN["call"], asked, documents=True) == BUILT_IN["call"]


def test_json_is_told_instead_of_a_call_where_there_is_no_tool() -> None:
    assert fitting(BUILT_IN["call"], wanting_json(), documents=True).calls == ()


def test_a_call_is_made_without_tools_where_no_json_is_asked_for() -> None:
    assert fitting(BUILT_IN["call"], conversation(), documents=True) == BUILT_IN["call"]


def test_an_answer_without_calls_is_told_to_a_response_too() -> None:
    assert fitting(STORY, conversation(RESPONSE), documents=True) == STORY


def test_a_request_for_json_gets_a_document_with_the_text() -> None:
    said = fitting(STORY, wanting_json(), documents=True).text

    assert json.loads(said) == {"text": STORY.text}


@pytest.mark.parametrize(
    "config",
    [
        {"responseMimeType": "application/json", "responseSchema": SCHEMA},
        {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
        {"responseFormat": {"text": {"mimeType": "APPLICATION_JSON", "schema": SCHEMA}}},
    ],
)
def test_a_request_with_a_schema_gets_a_document_of_it(config: dict[str, Any]) -> None:
    said = fitting(BUILT_IN["grounded"], conversation(**config), documents=True)

    assert is_document(said.text, SCHEMA)
    assert said.citations == ()


def test_a_document_is_told_as_it_is_if_it_is_the_one_asked_for() -> None:
    document = Answer('{"n": 4}')

    assert fitting(document, wanting_json(responseSchema=SCHEMA), documents=True) == document
    assert fitting(BUILT_IN["json"], wanting_json(), documents=True) == BUILT_IN["json"]


def test_a_request_for_an_enum_gets_one_of_its_names() -> None:
    asked = conversation(responseMimeType="text/x.enum", responseSchema=ENUM)

    assert fitting(STORY, asked, documents=True).text == "yes"
    assert fitting(Answer("no"), asked, documents=True).text == "no"


def test_a_response_is_told_in_json_where_that_is_asked_for() -> None:
    asked = conversation(RESPONSE, responseMimeType="application/json", responseSchema=SCHEMA)

    assert is_document(fitting(BUILT_IN["call"], asked, documents=True).text, SCHEMA)


@pytest.mark.parametrize("name", ["empty", "thoughts-only", "blocked"])
def test_an_answer_without_a_text_stays_without_one(name: str) -> None:
    assert fitting(BUILT_IN[name], wanting_json(), documents=True) == BUILT_IN[name]


def test_a_script_says_what_it_says_unless_it_is_told_to_fit() -> None:
    assert fitting(STORY, wanting_json(responseSchema=SCHEMA), documents=False) == STORY


def test_a_schema_without_an_example_says_so() -> None:
    with pytest.raises(NoExample):
        fitting(STORY, wanting_json(responseJsonSchema={"$ref": "#"}), documents=True)
