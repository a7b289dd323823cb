"""The count of running requests, and how a shutdown ends them."""

import asyncio
from contextlib import AbstractContextManager

import attrs
import pytest

from gemproxy.core.errors import Busy, Cancelled
from gemproxy.exchange.account import Account
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.inflight import InFlight


@attrs.define
class Written:
    """What a client got of an answer: nothing."""

    output_size: int = 0


def request_in(in_flight: InFlight) -> AbstractContextManager[None]:
    """Return the context of one request."""
    exchange = Exchange("id", "stream", "POST", "/v1/x", "", {})
    return in_flight.request(exchange, Written())


class Request:
    """A request that runs until it is released, or notes that it was cancelled."""

    def __init__(self, in_flight: InFlight) -> None:
        self.in_flight = in_flight
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        self.expired: bool | None = None

    async def run(self) -> None:
        with request_in(self.in_flight):
            self.begun.set()
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.expired = self.in_flight.expired


async def test_requests_are_counted_while_they_run() -> None:
    in_flight = InFlight(limit=2)

    with request_in(in_flight):
        assert len(in_flight) == 1
    assert len(in_flight) == 0


async def test_one_request_too_many_is_refused() -> None:
    in_flight = InFlight(limit=1)
    request = Request(in_flight)
    task = asyncio.create_task(request.run())
    await request.begun.wait()

    with pytest.raises(Busy), request_in(in_flight):
        pass

    request.released.set()
    await task
    with request_in(in_flight):
        assert len(in_flight) == 1


async def test_a_request_that_fails_counts_no_longer() -> None:
    in_flight = InFlight(limit=1)

    with pytest.raises(ZeroDivisionError), request_in(in_flight):
        raise ZeroDivisionError

    assert len(in_flight) == 0


async def test_draining_an_idle_process_takes_no_time() -> None:
    in_flight = InFlight(limit=1)

    await in_flight.drain(3600)

    assert in_flight.draining
    assert not in_flight.expired


async def test_draining_waits_for_running_requests() -> None:
    in_flight = InFlight(limit=2)
    requests = [Request(in_flight), Request(in_flight)]
    tasks = [asyncio.create_task(request.run()) for request in requests]
    for request in requests:
        await request.begun.wait()
    drain = asyncio.create_task(in_flight.drain(3600))

    requests[0].released.set()
    await tasks[0]
    assert not drain.done()
    requests[1].released.set()
    await drain

    assert not in_flight.expired
    assert [request.expired for request in requests] == [None, None]
    await asyncio.gather(*tasks)


async def test_requests_that_outlast_the_drain_are_told_so() -> None:
    in_flight = InFlight(limit=1)
    request = Request(in_flight)
    task = asyncio.create_task(request.run())
    await request.begun.wait()

    await in_flight.drain(0)
    await task

    assert request.expired is True


async def test_who_lingers_is_not_counted_and_a_drain_waits_for_it() -> None:
    in_flight = InFlight(limit=1)
    begun, read = asyncio.Event(), asyncio.Event()

    async def linger() -> None:
        with request_in(in_flight):
            pass
        begun.set()
        while not read.is_set() and await in_flight.linger(0.001):
            pass

    task = asyncio.create_task(linger())
    await begun.wait()
    assert len(in_flight) == 0
    drain = asyncio.create_task(in_flight.drain(3600))
    await asyncio.sleep(0)
    assert not drain.done()
    read.set()
    await drain
    assert task.done()


async def test_the_end_of_a_drain_ends_all_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemproxy.relay.inflight._LAST_WORDS_SECONDS", 0.01)
    in_flight = InFlight(limit=1)
    task = asyncio.create_task(in_flight.linger(3600))
    await asyncio.sleep(0)

    await in_flight.drain(0)

    assert await task is False
    assert await in_flight.linger(3600) is False


async def test_too_many_do_not_linger() -> None:
    in_flight = InFlight(limit=1)
    many = [asyncio.create_task(in_flight.linger(3600)) for _ in range(1000)]
    await asyncio.sleep(0)

    assert await in_flight.linger(3600) is False

    many[0].cancel()
    await asyncio.wait([many[0]])
    assert await in_flight.linger(0) is True
    for task in many:
        task.cancel()
    await asyncio.wait(many)


async def test_an_operator_ends_one_request_once_and_its_client_is_told_why() -> None:
    in_flight = InFlight(limit=2)
    requests = [Request(in_flight), Request(in_flight)]
    first, second = (asyncio.create_task(one.run()) for one in requests)
    await asyncio.gather(*(one.begun.wait() for one in requests))
    run, other = in_flight.running

    assert in_flight.reason(run.exchange.account) is None
    assert in_flight.cancel(run)
    assert in_flight.cancel(run)
    await first
    assert isinstance(in_flight.reason(run.exchange.account), Cancelled)
    assert not in_flight.cancel(run)
    assert in_flight.running == [other]
    assert in_flight.reason(other.exchange.account) is None
    requests[1].released.set()
    await second


async def test_a_shutdown_is_the_reason_of_all_that_it_ends() -> None:
    in_flight = InFlight(limit=1, expired=True)

    assert isinstance(in_flight.reason(Account()), Busy)
