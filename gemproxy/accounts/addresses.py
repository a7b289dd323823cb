"""The address of a client, from its connection and from X-Forwarded-For.

The peer of the connection is the client, unless it is a trusted proxy. Then the last entry of
X-Forwarded-For is the address that this proxy saw, and so on from right to left, until an address
that is no trusted proxy's: that one is the client's. What stands further left was written by the
client and proves nothing. If an entry is no address, the proxy that reported it counts as the
client; if all entries are trusted, the first one does.

``Forwarded`` (RFC 7239) and X-Real-IP are not read. Common proxies write X-Forwarded-For, and one
that does passes a client's own ``Forwarded`` on unchanged, so reading both would let clients choose
their address.
"""

import functools
import ipaddress
from collections.abc import Iterable, Sequence

import attrs

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_SUBSCRIBER = 64


def _plain(networks: Iterable[Network]) -> tuple[Network, ...]:
    return tuple(
        ipaddress.IPv4Network(
            (int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED.prefixlen)
        )
        if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED)
        else network
        for network in networks
    )


@attrs.frozen
class Proxies:
    """The networks whose proxies are trusted to name the client in X-Forwarded-For."""

    networks: tuple[Network, ...] = attrs.field(default=(), converter=_plain)

    def client(self, peer: str, forwarded: Sequence[str] = ()) -> str:
        """Return the client's address, without a port, IPv4 wherever it is one.

        ``peer`` is the address of the connection. ``forwarded`` are the values of all
        X-Forwarded-For headers in their order. A peer that is no IP address is returned as it is.
        """
        at = _parse(peer)
        if at is None:
            return peer
        if self.networks and forwarded and self._trusts(at):
            for entry in reversed(",".join(forwarded).split(",")):
                before = _parse(entry)
                if before is None:
                    break
                at = before
                if not self._trusts(at):
                    break
        return str(at)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


@functools.lru_cache(maxsize=4096)
def subscriber(address: str) -> str:
    """Return the part of an address that limits count: an IPv6 address counts by its /64.

    A single customer has at least a /64, and may take another address in it for each request.
    """
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed, _SUBSCRIBER), strict=False))
    return address if parsed is None else str(parsed)


@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> _Address | None:
    """Return an address that may have brackets, a port, a zone, or IPv4 in IPv6; None if none."""
    text = text.strip()
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not (port[0] == ":" and _is_port(port[1:]))):
            return None
        if ":" not in text:
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(port):
            return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit()
