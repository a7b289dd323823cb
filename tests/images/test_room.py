"""Room: calls leave some of it for answers, each in the order in which they came."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gemproxy.images.room import SHARE, Held, Room


def room(shares: int) -> Room:
    made = Room(0)
    made.most = shares * SHARE
    return made


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


def taken(place: Room) -> tuple[int, int]:
    return place.calls // SHARE, place.answers // SHARE


async def test_calls_leave_some_room_and_the_next_one_waits() -> None:
    place = room(4)
    async with AsyncExitStack() as calls:
        for _ in range(3):
            await calls.enter_async_context(place.call())
        late = place.call()
        waiting = asyncio.create_task(late.__aenter__())
        await settled()
        assert not waiting.done()

    await waiting
    assert taken(place) == (1, 0)
    await late.__aexit__(None, None, None)
    assert taken(place) == (0, 0)


def test_an_eighth_of_the_memory_is_no_room() -> None:
    assert Room(64).most == 56


async def test_a_call_may_take_more_than_others() -> None:
    place = room(10)
    async with place.call(8 * SHARE):
        late = place.call(SHARE)
        waiting = asyncio.create_task(late.__aenter__())
        await settled()
        assert not waiting.done()
        assert taken(place) == (8, 0)

    await waiting
    await late.__aexit__(None, None, None)


async def test_an_answer_waits_until_all_of_it_fits() -> None:
    place = room(4)
    first = await place.answer(3 * SHARE)
    waiting = asyncio.create_task(place.answer(2 * SHARE))
    small = asyncio.create_task(place.answer(SHARE))
    await settled()
    assert not waiting.done()
    assert not small.done()  # who comes later waits longer

    first.release()
    first.release()

    await asyncio.gather(waiting, small)
    assert taken(place) == (0, 3)


@pytest.mark.parametrize("most", [1, 4 * SHARE])
async def test_an_answer_that_is_larger_than_the_room_is_let_in_alone(most: int) -> None:
    place = Room(most)
    async with place.call():
        first = await place.answer(9 * SHARE)
        second = asyncio.create_task(place.answer(9 * SHARE))
        await settled()
        assert not second.done()
        first.release()
        (await second).release()

    assert taken(place) == (0, 0)


async def test_what_is_read_may_hold_less_than_was_asked_for() -> None:
    place = room(4)
    held = await place.answer(4 * SHARE)
    waiting = asyncio.create_task(place.answer(2 * SHARE))

    held.resize(2 * SHARE)

    await waiting
    assert taken(place) == (0, 4)
    assert isinstance(place.overfull(SHARE), Held)
    assert taken(place) == (0, 5)


@pytest.mark.parametrize("let_in", [True, False])
async def test_one_that_leaves_takes_nothing_and_holds_up_nobody(let_in: bool) -> None:
    place = room(2)
    first = await place.answer(2 * SHARE)
    leaving = asyncio.create_task(place.answer(2 * SHARE))
    waiting = asyncio.create_task(place.answer(SHARE))
    await settled()

    if let_in:  # in the same turn of the loop as it leaves
        first.release()
    leaving.cancel()
    await settled()
    first.release()

    assert (await waiting).size == SHARE
    assert leaving.cancelled()
    assert taken(place) == (0, 1)


async def test_memory_is_kept_for_the_next_answer_until_there_is_nothing_to_do() -> None:
    place = Room(64 << 20)
    first, second = await place.answer(1 << 20), await place.answer(1 << 20)
    memory = place.lend(1 << 20)
    place.mappings.put(memory)
    first.release()
    assert place.mappings.spare == 1 << 20
    assert place.lend(1 << 20) is memory

    place.mappings.put(memory)
    second.release()
    assert (place.mappings.used, place.mappings.spare) == (0, 0)
