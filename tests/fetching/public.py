"""A public Internet on the loopback: names that lead to servers of the test."""

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence

import attrs
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from gemproxy.fetching.links import Rules
from gemproxy.fetching.pictures import Bounds, Pictures, open_pictures

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 10


@attrs.define(eq=False)
class Names(AbstractResolver):
    """A resolver with a table; it notes each name that it was asked for.

    The answers of a name are given in turn, the last one again and again.
    """

    table: Mapping[str, Sequence[Sequence[str]]]
    asked: list[str] = attrs.field(factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name in the table."""
        if host not in self.table:
            raise OSError(host)
        answers = self.table[host]
        found = answers[min(self.asked.count(host), len(answers) - 1)]
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Close nothing."""


@contextlib.asynccontextmanager
async def internet(
    port: int,
    names: Names,
    *,
    addresses: Sequence[str] = ("127.0.0.1",),
    bounds: Bounds | None = None,
) -> AsyncIterator[Pictures]:
    """Yield what fetches pictures from a server of the test, which is public for it."""
    rules = Rules(ports=frozenset({port}), addresses=frozenset(addresses))
    async with open_pictures(bounds or Bounds(), rules, names) as pictures:
        yield pictures


@attrs.define(eq=False)
class Gallery:
    """A server whose answers are in a table of paths; it keeps the requests."""

    answers: Mapping[str, web.Response]
    asked: list[web.BaseRequest] = attrs.field(factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer from the table."""
        self.asked.append(request)
        answer = self.answers[request.path]
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    @property
    def paths(self) -> list[str]:
        """The paths of the requests, in order."""
        return [request.path for request in self.asked]
