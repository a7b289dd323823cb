"""An exchange: what is found of a request when it is asked for, and what is derived from it."""

import pytest
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import BadRequest
from gemproxy.exchange.account import CallResult, SessionResult
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange

PATH = "/v1beta/models/m:generateContent"
BASE = URL("https://upstream.example")


def an_exchange(
    path: str = PATH, query: str = "", headers: dict[str, str] | None = None
) -> Exchange:
    return Exchange("id", "generate", "POST", path, query, CIMultiDict(headers or {}))


def test_a_request_that_cannot_be_forwarded_has_an_exchange_until_it_is_to_go_somewhere() -> None:
    exchange = an_exchange("/v1/../m")

    assert exchange.path == "/v1/../m"
    with pytest.raises(BadRequest):
        _ = exchange.target
    with pytest.raises(BadRequest):
        _ = exchange.caller


def test_the_caller_is_who_the_headers_or_the_query_name() -> None:
    assert an_exchange().caller is None
    assert an_exchange(query="key=k").caller == Credential.api_key("k")
    header = an_exchange(query="key=k", headers={"x-goog-api-key": "h"})
    assert header.caller == Credential.api_key("h")


def test_the_target_has_the_query_without_the_credential() -> None:
    exchange = an_exchange(query="alt=sse&key=k")

    assert exchange.target.on(BASE).raw_path_qs == f"{PATH}?alt=sse"
    assert exchange.raw_target == f"{PATH}?alt=sse&key=k"
    assert an_exchange().raw_target == PATH


def test_names_are_read_in_the_decoded_path() -> None:
    exchange = an_exchange("/v1beta%2Ffiles%2Fabc%3Adownload")

    assert exchange.bound == ("files/abc",)
    assert an_exchange("/v1beta/models%2Fx:generateContent").model == "x"


async def test_an_exchange_prints_no_secret() -> None:
    exchange = an_exchange(query="key=test-key", headers={"x-goog-api-key": "test-key"})
    exchange = exchange.at(URL("https://s.example/?test-key"), Credential.api_key("test-key"))

    assert "test-key" not in repr(exchange)


async def test_the_deadline_runs_from_the_first_time_that_it_is_asked_for() -> None:
    exchange = an_exchange(headers={"X-Server-Timeout": "60"})

    assert exchange.deadline is exchange.deadline
    assert exchange.deadline.seconds == 60


async def test_a_derived_exchange_is_the_same_request_towards_another_place() -> None:
    exchange = an_exchange(headers={"x-goog-api-key": "k", "X-Server-Timeout": "60"})

    stream = exchange.towards("/v1beta/models/n:streamGenerateContent?alt=sse", "GET")

    assert (stream.method, stream.model) == ("GET", "n")
    assert stream.target.on(BASE).raw_query_string == "alt=sse"
    assert stream.deadline is exchange.deadline
    assert stream.account is exchange.account
    assert stream.caller == exchange.caller
    assert exchange.towards("/v1/x").method == "POST"


async def test_a_url_that_was_given_out_has_its_own_credential_or_none() -> None:
    exchange = an_exchange(headers={"x-goog-api-key": "k"})
    url = URL("https://storage.example/session")

    given = exchange.at(url, Credential.api_key("session"))

    assert given.target.on(BASE) == url
    assert given.caller == Credential.api_key("session")
    assert given.given is not None
    assert exchange.given is None
    assert exchange.at(url, None).caller is None


def test_an_account_counts_attempts_as_far_as_it_was_told() -> None:
    account = an_exchange().account
    assert account.attempts == 1

    account.result = CallResult(3, [], repair=True)
    assert account.attempts == 3

    account.result = SessionResult(0, 0, 0, 0)
    assert account.attempts == 1
