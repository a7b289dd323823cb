"""A request body on its way: counted, streamed, and blamed on the right side."""

import asyncio
from types import SimpleNamespace
from typing import cast

import attrs
import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from gemproxy.core.errors import TooLarge, TooSlow
from gemproxy.relay.incoming import Incoming, error_for


def request_with(
    *pieces: bytes, length: int | None = None, fault: Exception | None = None
) -> web.Request:
    """Return a request whose body is these pieces, and then ``fault``."""
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    for piece in pieces:
        content.feed_data(piece)
    if fault is None:
        content.feed_eof()
    else:
        content.set_exception(fault)
    headers = {} if length is None else {"Content-Length": str(length)}
    return make_mocked_request("POST", "/", headers=headers, payload=content)


async def test_a_body_passes_piece_by_piece() -> None:
    incoming = Incoming(request_with(b"one", b"two"), 6, 60)

    assert b"".join([piece async for piece in incoming]) == b"onetwo"
    assert incoming.fault is None


async def test_without_a_limit_any_length_passes() -> None:
    incoming = Incoming(request_with(b"x" * 100, length=2**40), None, 60)

    assert [piece async for piece in incoming] == [b"x" * 100]


async def test_a_length_beyond_the_limit_is_refused_before_the_first_byte() -> None:
    with pytest.raises(TooLarge):
        Incoming(request_with(length=11), 10, 60)


async def test_a_body_that_grows_beyond_the_limit_is_the_clients_fault() -> None:
    incoming = Incoming(request_with(b"x" * 11), 10, 60)

    with pytest.raises(TooLarge):
        await anext(incoming)
    assert isinstance(incoming.fault, TooLarge)


async def test_a_body_that_breaks_off_is_the_clients_fault() -> None:
    incoming = Incoming(request_with(fault=web.RequestPayloadError("broken")), None, 60)

    with pytest.raises(web.RequestPayloadError):
        await anext(incoming)
    assert isinstance(incoming.fault, web.RequestPayloadError)


async def test_a_body_that_comes_to_a_halt_is_the_clients_fault() -> None:
    protocol = BaseProtocol(asyncio.get_running_loop())
    request = make_mocked_request("POST", "/", payload=StreamReader(protocol, 2**16))
    protocol.transport = request.transport  # a reader waits only while connected
    incoming = Incoming(request, None, 0)

    with pytest.raises(TooSlow):
        await anext(incoming)
    assert isinstance(incoming.fault, TooSlow)


@attrs.define
class Drip:
    """A body that brings ``pieces`` pieces of ``size`` bytes, one in ``seconds`` seconds each.

    ``now`` is the loop's clock, which only this body moves.
    """

    pieces: int
    size: int
    seconds: float
    first: bytes = b""
    now: float = 0.0

    async def readany(self) -> bytes:
        if self.first:
            begun, self.first = self.first, b""
            return begun
        if not self.pieces:
            return b""
        self.pieces -= 1
        self.now += self.seconds
        await asyncio.sleep(0)  # a timer that is due goes off
        await asyncio.sleep(0)
        return b"x" * self.size

    def is_eof(self) -> bool:
        return False


async def took(drip: Drip, monkeypatch: pytest.MonkeyPatch, rate: float = 500) -> int:
    """Return how many bytes come, by a patience of a minute; raise TooSlow."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    monkeypatch.setattr(loop, "time", lambda: began + drip.now)
    request = cast("web.BaseRequest", SimpleNamespace(content=drip, content_length=None))
    return sum([len(piece) async for piece in Incoming(request, None, 60, rate)])


SLOW = {
    "a byte in half a second": Drip(10_000, 1, 0.5),
    "a hundred bytes a second": Drip(10_000, 100, 1),
    "much at once, then a byte now and then": Drip(10_000, 1, 50, first=b"x" * (8 << 20)),
    "a piece just before each halt is too long": Drip(10, 1, 59),
    "nothing for two minutes": Drip(1, 1 << 20, 120),
}


@pytest.mark.parametrize("name", SLOW)
async def test_a_body_that_is_too_slow_is_given_up(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drip = attrs.evolve(SLOW[name])

    with pytest.raises(TooSlow):
        await took(drip, monkeypatch)
    assert drip.now <= 120, "after a minute of patience, or soon after"


HONEST = {
    "64 kbit/s for an hour and a half": Drip(5_400, 8_000, 1),
    "2 kB/s in drops": Drip(20_000, 500, 0.25),
    "a tunnel of 55 s before each 64 kB": Drip(20, 64_000, 55),
    "a small one that takes a minute": Drip(20, 1, 2.9),
}


@pytest.mark.parametrize("name", HONEST)
async def test_a_slow_but_honest_link_may_take_its_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drip = attrs.evolve(HONEST[name])

    assert await took(drip, monkeypatch) == HONEST[name].pieces * HONEST[name].size


async def test_any_pace_will_do_where_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await took(Drip(1_000, 1, 59), monkeypatch, rate=0) == 1_000


async def test_time_that_the_upstream_takes_is_not_the_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drip = Drip(3, 1, 10)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", lambda: drip.now)
    request = cast("web.BaseRequest", SimpleNamespace(content=drip, content_length=None))

    pieces = 0
    async for _ in Incoming(request, None, 60):
        drip.now += 3600
        pieces += 1

    assert pieces == 3


async def test_what_was_read_ahead_is_passed_on_first() -> None:
    incoming = Incoming(request_with(b"one", b"two", b"three"), None, 60)
    begun = await incoming.read()
    incoming.put_back([begun])

    assert incoming.buffered == len(begun)
    assert b"".join([piece async for piece in incoming]) == b"onetwothree"
    assert incoming.buffered == 0


def test_a_client_is_told_what_is_wrong_with_its_body() -> None:
    late = TooSlow("late")

    assert error_for(late) is late
    assert error_for(web.RequestPayloadError("bytes of it")).status == 400
    assert "bytes of it" not in str(error_for(web.RequestPayloadError("bytes of it")))
