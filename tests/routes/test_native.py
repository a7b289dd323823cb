"""A request of OpenAI's clients as the one to Gemini that answers it."""

import pytest
from multidict import CIMultiDict

from gemproxy.core.errors import BadField, BadRequest, UpstreamRejection
from gemproxy.exchange.account import Account
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.pages import Refusal
from gemproxy.routes.native import document_of, in_path, native, passed_to_openai, retold


def exchange(headers: dict[str, str], access: str = "") -> Exchange:
    account = Account(access)
    return Exchange("id", "chat", "POST", "/v1/chat/completions", "", CIMultiDict(headers), account)


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"Authorization": "Bearer AIzaX"}, {"x-goog-api-key": "AIzaX"}),
        ({"Authorization": "Bearer AQ.x"}, {"x-goog-api-key": "AQ.x"}),
        ({"Authorization": "Bearer other"}, {"x-goog-api-key": "other"}),
        ({"authorization": "bearer  other "}, {"x-goog-api-key": "other"}),
        ({"x-goog-api-key": "k", "Authorization": "Bearer t"}, {"x-goog-api-key": "k"}),
        ({"Authorization": "Bearer ya29.t"}, {"Authorization": "Bearer ya29.t"}),
        ({"Authorization": "Bearer eyJa.b.c"}, {"Authorization": "Bearer eyJa.b.c"}),
        ({}, {}),
    ],
)
async def test_a_key_goes_up_as_a_key_whatever_its_form(
    headers: dict[str, str], sent: dict[str, str]
) -> None:
    towards = native(exchange(headers), "m", "generateContent")

    assert {**towards.headers} == {**sent, "Content-Type": "application/json"}
    assert (towards.method, towards.raw_target) == ("POST", "/v1beta/models/m:generateContent")


async def test_an_access_key_does_not_go_up() -> None:
    towards = native(exchange({"Authorization": "Bearer gp-key"}, "ann"), "m", "x")

    assert {**towards.headers} == {"Content-Type": "application/json"}
    assert towards.caller is None


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-x", "models/gemini-x"),
        ("models/gemini-x", "models/gemini-x"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("a?b#c d", "models/a%3Fb%23c%20d"),
        ("x:thinking", "models/x%3Athinking"),
    ],
)
def test_a_model_stands_in_the_path(model: str, path: str) -> None:
    assert in_path(model) == path


@pytest.mark.parametrize("model", ["", "models/", "..", "a/../b", " ", "/"])
def test_what_is_no_name_is_refused(model: str) -> None:
    with pytest.raises(BadField):
        in_path(model)


def test_a_body_must_be_one_clear_object() -> None:
    assert document_of(b'{"a": 1}') == {"a": 1}
    with pytest.raises(BadRequest):
        document_of(b'{"a": 1, "a": 1}')


def test_few_headers_come_down() -> None:
    given = {"Retry-After": "1", "x-gemini-service-tier": "flex", "Vary": "x", "Content-Type": "y"}

    assert {**passed_to_openai("text/event-stream", given)} == {
        "Content-Type": "text/event-stream",
        "Retry-After": "1",
        "x-gemini-service-tier": "flex",
    }


def test_the_wait_of_a_refusal_is_kept() -> None:
    error = retold(Refusal(429, {"Retry-After": "7"}, b"{}"))

    assert isinstance(error, UpstreamRejection)
    assert (error.rejected_with, error.headers(1)) == (429, {"Retry-After": "7"})


def test_a_redirect_is_a_failure() -> None:
    assert not isinstance(retold(Refusal(302, {}, b"")), UpstreamRejection)
