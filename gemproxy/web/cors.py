"""CORS: pages of named origins may call the proxy from a browser (Fetch standard, "CORS protocol").

Without configured origins this module does nothing, and an OPTIONS request goes to the upstream
like any other. With origins, preflights are answered here, and all other answers get our CORS
headers in place of the upstream's. Credentials in the browser's sense, cookies, are never allowed,
because the page itself must know the key and send it in a header. Health routes and the operator's
have no CORS headers.
"""

import re
from collections.abc import Collection, Iterable

import attrs
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gemproxy.admin.paths import is_admins
from gemproxy.web.checks import HEALTH, OPERATORS

ANY = "*"
_HERE = web.AppKey("preflights_answered_here", bool)
_PREFIX = "access-control-"
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_MAX_AGE_SECONDS = "7200"
_SENDABLE = re.compile(
    r"""accept | accept-language | api-revision | authorization | content-type | http-referer
      | idempotency-key | last-event-id | range | if-none-match | user-agent
      | x-request-id | x-server-timeout | x-title
      | (?: openai | x-goog | x-gemproxy | x-stainless ) - [a-z0-9-]+""",
    re.VERBOSE,
)
"""The request headers of the SDKs; "*" would not cover Authorization."""
_READABLE = re.compile(
    r"""content-disposition | content-range | location | retry-after | server-timing
      | x-request-id | x-should-retry | ratelimit | ratelimit-policy
      | (?: openai | x-goog | x-gemproxy | x-guploader | x-ratelimit ) - [a-z0-9-]+""",
    re.VERBOSE,
)


@attrs.frozen
class Cors:
    """The permissions of pages of ``origins``; "*" among them stands for all."""

    origins: Collection[str]

    def apply_to(self, app: web.Application) -> None:
        """Make ``app`` answer preflights and add headers to answers, if there are origins."""
        if self.origins:
            app[_HERE] = True
            app.middlewares.append(self._middleware())
            app.on_response_prepare.append(self.mark)

    def allows(self, origin: str) -> bool:
        """Return whether pages of ``origin`` may call."""
        return ANY in self.origins or origin.lower() in self.origins

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the page's permissions to an answer: to read it, or to send the asked request."""
        if _is_our_own(request):
            return
        for name in {name for name in response.headers if name.lower().startswith(_PREFIX)}:
            response.headers.popall(name, None)
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin", "")
        if not origin or not self.allows(origin):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        if not _is_preflight(request):
            readable = _matching(_READABLE, response.headers)
            response.headers["Access-Control-Expose-Headers"] = readable
            return
        asked = request.headers.get("Access-Control-Request-Headers", "").split(",")
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _matching(_SENDABLE, asked)
        response.headers["Access-Control-Max-Age"] = _MAX_AGE_SECONDS

    def _middleware(self) -> Middleware:
        @web.middleware
        async def preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
            if _is_our_own(request) or not _is_preflight(request):
                return await handler(request)
            if not self.allows(request.headers["Origin"]):
                raise web.HTTPForbidden(reason="Pages of this origin may not call the proxy.")
            return web.Response(status=204)

        return preflights


def answers_preflight(request: web.Request) -> bool:
    """Return whether the request is a preflight that is answered here."""
    return _is_preflight(request) and request.app.get(_HERE, False)


def _is_preflight(request: web.Request) -> bool:
    asks = "Access-Control-Request-Method" in request.headers
    return request.method == "OPTIONS" and asks and "Origin" in request.headers


def _is_our_own(request: web.Request) -> bool:
    """Return whether the path is a health route's or the operator's.

    An OPTIONS request has no health route.
    """
    if request.path.strip("/") in HEALTH or request.match_info.route.name in OPERATORS:
        return True
    return is_admins(request.rel_url.raw_path)


def _matching(pattern: re.Pattern[str], names: Iterable[str]) -> str:
    wanted = (name.strip() for name in names)
    return ", ".join(dict.fromkeys(name for name in wanted if pattern.fullmatch(name.lower())))
