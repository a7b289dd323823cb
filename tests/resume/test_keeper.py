"""The tasks of streams: each ends its log and settles its request, once, whatever happens."""

import asyncio
from collections.abc import Callable

import attrs
import pytest

from gemproxy.core.errors import Busy, Cancelled, UpstreamRejection
from gemproxy.exchange.account import Glimpse
from gemproxy.exchange.exchange import Exchange
from gemproxy.generation.generation import Refused as OfUpstream
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.pages import Refusal
from gemproxy.resume.keeper import Keeper, Over, Rules, Work
from gemproxy.resume.log import Broken, Refused, Whole
from gemproxy.resume.shelf import Shelf
from gemproxy.resume.stream import Stream
from gemproxy.resume.writing import LogReader
from tests.resume.test_shelf import BOUNDS, FRAME, Clock, stream


@attrs.define(eq=False)
class Records:
    begun: list[Exchange] = attrs.field(factory=list)
    over: list[Over] = attrs.field(factory=list)

    def begin(self, exchange: Exchange) -> None:
        self.begun.append(exchange)

    def end(self, exchange: Exchange, over: Over) -> None:
        assert exchange is self.begun[-1]
        self.over.append(over)


@attrs.define(eq=False)
class Scene:
    """A keeper with one stream, whose answer ``work`` makes."""

    rules: Rules = attrs.field(factory=Rules)
    clock: Clock = attrs.field(factory=Clock)
    records: Records = attrs.field(factory=Records)
    in_flight: InFlight = attrs.field(factory=lambda: InFlight(1))
    keeper: Keeper = attrs.field(init=False)
    stream: Stream = attrs.field(init=False)
    began: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        shelf = Shelf(BOUNDS, self.clock)
        self.keeper = Keeper(shelf, self.in_flight, self.records, self.rules, self.clock)
        self.stream = stream(shelf)

    async def open(self, work: Work) -> None:
        assert await self.keeper.open(self.stream, work, "x", texts=False) is self.stream

    async def wait(self) -> Over:
        """Return how the request was settled, when it is."""
        await self.keeper.close()
        (over,) = self.records.over
        return over

    async def endless(self, reader: LogReader) -> None:
        """Make an answer that begins and does not end."""
        await reader.open(200, {})
        await reader.offer((FRAME,))
        self.began.set()
        await asyncio.Event().wait()


async def whole(reader: LogReader) -> None:
    await reader.open(200, {})
    await reader.finish((FRAME,), None)


def raising(error: Exception, *, late: bool = False) -> Work:
    async def work(reader: LogReader) -> None:
        if late:
            await reader.open(200, {})
        raise error

    return work


async def test_a_whole_answer_is_settled_with_its_bytes() -> None:
    scene = Scene()
    await scene.open(whole)
    while scene.stream.log.ending is None:
        await scene.stream.news.change()

    over = await scene.wait()

    assert (over.status, over.size, over.shutdown) == (200, 12, False)
    assert scene.stream.log.ending == Whole()
    assert scene.stream.exchange.account.stream == scene.stream.id
    assert len(scene.in_flight) == 0
    assert scene.in_flight.running == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OfUpstream(Refusal(404, {}, b"{}")), 404),
        (UpstreamRejection(429, b"{}"), 429),
        (Busy("full"), 503),
        (ValueError("a fault of ours"), 500),
    ],
)
@pytest.mark.parametrize("late", [False, True])
async def test_a_failure_ends_the_log_for_whoever_waits(
    error: Exception, status: int, late: bool
) -> None:
    scene = Scene()
    waiting = asyncio.ensure_future(scene.stream.news.change())
    await scene.open(raising(error, late=late))
    await waiting
    while scene.stream.log.ending is None:
        await scene.stream.news.change()

    over = await scene.wait()

    ending = scene.stream.log.ending
    assert isinstance(ending, Broken if late else Refused)
    assert over.status == (200 if late else status)
    if isinstance(ending, Refused) and not isinstance(error, ValueError):
        assert ending.error is error


async def test_an_answer_that_returns_without_an_end_is_broken() -> None:
    scene = Scene()

    async def nothing(_reader: LogReader) -> None:
        pass

    await scene.open(nothing)
    await scene.wait()

    assert isinstance(scene.stream.log.ending, Refused)


async def test_a_running_answer_is_listed_and_costs_no_place_of_a_request() -> None:
    scene = Scene()
    await scene.open(scene.endless)
    await scene.began.wait()

    (run,) = scene.in_flight.running
    assert (run.exchange, run.written.output_size) == (scene.stream.exchange, 12)
    assert len(scene.in_flight) == 0

    assert scene.in_flight.cancel(run)
    over = await scene.wait()
    assert over.status == Cancelled.status
    assert scene.stream.state == "cancelled"


async def test_a_cancel_before_the_task_ran_ends_it_in_order() -> None:
    scene = Scene()
    await scene.open(scene.endless)
    scene.keeper.cancel(scene.stream)
    scene.keeper.cancel(scene.stream)

    over = await scene.wait()

    assert not scene.began.is_set()
    assert over.status == Cancelled.status
    assert isinstance(scene.stream.log.ending, Refused)
    assert scene.stream.exchange.account.client_gone


async def test_with_the_process_an_answer_ends_as_a_shutdown() -> None:
    scene = Scene()
    await scene.open(scene.endless)
    await scene.began.wait()

    over = await scene.wait()

    assert over.shutdown
    assert scene.stream.state == "failed"


Act = Callable[[Scene], object]


@pytest.mark.parametrize(
    ("seconds", "characters", "state"),
    [(9, 0, "running"), (10, 0, "cancelled"), (1, 400, "running"), (1, 401, "cancelled")],
)
async def test_p8_an_answer_alone_has_a_bound_in_time_and_in_tokens(
    seconds: int, characters: int, state: str
) -> None:
    scene = Scene(Rules(detach_seconds=10, detach_tokens=100))
    await scene.open(scene.endless)
    await scene.began.wait()
    told = 50
    scene.stream.exchange.account.glance = lambda: Glimpse("streaming", told)
    scene.stream.attach()
    scene.clock.at += 1000
    await scene.keeper.tend()
    scene.keeper.detach(scene.stream)
    told += characters
    scene.clock.at += seconds

    await scene.keeper.tend()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert scene.stream.state == state
    await scene.wait()


async def test_an_answer_that_nobody_follows_ends_at_once_while_the_process_drains() -> None:
    scene = Scene()
    await scene.open(scene.endless)
    await scene.began.wait()
    scene.stream.attach()
    scene.keeper.detach(scene.stream)
    scene.in_flight.draining = True

    await scene.keeper.tend()

    assert (await scene.wait()).shutdown
    ending = scene.stream.log.ending
    assert isinstance(ending, Broken)
    assert ending.payload is not None
    assert ending.payload["error"]["status"] == Busy.code
