"""Refuses requests that another HTTP implementation could read differently.

aiohttp's parser refuses requests that violate RFC 9112: two lengths, obsolete folding, bare line
ends, invalid chunk sizes. We also refuse

- a transfer coding other than ``chunked``, or any in HTTP/1.0 (RFC 9112 section 6.1): a proxy in
  front may determine the length in another way;
- a version other than HTTP/1.x: HTTP/0.9 has no headers, HTTP/2.0 is not a text protocol;
- a Host other than a host and a port (RFC 9110 section 7.2): ``x/?`` makes some libraries read
  another path than the routed one;
- CONNECT, because the proxy is not a tunnel.

All of this applies to aiohttp's parser in C (``relay.parser``).
"""

import re
from collections.abc import Iterable

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion10, HttpVersion11

from gemproxy.admin.page import FAMILY
from gemproxy.admin.paths import ADMIN

HEALTH = frozenset({"health", "healthz", "livez", "readyz", "status", "wake"})
"""The names of the routes that are neither counted nor worth a line in a log."""

UNCOUNTED = HEALTH | {"metrics", "selftest"}
"""The names of the routes that the metrics do not count: who looks changes nothing."""

OPERATORS = frozenset({ADMIN, FAMILY, "metrics", "debug_info"})
"""The families of requests that the operator makes: behind the guard, not the door."""

KEYLESS = HEALTH | OPERATORS | {"picture", "prefixed_picture", "selftest"}
"""The names of the routes that ask for no key; nothing of their requests goes up."""

_HOST = re.compile(r"(?:[A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
_CONTINUE = "100-continue"


def ambiguity(request: web.BaseRequest) -> str | None:
    """Return a sentence about the ambiguity of a request, or None."""
    if not HttpVersion10 <= request.version <= HttpVersion11:
        return "This server speaks HTTP/1.0 and HTTP/1.1."
    if request.method == hdrs.METH_CONNECT:
        return "This server is no tunnel."
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and (
        coding.strip().lower() != "chunked" or request.version == HttpVersion10
    ):
        return "The Transfer-Encoding is not supported."
    if not _HOST.fullmatch(request.headers.get(hdrs.HOST, "")):
        return "The Host header is no host with an optional port."
    return None


def answering_expectations(routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """Return ``routes`` without aiohttp's handler for ``Expect``, which runs before middlewares.

    It answers an unknown expectation in plain text and without a log line, and asks for a body
    before anything is known about the request. ``go_on`` takes its place.
    """
    return [
        web.RouteDef(
            route.method, route.path, route.handler, {**route.kwargs, "expect_handler": _later}
        )
        for route in routes
    ]


def stops_the_parser(request: web.BaseRequest) -> bool:
    """Return whether the request asks for an upgrade other than WebSocket, such as ``h2c``.

    aiohttp stops parsing after one; after a refused WebSocket the connection stays usable.
    """
    return request.headers.get(hdrs.UPGRADE, "websocket").lower() != "websocket"


def is_unknown_expectation(request: web.BaseRequest) -> bool:
    """Return whether the request has an expectation other than 100-continue (RFC 9110, 10.1.1)."""
    return request.headers.get(hdrs.EXPECT, _CONTINUE).lower() != _CONTINUE


async def go_on(request: web.Request) -> None:
    """Ask for a body that the client holds back."""
    if request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


async def _later(_: web.Request) -> None:
    """Leave the expectation to the middlewares."""
