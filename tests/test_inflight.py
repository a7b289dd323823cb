"""The count of running requests, and how a shutdown ends them."""

import asyncio

import pytest

from gemproxy.core.errors import Busy
from gemproxy.inflight import InFlight


class Request:
    """A request that runs until it is released, or notes that it was cancelled."""

    def __init__(self, in_flight: InFlight) -> None:
        self.in_flight = in_flight
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        self.expired: bool | None = None

    async def run(self) -> None:
        with self.in_flight.request():
            self.begun.set()
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.expired = self.in_flight.expired


async def test_requests_are_counted_while_they_run() -> None:
    in_flight = InFlight(limit=2)

    with in_flight.request():
        assert len(in_flight) == 1
    assert len(in_flight) == 0


async def test_one_request_too_many_is_refused() -> None:
    in_flight = InFlight(limit=1)
    request = Request(in_flight)
    task = asyncio.create_task(request.run())
    await request.begun.wait()

    with pytest.raises(Busy), in_flight.request():
        pass

    request.released.set()
    await task
    with in_flight.request():
        assert len(in_flight) == 1


async def test_a_request_that_fails_counts_no_longer() -> None:
    in_flight = InFlight(limit=1)

    with pytest.raises(ZeroDivisionError), in_flight.request():
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
