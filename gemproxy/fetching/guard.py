"""Connections to permitted addresses only, for aiohttp.

A name is looked up once for each connection, and the connection goes to an address of that answer:
a second answer of a name server is never asked for. An answer with one address that is not
permitted is refused as a whole, because a name that leads inside and outside is a trick. The socket
is made last, by ``Guard.socket``, which sees the very address that is connected to; so addresses
that stand in a URL, and whatever a resolver gives, pass the same rule.
"""

import socket

import aiohttp
import attrs
from aiohttp.abc import AbstractResolver, ResolveResult

from gemproxy.fetching.links import Rules


class NotPermitted(OSError):
    """An address may not be connected to; aiohttp treats it like any that cannot be reached."""


@attrs.define(eq=False)
class Guard(AbstractResolver):
    """A resolver that gives permitted addresses, and the maker of sockets to them.

    ``names`` looks the names up; it is closed with the guard.
    """

    rules: Rules
    names: AbstractResolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises NotPermitted if one of them is not permitted."""
        found = await self.names.resolve(host, port, family)
        if not all(self.rules.permits(one["host"]) for one in found):
            raise NotPermitted
        return found

    async def close(self) -> None:
        """Close the resolver that looks up the names."""
        await self.names.close()

    def socket(self, address: "aiohttp.AddrInfoType") -> socket.socket:
        """Return a socket for a connection to ``address``. Raises NotPermitted."""
        family, kind, protocol, _, place = address
        if not self.rules.permits(str(place[0])):
            raise NotPermitted
        return socket.socket(family, kind, protocol)


def connector(rules: Rules, names: AbstractResolver, *, limit: int) -> aiohttp.TCPConnector:
    """Return a connector that keeps the rules, with at most ``limit`` connections at a time.

    No connection serves two requests and no answer of a name server is kept, so each request is
    checked anew.
    """
    guard = Guard(rules, names)
    return aiohttp.TCPConnector(
        resolver=guard,
        socket_factory=guard.socket,
        use_dns_cache=False,
        force_close=True,
        limit=limit,
    )
