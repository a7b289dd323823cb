"""The sockets to the upstream: how soon the kernel gives up a path that is dead."""

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import AsyncIterator

import pytest
from multidict import CIMultiDict

from gemproxy.core.repair.events import How
from gemproxy.relay import keepalive
from gemproxy.relay.keepalive import (
    DEAD_AFTER_SECONDS,
    IDLE_SECONDS,
    PROBE_SECONDS,
    PROBES,
    make_socket,
    options,
)
from gemproxy.relay.redirects import Hop
from gemproxy.relay.upstream import AttemptFailed, open_upstream
from gemproxy.relay.wants import STREAM
from tests.sockets import CHUNKED, Reader, Writer, chunk, head, scripted

LINUX = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6, "TCP_USER_TIMEOUT": 18}
MACOS = {"TCP_KEEPALIVE": 0x10, "TCP_KEEPINTVL": 0x101, "TCP_KEEPCNT": 0x102}


def test_a_dead_path_fails_within_a_minute() -> None:
    assert (IDLE_SECONDS, PROBE_SECONDS, PROBES) == (30, 10, 3)
    assert DEAD_AFTER_SECONDS == 60


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_every_socket_asks_whether_the_other_end_is_there(family: socket.AddressFamily) -> None:
    with make_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("", 0))) as made:
        assert made.family is family
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == PROBE_SECONDS
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == PROBES
        if sys.platform == "linux":
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_SECONDS
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def test_linux_counts_what_is_unacknowledged_in_milliseconds() -> None:
    assert dict(options(LINUX)) == {4: 30, 5: 10, 6: 3, 18: 60_000}


def test_macos_has_names_of_its_own() -> None:
    assert dict(options(MACOS)) == {0x10: 30, 0x101: 10, 0x102: 3, 0x80: 60}


def test_a_system_without_these_options_keeps_its_own_times() -> None:
    assert list(options({})) == []


def swallow(writer: Writer) -> None:
    """Let the kernel drop whatever comes for this connection, acknowledgements and all (BPF)."""
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # ret 0
    program = struct.pack("HP", 1, ctypes.addressof(drop))
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, 26, program)


HOLES = [
    (b"", False),
    (b"", True),
    (CHUNKED + chunk(b"one"), False),
    (CHUNKED + chunk(b"one"), True),
]
if sys.platform != "linux":
    HOLES = []  # the filter of a socket is Linux's


@pytest.mark.parametrize(("begun", "sends"), HOLES)
async def test_a_path_that_swallows_packets_fails_as_a_reset_does(
    monkeypatch: pytest.MonkeyPatch, begun: bytes, *, sends: bool
) -> None:
    """In a second or two instead of a minute: waiting for an answer, in it, and sending."""
    quick = {"TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 1, "TCP_USER_TIMEOUT": 1000}
    monkeypatch.setattr(keepalive, "_VALUES", quick)
    swallowing = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(begun)
        await writer.drain()
        swallow(writer)
        swallowing.set()
        await asyncio.Event().wait()

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        if sends:
            await swallowing.wait()
            yield b"two"

    async def ask() -> None:
        async with (
            scripted(serve) as url,
            open_upstream(connect_timeout=9, proxy=None) as upstream,
        ):
            reply = await upstream.open("POST", Hop(url, CIMultiDict()), body(), 3600, STREAM)
            with contextlib.closing(reply):
                while await reply.read():
                    pass

    with pytest.raises(AttemptFailed) as caught:
        await ask()

    assert caught.value.how is How.RESET
