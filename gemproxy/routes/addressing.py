"""The addresses that hold for one request: the upstream's base, and ours as its client sees it."""

from aiohttp import web

from gemproxy.keys import BASE_URL, PUBLIC_URL
from gemproxy.relay.addresses import Addresses, addresses, may_hold_uris


def addresses_of(request: web.Request) -> Addresses:
    """Return the addresses for the client of ``request``."""
    app = request.app
    return addresses(app[BASE_URL], app[PUBLIC_URL], request.scheme, request.headers)


def with_upstream_uris(request: web.Request, body: bytes) -> bytes:
    """Return a request body in memory with Google's URIs for files in place of ours."""
    if not may_hold_uris(body):
        return body
    edited = addresses_of(request).inward(body)
    return body if edited is None else edited
