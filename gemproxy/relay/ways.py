"""Ways out: the outbound proxies of keys, and which of them need a connector of their own.

The client library takes an HTTP proxy with each request, and keeps its connections apart by it. A
SOCKS proxy needs a connector of the package aiohttp-socks (the extra ``socks``), so each has a
session of its own, which is made at its first use: keys can come while the proxy runs. The SOCKS
proxy looks up the name of the upstream, because that may be another one there.

The package's errors derive from no class of the client library, so ``NO_WAY`` names them.
"""

import importlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import aiohttp
import attrs
from aiohttp.connector import Connection
from yarl import URL

from gemproxy.relay.connections import vetted

_SOCKS = {"socks5": "SOCKS5", "socks5h": "SOCKS5", "socks4": "SOCKS4", "socks4a": "SOCKS4"}
"""Scheme of a URL -> the package's name for it."""
_USUAL_PORT = 1080
_INSTALL = "pip install 'gemproxy[socks]'"


class NoSocks(ValueError):
    """The package for SOCKS proxies is missing; the message is for people."""


def is_socks(proxy: URL) -> bool:
    """Return whether a proxy speaks SOCKS."""
    return proxy.scheme in _SOCKS


def check(proxy: URL) -> None:
    """Raise NoSocks for a proxy that cannot be used without the package aiohttp-socks."""
    if is_socks(proxy) and _package is None:
        raise NoSocks(
            "a SOCKS proxy needs the package aiohttp-socks: pip install 'gemproxy[socks]'"
        )


def _installed() -> Any:  # noqa: ANN401 (a module that may be missing)
    try:
        return importlib.import_module("aiohttp_socks")
    except ImportError:
        return None


_package = _installed()
_NAMES = ("ProxyError", "ProxyConnectionError", "ProxyTimeoutError")
NO_WAY: tuple[type[Exception], ...] = tuple(getattr(_package, name) for name in _NAMES if _package)
"""What the package raises when a connection through a SOCKS proxy cannot be made."""


def connector(proxy: URL, **options: Any) -> aiohttp.BaseConnector:  # noqa: ANN401 (TCPConnector's)
    """Return a connector through a SOCKS proxy; ``options`` are those of TCPConnector.

    It gives out no connection on which bytes came unasked. Raises NoSocks.
    """
    check(proxy)

    class Vetting(_package.ProxyConnector):  # type: ignore[misc,name-defined]  # it may be missing
        async def connect(self, req: aiohttp.ClientRequest, *more: Any, **named: Any) -> Connection:  # noqa: ANN401 (the library's own)
            return await vetted(partial(super().connect, **named), req, *more)

    made: aiohttp.BaseConnector = Vetting(
        host=proxy.host,
        port=proxy.port or _USUAL_PORT,
        proxy_type=getattr(_package.ProxyType, _SOCKS[proxy.scheme]),
        username=proxy.user,
        password=proxy.password,
        rdns=True,
        **options,
    )
    return made


class Closable(Protocol):
    """A session or a connector."""

    def close(self) -> Awaitable[None]:
        """Close all connections."""


C = TypeVar("C", bound=Closable)


@attrs.define(eq=False)
class Ways(Generic[C]):
    """What goes through SOCKS proxies: ``make`` makes it for one, at its first use."""

    make: Callable[[URL], C]
    _made: dict[URL, C] = attrs.field(factory=dict, init=False, repr=False)

    def through(self, proxy: URL) -> C:
        """Return what goes through a SOCKS proxy. Raises NoSocks."""
        found = self._made.get(proxy)
        if found is None:
            found = self._made[proxy] = self.make(proxy)
        return found

    async def aclose(self) -> None:
        """Close all that was made."""
        for made in self._made.values():
            await made.close()
