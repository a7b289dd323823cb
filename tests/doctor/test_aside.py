"""What blocks holds nobody up."""

import asyncio
import threading

import pytest

from gemproxy.doctor.aside import aside, patient_loop


async def test_it_returns_and_raises_what_the_function_does() -> None:
    assert await aside(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


async def test_a_function_that_blocks_can_be_left_alone() -> None:
    go, ended = threading.Event(), threading.Event()

    def block() -> None:
        go.wait()
        ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await aside(block)
    go.set()
    assert await asyncio.to_thread(ended.wait, 10)


def test_names_are_looked_up_in_threads_that_nobody_waits_for() -> None:
    with asyncio.Runner(loop_factory=patient_loop) as runner:
        found = runner.run(_lookup())

    assert found


async def _lookup() -> object:
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo("127.0.0.1", 80)
