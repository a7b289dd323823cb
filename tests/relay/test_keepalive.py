"""The sockets to the upstream: how soon the kernel gives up a path that is dead."""

import socket
import sys

import pytest

from gemproxy.relay.keepalive import (
    DEAD_AFTER_SECONDS,
    IDLE_SECONDS,
    PROBE_SECONDS,
    PROBES,
    make_socket,
    options,
)

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
