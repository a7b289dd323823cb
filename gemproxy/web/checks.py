"""Requests that another HTTP implementation could read otherwise, and are refused for it.

aiohttp's parser refuses what is wrong by RFC 9112: two lengths, obsolete folding, bare line
ends, chunk sizes that are none. What it lets through and we do not:

- a transfer coding other than ``chunked``, or any in HTTP/1.0 (RFC 9112 section 6.1): what is
  in front may take the length from elsewhere;
- a version that is not HTTP/1.x: HTTP/0.9 has no headers, HTTP/2.0 is not spoken in text;
- a Host that is more than a host and a port (RFC 9110 section 7.2): ``x/?`` makes some
  libraries read another path than the one that was routed;
- CONNECT: this is no tunnel.

All of this is true of aiohttp's parser in C. The one in Python, which takes its place where the
extension is missing or AIOHTTP_NO_EXTENSIONS is set, has let requests be smuggled before
(CVE-2023-47627, CVE-2025-69224) and is slow, so that nothing is served with it.
"""

import re
from collections.abc import Iterable

from aiohttp import hdrs, web
from aiohttp.http import HttpRequestParser, HttpVersion10, HttpVersion11
from aiohttp.http_parser import HttpRequestParserPy

_HOST = re.compile(r"(?:[A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
_CONTINUE = "100-continue"


def parses_in_c() -> bool:
    """Tell whether aiohttp reads requests with its extension, and not with Python."""
    return HttpRequestParser is not HttpRequestParserPy


def ambiguity(request: web.BaseRequest) -> str | None:
    """Return what is ambiguous about a request, as a sentence, or None."""
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
    """Return ``routes`` with our handler for ``Expect``, which runs before any middleware.

    aiohttp's own answers an unknown expectation itself, in plain text and without a log line.
    """
    return [
        web.RouteDef(
            route.method, route.path, route.handler, {**route.kwargs, "expect_handler": _expect}
        )
        for route in routes
    ]


def stops_the_parser(request: web.BaseRequest) -> bool:
    """Tell a wish to speak another protocol, such as ``h2c``, after which aiohttp reads no more.

    A WebSocket that is refused leaves the connection usable.
    """
    return request.headers.get(hdrs.UPGRADE, "websocket").lower() != "websocket"


def is_unknown_expectation(request: web.BaseRequest) -> bool:
    """Tell an expectation that cannot be met (RFC 9110 section 10.1.1)."""
    return request.headers.get(hdrs.EXPECT, _CONTINUE).lower() != _CONTINUE


async def _expect(request: web.Request) -> None:
    """Invite the body that a client holds back; what else it expects is refused later."""
    if request.version == HttpVersion11 and not is_unknown_expectation(request):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
