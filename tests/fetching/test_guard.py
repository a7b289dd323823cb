"""Connections to permitted addresses only."""

import socket
from collections.abc import Sequence

import pytest

from gemproxy.fetching.guard import Guard, NotPermitted
from gemproxy.fetching.links import Rules
from tests.fetching.public import Names


def guard(*addresses: str) -> Guard:
    return Guard(Rules(), Names({"pictures.example": [addresses]}))


@pytest.mark.parametrize("addresses", [("8.8.8.8",), ("8.8.8.8", "2606:4700::1")])
async def test_public_answers_are_given(addresses: Sequence[str]) -> None:
    found = await guard(*addresses).resolve("pictures.example", 80, socket.AF_UNSPEC)

    assert [one["host"] for one in found] == list(addresses)


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("8.8.8.8", "127.0.0.1"),
        ("10.0.0.1", "8.8.8.8"),
        ("::ffff:8.8.8.8",),
        ("2606:4700::1", "fd00:ec2::254"),
        ("fe80::1%eth0",),
    ],
)
async def test_an_answer_with_an_inner_address_is_refused(addresses: Sequence[str]) -> None:
    with pytest.raises(NotPermitted):
        await guard(*addresses).resolve("pictures.example", 80, socket.AF_UNSPEC)


def test_the_socket_is_made_for_the_address_that_is_connected() -> None:
    family, kind = socket.AF_INET, socket.SOCK_STREAM

    with guard().socket((family, kind, 0, "", ("8.8.8.8", 80))) as made:
        assert made.family == family
    for address in ("127.0.0.1", "169.254.169.254", "0.0.0.0"):
        with pytest.raises(NotPermitted):
            guard().socket((family, kind, 0, "", (address, 80)))
    with pytest.raises(NotPermitted):
        guard().socket((socket.AF_INET6, kind, 0, "", ("fe80::1", 80, 0, 2)))
