"""Tells the one who started the proxy that it serves, as services of systemd do (sd_notify(3)).

The starter names a datagram socket in NOTIFY_SOCKET; without that variable nothing is told. systemd
is such a starter for a unit of ``Type=notify``, and ``service.background`` is another one.
"""

import contextlib
import os
import socket

VARIABLE = "NOTIFY_SOCKET"
READY, STOPPING = "READY=1", "STOPPING=1"


def tell(state: str) -> None:
    """Send a state; a starter that is gone already misses it."""
    address = os.environ.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # a name without a file, which Linux has
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
