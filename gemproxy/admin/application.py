"""The application of the admin API: its rows in, answers out.

The guard comes first, so nobody without the secret learns which paths there are. Each path is
served in one spelling; every other target that means the API (``admin.paths``) is answered with
404. HEAD is GET without the body; the other methods get 405 with ``Allow``.

Answers are JSON, and no store may keep them. Errors are raised, and become answers where those of
all routes do.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import attrs
import msgspec
from aiohttp import web

from gemproxy.admin.desk import Desk
from gemproxy.admin.guard import Guard
from gemproxy.admin.reading import body_of, query_of
from gemproxy.admin.route import Call, Route, Text
from gemproxy.core.errors import BadRequest, Encoded, Unrouted, WrongMethod
from gemproxy.relay.incoming import Incoming, error_for

ACTOR = "operator"
"""Who asks, for the audit: whoever has the secret."""

_LIMIT = 8 << 20
"""Bytes of a request's body: some ten thousand keys."""

_PART = re.compile(r"\\\{(\w+)\\\}")


@attrs.frozen(eq=False)
class Place:
    """A path of the API: the pattern of its spelling, and its rows by method."""

    pattern: re.Pattern[str]
    rows: Mapping[str, Route]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the path takes."""
        return (*self.rows, "HEAD") if "GET" in self.rows else tuple(self.rows)


def places_of(rows: Sequence[Route]) -> list[Place]:
    """Return the paths of rows; a path that is spelt out goes before one with parts."""
    paths: dict[str, dict[str, Route]] = {}
    for row in rows:
        of_path = paths.setdefault(row.base + row.path, {})
        assert row.method not in of_path, f"{row.method} {row.path} has two rows"  # noqa: S101
        of_path[row.method] = row
    ordered = sorted(paths, key=lambda path: path.count("{"))
    return [Place(_pattern(path), paths[path]) for path in ordered]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_PART.sub(r"(?P<\1>[^/]+)", re.escape(path)))


@attrs.frozen(eq=False)
class Api:
    """Answers the requests at paths of the admin API.

    ``patience`` (seconds) and ``rate`` (bytes per second) are expected of a body, as elsewhere.
    """

    guard: Guard
    desk: Desk
    places: Sequence[Place]
    patience: float = 60.0
    rate: float = 500.0

    async def handle(self, request: web.Request) -> web.Response:
        """Return the answer. Raises GemproxyError."""
        self.guard.require(request)
        place, names = self._place(request.rel_url.raw_path)
        method = "GET" if request.method == "HEAD" else request.method
        row = place.rows.get(method)
        if row is None:
            raise WrongMethod(f"This path takes {_listed(place.methods)}.", *place.methods)
        query = query_of(row.query, request.rel_url.query)
        body = body_of(row.body, await self._body(request))
        address = self.guard.address(request)
        accept = request.headers.get("Accept", "")
        call = Call(self.desk, names, query, body, ACTOR, address, accept)
        return _response(await row.handler(call), row.status)

    def _place(self, raw_path: str) -> tuple[Place, dict[str, str]]:
        for place in self.places:
            found = place.pattern.fullmatch(raw_path)
            if found is not None:
                return place, {name: _decoded(part) for name, part in found.groupdict().items()}
        raise Unrouted("The admin API has nothing at this path; its document lists its paths.")

    async def _body(self, request: web.Request) -> bytes:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Encoded("The request body is compressed, and the admin API reads it as it is.")
        incoming = Incoming(request, _LIMIT, self.patience, self.rate)
        try:
            return b"".join([piece async for piece in incoming])
        except web.RequestPayloadError as fault:
            raise error_for(fault) from None


API = web.AppKey("admin", Api)


async def administer(request: web.Request) -> web.Response:
    """Answer a request that means the admin API, or say that this port has none."""
    api = request.app.get(API)
    if api is None:
        raise Unrouted("The admin API is not on this port.")
    return await api.handle(request)


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("The path is not UTF-8.") from None


def _response(answer: Any, status: int) -> web.Response:  # noqa: ANN401 (the form of the row)
    if not isinstance(answer, Text):
        body = msgspec.json.encode(answer)
        return web.Response(body=body, status=status, content_type="application/json")
    headers = {"Content-Type": answer.media}
    if answer.name:
        headers["Content-Disposition"] = f'attachment; filename="{answer.name}"'
    return web.Response(body=answer.body, status=status, headers=headers)


def _listed(methods: Sequence[str]) -> str:
    return " and ".join([", ".join(methods[:-1]), methods[-1]] if len(methods) > 1 else methods)
