"""A coroutine that is run in callbacks, on both loops."""

import asyncio
import contextvars
import gc
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from gemproxy.generation.pump import Pump

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")


class Broken(Exception):
    """What a coroutine raises here."""


def started(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Start a handler that pumps; its first part runs with the loop's next turn."""
    return asyncio.create_task(Pump(coroutine).run())


def a_future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


async def turn() -> None:
    """Let the loop run what is due now."""
    await asyncio.sleep(0)


async def test_a_coroutine_that_does_not_wait_ends_in_the_call() -> None:
    async def at_once() -> str:
        return "all of it"

    pumping = Pump(at_once()).run()

    with pytest.raises(StopIteration) as end:
        pumping.send(None)
    assert end.value.value == "all of it"


async def test_it_waits_for_futures_and_for_turns() -> None:
    first, second = a_future(), a_future()

    async def waiting() -> list[object]:
        return [await first, await asyncio.sleep(0, "a turn"), await second]

    handler = started(waiting())
    await turn()
    first.set_result(1)
    await turn()
    second.set_result(2)

    assert await handler == [1, "a turn", 2]


async def test_what_a_future_raises_is_raised_where_it_is_awaited() -> None:
    future = a_future()

    async def waiting() -> str:
        try:
            await future
        except Broken:
            return "caught"
        return "missed"

    handler = started(waiting())
    await turn()
    future.set_exception(Broken())

    assert await handler == "caught"


@pytest.mark.parametrize("waits", [False, True])
async def test_what_it_raises_is_raised_in_the_handler(waits: bool) -> None:
    async def breaking() -> None:
        if waits:
            await asyncio.sleep(0)
        raise Broken

    with pytest.raises(Broken):
        await Pump(breaking()).run()


async def test_a_wake_up_without_anything_new_is_waited_through() -> None:
    """A reader of aiohttp is woken at the end of a chunk as well."""
    wakes = [a_future() for _ in range(3)]

    async def read() -> str:
        for wake in wakes:
            await wake
        return "data"

    handler = started(read())
    for wake in wakes:
        await turn()
        assert not handler.done()
        wake.set_result(None)

    assert await handler == "data"


async def test_it_runs_in_the_context_of_the_handler_and_in_no_task() -> None:
    first, second = a_future(), a_future()
    seen = []

    async def watching() -> None:
        for future in (first, second):
            await future
            seen.append((request_id.get(), asyncio.current_task()))

    async def handle() -> None:
        request_id.set("one")
        await Pump(watching()).run()

    before = len(asyncio.all_tasks())
    handler = asyncio.create_task(handle())
    await turn()
    assert len(asyncio.all_tasks()) == before + 1, "the handler's own"
    for future in (first, second):
        future.set_result(None)
        await turn()
    await handler

    assert seen == [("one", None), ("one", None)]


async def test_a_cancelled_handler_has_closed_it_before_it_ends() -> None:
    future, said = a_future(), []

    async def waiting() -> None:
        try:
            await future
        finally:
            said.append("closed")

    async def handle() -> None:
        try:
            await Pump(waiting()).run()
        finally:
            said.append("left")

    handler = asyncio.create_task(handle())
    await turn()
    handler.cancel()
    await turn()

    assert said == ["closed", "left"]
    assert handler.cancelled()


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_a_wake_up_in_the_turn_of_the_cancellation_does_no_harm(
    cancelled_first: bool,
) -> None:
    first, second = a_future(), a_future()

    async def waiting() -> None:
        await first
        await second

    handler = started(waiting())
    await turn()
    if cancelled_first:
        handler.cancel()
    first.set_result(None)
    handler.cancel()
    second.set_result(None)

    with pytest.raises(asyncio.CancelledError):
        await handler


async def test_what_is_raised_in_the_turn_of_the_cancellation_is_nobodys_loss() -> None:
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
    future = a_future()

    async def waiting(future: "asyncio.Future[None]") -> None:
        await future

    handler = started(waiting(future))
    await turn()
    handler.cancel()
    future.set_exception(Broken())
    with pytest.raises(asyncio.CancelledError):
        await handler
    del future, handler
    gc.collect()

    assert complaints == []


@pytest.mark.parametrize("raises", [False, True])
async def test_an_exception_that_is_there_wins_over_a_cancellation(raises: bool) -> None:
    future = a_future()

    async def waiting() -> None:
        await future
        if raises:
            raise Broken

    handler = started(waiting())
    await turn()
    future.set_result(None)
    asyncio.get_running_loop().call_soon(handler.cancel)  # behind the pump, before the handler

    with pytest.raises(Broken if raises else asyncio.CancelledError):
        await handler


@pytest.mark.parametrize("raises", [False, True])
async def test_what_ends_after_the_cancellation_does_not_count(raises: bool) -> None:
    future = a_future()

    async def waiting() -> None:
        await future
        if raises:
            raise Broken

    handler = started(waiting())
    await turn()
    future.set_result(None)
    handler.cancel()

    with pytest.raises(asyncio.CancelledError):
        await handler


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Keep the collector away while a test counts what it would find."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
async def test_it_leaves_no_cycle_behind() -> None:
    async def waiting(future: "asyncio.Future[None]") -> None:
        await future

    async def handle() -> None:
        future = a_future()
        future.get_loop().call_soon(future.set_result, None)
        await Pump(waiting(future)).run()

    gc.collect()
    for _ in range(20):
        await handle()

    assert gc.collect() == 0
