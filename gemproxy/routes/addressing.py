"""The addresses that hold for one request: the upstream's base, and ours as its client sees it."""

from collections.abc import Mapping

from aiohttp import web
from multidict import CIMultiDict

from gemproxy.relay.addresses import Addresses, addresses, may_hold_uris
from gemproxy.relay.headers import downstream_headers
from gemproxy.routes.parts import CLIENTS, DISPATCHER


def addresses_of(request: web.Request) -> Addresses:
    """Return the addresses for the client of ``request``."""
    app = request.app
    public_url = app[CLIENTS].public_url
    return addresses(app[DISPATCHER].base, public_url, request.scheme, request.headers)


def passed_down(request: web.Request, headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers of an answer whose body is ours; a redirect stays on our base."""
    passed = downstream_headers(headers, rewritten=True)
    move_location(request, passed)
    return passed


def move_location(request: web.Request, headers: CIMultiDict[str]) -> None:
    """Let a redirect within the upstream lead to us, in the headers of an answer."""
    if "Location" in headers:
        headers["Location"] = addresses_of(request).location(headers["Location"])


def with_upstream_uris(request: web.Request, body: bytes) -> bytes:
    """Return a request body in memory with Google's URIs for files in place of ours."""
    if not may_hold_uris(body):
        return body
    edited = addresses_of(request).inward(body)
    return body if edited is None else edited
