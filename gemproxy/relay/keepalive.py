"""Sockets to the upstream whose kernel detects a path that drops packets.

Firewalls and address translators silently forget connections, and our time limit for a silent model
may be an hour. So the kernel probes the other end after 30 s of silence, three times, 10 s apart.
It sends no probes while data is unacknowledged (RFC 1122 section 4.2.3.6); then the user timeout
(RFC 5482) ends the retransmissions, which would otherwise last a quarter of an hour. Either way a
dead connection fails within a minute, like a reset. This *proves* that it is dead, so its attempt
may be repeated.

On Linux the user timeout also ends a connection whose other end answers but reads nothing for a
minute.

Linux and macOS name the options differently; a system without them keeps its own times.
"""

import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

IDLE_SECONDS = 30
PROBE_SECONDS = 10
PROBES = 3
DEAD_AFTER_SECONDS = IDLE_SECONDS + PROBES * PROBE_SECONDS

_VALUES = {
    "TCP_KEEPIDLE": IDLE_SECONDS,
    "TCP_KEEPALIVE": IDLE_SECONDS,  # macOS's name for it
    "TCP_KEEPINTVL": PROBE_SECONDS,
    "TCP_KEEPCNT": PROBES,
    "TCP_USER_TIMEOUT": DEAD_AFTER_SECONDS * 1000,  # milliseconds
}
_DARWINS_DROP_TIME = 0x80
"""TCP_RXT_CONNDROPTIME of netinet/tcp.h, in seconds; Python has no name for it."""


def make_socket(address: "aiohttp.AddrInfoType") -> socket.socket:
    """Return an unconnected socket for one of the addresses of a lookup."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options(vars(socket)):
        made.setsockopt(socket.IPPROTO_TCP, name, value)
    return made


def options(known: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield the TCP options of a system and their values; ``known`` is its ``socket`` module."""
    for name, value in _VALUES.items():
        if name in known:
            yield known[name], value
    if "TCP_KEEPALIVE" in known:
        yield _DARWINS_DROP_TIME, DEAD_AFTER_SECONDS
