"""Which requests are refused because somebody could read them otherwise."""

import pytest
from aiohttp import web
from aiohttp.http import HttpVersion
from aiohttp.test_utils import make_mocked_request

from gemproxy.routes import ROUTES
from gemproxy.web.checks import (
    ambiguity,
    answering_expectations,
    is_unknown_expectation,
    stops_the_parser,
)


def request(
    method: str = "GET", version: tuple[int, int] = (1, 1), **headers: str
) -> web.BaseRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request(method, "/v1beta/models", named, version=HttpVersion(*version))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1:8000",
        "[::1]:8000",
        "proxy.example.",
        "xn--bcher-kva.example:443",
        "a_b",
        "",
        ":80",
    ],
)
def test_a_host_with_an_optional_port_is_clear(host: str) -> None:
    assert ambiguity(request(Host=host)) is None


@pytest.mark.parametrize(
    "host", ["x/?", "x/#", "x?", "a@b", "a b", "a:b", "a:123456", "[::1", "::1", "a\\b", "bücher"]
)
def test_a_host_that_is_more_or_less_is_refused(host: str) -> None:
    assert "Host" in (ambiguity(request(Host=host)) or "")


@pytest.mark.parametrize("version", [(0, 9), (1, 2), (1, 9), (2, 0), (3, 0)])
def test_another_version_is_refused(version: tuple[int, int]) -> None:
    assert ambiguity(request(version=version))


def test_only_chunked_is_a_transfer_coding_and_only_in_http_1_1() -> None:
    assert ambiguity(request(Transfer_Encoding=" Chunked")) is None
    assert ambiguity(request(Transfer_Encoding="gzip, chunked"))
    assert ambiguity(request(Transfer_Encoding="identity"))
    assert ambiguity(request(version=(1, 0), Transfer_Encoding="chunked"))


def test_there_is_no_tunnel() -> None:
    assert ambiguity(request("CONNECT"))


def test_only_a_body_that_is_held_back_may_be_expected() -> None:
    assert not is_unknown_expectation(request())
    assert not is_unknown_expectation(request(Expect="100-Continue"))
    assert is_unknown_expectation(request(Expect="200-maybe"))


def test_another_protocol_stops_the_parser_and_a_websocket_does_not() -> None:
    assert stops_the_parser(request(Upgrade="h2c"))
    assert not stops_the_parser(request(Upgrade="WebSocket"))
    assert not stops_the_parser(request())


def test_every_route_answers_expectations_our_way() -> None:
    routes = answering_expectations(ROUTES)

    assert [route.path for route in routes] == [route.path for route in ROUTES]
    assert all("expect_handler" in route.kwargs for route in routes)
