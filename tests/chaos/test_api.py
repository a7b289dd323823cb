"""Routes, credentials and the small answers."""

import json
from typing import Any

import pytest

from gemproxy.chaos.api import (
    Refused,
    Route,
    check_credential,
    checked_route,
    error_reply,
    framing_of,
    model_list,
    prompt_tokens,
    route_of,
    token_count,
    unary_reply,
)
from gemproxy.chaos.framing import Framing, Style
from gemproxy.chaos.refusals import Refusal
from gemproxy.chaos.wire import Request
from tests.chaos.client import HELLO

KEY = (("x-goog-api-key", "test-key"),)


def request(
    target: str,
    method: str = "POST",
    headers: tuple[tuple[str, str], ...] = KEY,
    document: object = HELLO,
) -> Request:
    return Request(method, target, "HTTP/1.1", headers, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("method", "target", "route"),
    [
        ("POST", "/v1/models/g:generateContent", Route("v1", "g", "generateContent")),
        ("POST", "/v1beta/models/g-1.5:countTokens", Route("v1beta", "g-1.5", "countTokens")),
        ("POST", "/v1/tunedModels/t:generateContent", Route("v1", "t", "generateContent")),
        (
            "POST",
            "/base/path//v1alpha/models/g:streamGenerateContent?alt=sse",
            Route("v1alpha", "g", "streamGenerateContent"),
        ),
        ("POST", "/v1/endpoints/12:generateContent", Route("v1", "12", "generateContent")),
        ("POST", "/v1/models/a/b:c:countTokens", Route("v1", "a/b:c", "countTokens")),
        ("POST", "/v1/models%2Fg%3AcountTokens", Route("v1", "g", "countTokens")),
        (
            "POST",
            "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            Route("v1", "g", "generateContent"),
        ),
        ("GET", "/v1/models", Route("v1", "", "")),
        ("GET", "/v1/models?pageSize=5", Route("v1", "", "")),
        ("GET", "/v1/models/g", Route("v1", "g", "")),
        ("GET", "/v1/models/g:generateContent", None),
        ("POST", "/v1/models", None),
        ("POST", "/v1/models/g:embedContent", None),
        ("GET", "/v1/files", None),
        ("GET", "/", None),
    ],
)
def test_routes_are_found_under_any_version_and_base_path(
    method: str, target: str, route: Route | None
) -> None:
    assert route_of(request(target, method)) == route


@pytest.mark.parametrize(
    ("query", "framing"),
    [
        ("alt=sse", Framing(Style.SSE, "\n")),
        ("$alt=sse", Framing(Style.SSE, "\n")),
        ("%24alt=sse", Framing(Style.SSE, "\n")),
        ("", Framing(Style.ARRAY, "\n")),
        ("alt=json", Framing(Style.ARRAY, "\n")),
        ("$alt=json;enum-encoding=int", Framing(Style.ARRAY, "\n", int_enums=True)),
    ],
)
def test_the_query_decides_the_form_of_a_stream(query: str, framing: Framing) -> None:
    asked = request(f"/v1/models/g:streamGenerateContent?{query}")
    assert framing_of(asked, route_of(asked), "\n") == framing


def test_what_is_no_stream_is_unary() -> None:
    asked = request("/v1/models/g:generateContent?alt=sse")
    assert framing_of(asked, route_of(asked)).style is Style.UNARY


@pytest.mark.parametrize("headers", [KEY, (("authorization", "Bearer test"),)])
def test_the_check_of_one_credential_raises_nothing(headers: tuple[tuple[str, str], ...]) -> None:
    check_credential(request("/v1/models", "GET", headers))


@pytest.mark.parametrize(
    ("target", "headers", "status", "violation"),
    [
        ("/v1/models", (), 403, False),
        ("/v1/models", KEY * 2, 400, True),
        ("/v1/models", (*KEY, ("authorization", "Bearer test")), 400, True),
        ("/v1/models?key=test-key", (), 400, True),
        ("/v1/models?key=test-key", KEY, 400, True),
    ],
)
def test_any_other_number_of_credentials_is_refused(
    target: str, headers: tuple[tuple[str, str], ...], status: int, *, violation: bool
) -> None:
    with pytest.raises(Refused) as caught:
        check_credential(request(target, "GET", headers))
    assert (caught.value.status, caught.value.violation) == (status, violation)
    assert "test-key" not in caught.value.message


@pytest.mark.parametrize(
    ("target", "document", "status"),
    [
        ("/v1/files", HELLO, 404),
        ("/v1/models/unknown:generateContent", HELLO, 404),
        ("/v1/models/g:generateContent", {}, 400),
        ("/v1/models/g:countTokens", {"contents": []}, 400),
        ("/v1/models/g:generateContent", "no object", 400),
    ],
)
def test_requests_that_cannot_be_answered_are_refused(
    target: str, document: object, status: int
) -> None:
    with pytest.raises(Refused) as caught:
        checked_route(request(target, document=document), lambda model: model == "g")
    assert caught.value.status == status


def test_a_good_request_has_a_route() -> None:
    asked = request("/v1/models/g:generateContent")
    assert checked_route(asked, lambda model: model == "g").generates


def test_errors_are_worded_as_google_words_them() -> None:
    reply = error_reply(404, "Not there.", Framing(Style.UNARY))
    assert json.loads(reply.body)["error"] == {
        "code": 404,
        "message": "Not there.",
        "status": "NOT_FOUND",
    }


@pytest.mark.parametrize(
    ("document", "count"),
    [
        (HELLO, 2),
        ({"contents": "Hello", "systemInstruction": {"parts": [{"text": "Be kind."}]}}, 4),
        ({"contents": "Hello", "system_instruction": "Be kind."}, 4),
        ({"generateContentRequest": HELLO}, 2),
        ({"contents": [{"parts": []}]}, 1),
    ],
)
def test_prompt_tokens_follow_the_text_of_the_request(document: dict[str, Any], count: int) -> None:
    assert prompt_tokens(document) == count
    assert token_count(document)["totalTokens"] == count


def test_models_are_listed_and_shown() -> None:
    listed = model_list(["a", "b"])["models"]
    assert [model["name"] for model in listed] == ["models/a", "models/b"]
    route = Route("v1", "a", "")
    shown = unary_reply(route, request("/v1/models/a", "GET"), ["a", "b"])
    assert json.loads(shown.body) == listed[0]
    every = unary_reply(Route("v1", "", ""), request("/v1/models", "GET"), ["a", "b"])
    assert json.loads(every.body)["models"] == listed


def test_tokens_are_counted() -> None:
    asked = request("/v1/models/a:countTokens")
    reply = unary_reply(Route("v1", "a", "countTokens"), asked, [])
    assert json.loads(reply.body)["totalTokens"] == 2


def test_a_refusal_in_googles_words_keeps_its_code_and_its_details() -> None:
    refusal = Refusal(400, "Not here.", ({"@type": "x"},), code="FAILED_PRECONDITION")
    reply = Refused.by(refusal).reply(Framing(Style.UNARY))

    assert reply.status == 400
    assert json.loads(reply.body)["error"] == {
        "code": 400,
        "message": "Not here.",
        "status": "FAILED_PRECONDITION",
        "details": [{"@type": "x"}],
    }
