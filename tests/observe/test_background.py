"""Steps beside the requests go on, whatever becomes of one of them."""

import asyncio
import logging

import pytest

from gemproxy.observe.background import repeat


async def test_a_step_that_fails_is_logged_and_made_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = 0
    secret = f"AIza{made}"
    enough = asyncio.Event()

    async def step() -> None:
        nonlocal made
        made += 1
        if made == 1:
            raise ValueError(secret)
        enough.set()

    task = asyncio.create_task(repeat(step, lambda: 0.0))
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "ValueError" in caplog.text
    assert secret not in caplog.text
    assert record.name == "gemproxy.observe.background"
