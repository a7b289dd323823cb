"""Which form is asked next, after refusals and after failures."""

import json

import pytest

from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.forms import Forms, is_about_form
from gemproxy.core.repair.request import StreamRequest
from tests.gemini import BODY, REQUEST

TURN = (
    b'{"error": {"code": 400, "message": "Requests ending with a model turn are not supported."}}'
)
LENGTH = b'{"error": {"code": 400, "message": "The input token count exceeds the maximum."}}'


def forms(usual: Form = Form.ECHO, *, capped: bool = False) -> Forms:
    config = {"generationConfig": {"maxOutputTokens": 100}} if capped else {}
    body = json.dumps({**REQUEST, **config}).encode() if capped else BODY
    return Forms(StreamRequest(body), usual)


@pytest.mark.parametrize(
    ("message", "about"),
    [
        ("Requests ending with a model turn are not supported.", True),
        ("Please ensure that multiturn requests alternate between user and model.", True),
        ("Please ensure that multiturn requests ends with a user role.", True),
        ("The thinking_budget must be below max_output_tokens.", True),
        ("Prefill is not supported for this model.", True),
        ("The input token count exceeds the maximum.", False),
        ("User location is not supported for the API use.", False),
        ("API key not valid. Please pass a valid API key.", False),
        ("", False),
    ],
)
def test_a_refusal_is_known_by_its_words(message: str, about: bool) -> None:
    assert is_about_form(json.dumps({"error": {"message": message}}).encode()) is about


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": {}}'])
def test_a_body_without_words_refuses_no_form(body: bytes) -> None:
    assert not is_about_form(body)


@pytest.mark.parametrize(
    ("capped", "order"),
    [
        (False, [Form.ECHO, Form.QUOTED, Form.PREFILL]),
        (True, [Form.ECHO, Form.UNCAPPED, Form.QUOTED, Form.PREFILL]),
    ],
)
def test_refusals_go_down_the_ladder(capped: bool, order: list[Form]) -> None:
    asked = forms(capped=capped)
    seen = [asked.present]
    while asked.refused(TURN):
        seen.append(asked.present)

    assert seen == order
    assert asked.lesson is Form.PREFILL


def test_a_refusal_of_the_request_moves_nothing() -> None:
    asked = forms()

    assert not asked.refused(LENGTH)
    assert asked.present is Form.ECHO
    assert asked.lesson is None


@pytest.mark.parametrize(
    ("usual", "order"),
    [
        (Form.ECHO, [Form.QUOTED, Form.ECHO, Form.QUOTED]),
        (Form.QUOTED, [Form.ECHO, Form.QUOTED, Form.ECHO]),
        (Form.UNCAPPED, [Form.QUOTED, Form.UNCAPPED, Form.QUOTED]),
        (Form.PREFILL, [Form.PREFILL, Form.PREFILL, Form.PREFILL]),
    ],
)
def test_failures_ask_two_forms_by_turns(usual: Form, order: list[Form]) -> None:
    asked, seen = forms(usual), []
    for _ in range(3):
        asked.failed()
        seen.append(asked.present)

    assert seen == order
    assert asked.last
    assert asked.lesson is None


@pytest.mark.parametrize("body", [TURN, LENGTH])
def test_a_form_reached_by_failure_and_refused_leads_back(body: bytes) -> None:
    asked = forms()
    asked.failed()

    assert asked.refused(body)
    assert [asked.present, asked.lesson, asked.ways] == [Form.ECHO, None, 1]


def test_a_form_that_was_refused_is_no_alternative() -> None:
    asked = forms()
    asked.refused(TURN)
    asked.failed()

    assert asked.present is Form.QUOTED
