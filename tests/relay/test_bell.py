"""A bell wakes what a pump runs, in the call that rings it."""

import asyncio
import contextvars
import gc

import pytest

from gemproxy.generation.pump import Pump
from gemproxy.relay.bell import Bell

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


async def test_who_awaits_it_goes_on_in_the_call_that_rings() -> None:
    bell, said = Bell(), list[str]()

    async def waiting() -> str:
        for number in range(3):
            said.append(f"waits {number}")
            await bell
        return "done"

    handler = asyncio.create_task(Pump(waiting(), bell).run())
    await asyncio.sleep(0)
    for number in range(3):
        said.append(f"rings {number}")
        bell.ring()

    assert said == [f"{what} {number}" for number in range(3) for what in ("waits", "rings")]
    assert await handler == "done"


async def test_a_ring_that_nobody_awaits_is_lost() -> None:
    bell = Bell()
    bell.ring()

    async def waiting() -> None:
        await bell

    handler = asyncio.create_task(Pump(waiting(), bell).run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not handler.done()
    bell.ring()
    await handler


async def test_it_may_wait_for_a_future_in_between() -> None:
    bell, future = Bell(), asyncio.get_running_loop().create_future()

    async def waiting() -> str:
        await bell
        found: str = await future
        await bell
        return found

    handler = asyncio.create_task(Pump(waiting(), bell).run())
    await asyncio.sleep(0)
    bell.ring()
    bell.ring()  # it waits for the future
    future.set_result("found")
    await asyncio.sleep(0)
    assert not handler.done()
    bell.ring()

    assert await handler == "found"


async def test_a_ring_within_what_it_woke_changes_nothing() -> None:
    bell = Bell()

    async def waiting() -> str:
        await bell
        bell.ring()
        await bell
        return "rung twice"

    handler = asyncio.create_task(Pump(waiting(), bell).run())
    await asyncio.sleep(0)
    bell.ring()
    await asyncio.sleep(0)
    assert not handler.done()
    bell.ring()

    assert await handler == "rung twice"


async def test_the_woken_has_the_context_of_its_handler() -> None:
    bell = Bell()

    async def waiting() -> str:
        await bell
        return request_id.get()

    async def handle() -> str:
        request_id.set("of the handler")
        return await Pump(waiting(), bell).run()

    handler = asyncio.create_task(handle())
    await asyncio.sleep(0)
    request_id.set("of who rings")
    bell.ring()

    assert await handler == "of the handler"
    assert request_id.get() == "of who rings"


async def test_what_the_woken_raises_is_its_handlers() -> None:
    bell = Bell()

    async def waiting() -> None:
        await bell
        raise ValueError("broken")

    handler = asyncio.create_task(Pump(waiting(), bell).run())
    await asyncio.sleep(0)
    bell.ring()

    with pytest.raises(ValueError, match="broken"):
        await handler


async def test_a_ring_after_the_handler_was_cancelled_wakes_nobody() -> None:
    bell, closed = Bell(), list[str]()

    async def waiting() -> None:
        try:
            await bell
        finally:
            closed.append("closed")

    handler = asyncio.create_task(Pump(waiting(), bell).run())
    await asyncio.sleep(0)
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    bell.ring()

    assert closed == ["closed"]


async def test_a_bell_and_its_pump_leave_no_cycle() -> None:
    async def waiting(bell: Bell) -> None:
        await bell

    async def once() -> None:
        bell = Bell()
        handler = asyncio.create_task(Pump(waiting(bell), bell).run())
        await asyncio.sleep(0)
        bell.ring()
        await handler

    await once()
    gc.collect()
    gc.disable()
    try:
        await once()
        assert gc.collect() == 0
    finally:
        gc.enable()
