"""C32: what is known of keys and projects outlives the process, even one that is killed."""

import asyncio
from pathlib import Path

import pytest

from gemproxy.chaos.projects import Project
from gemproxy.chaos.refusals import quota, requests_by_day, requests_by_minute
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.pool.key import fingerprint
from tests.faults.processes import ProxyProcess
from tests.pooled.house import K1, K2, K3, MODEL, access, stream_of
from tests.pooled.program import Program, program
from tests.running import PATIENCE
from tests.wire import Answer, body_of

pytestmark = pytest.mark.production_loop

PROJECTS = [Project("P1", (K1,)), Project("P2", (K2,)), Project("P3", (K3,))]


async def ask(process: ProxyProcess, prompt: str = "Hello") -> Answer:
    return await process.ask(stream_of(), body_of(prompt), access())


async def used(process: ProxyProcess, fake: ChaosServer, prompts: int = 6) -> set[str]:
    """Send some prompts, all answered; return the projects that they came to."""
    before = len(fake.cloud.log)
    for number in range(prompts):
        answer = await ask(process, f"Prompt {before} {number}")
        assert (answer.status, answer.text) == (200, BUILT_IN["story"].text)
    return {one.project for one in fake.cloud.log[before:] if one.model}


async def rests(installed: Program) -> int:
    """Return how many rests are in the data directory."""
    return sum(len(one["rests"]) for one in await installed.listed())


async def until_stored(installed: Program, count: int) -> None:
    """Wait until so many rests are in the data directory."""
    async with asyncio.timeout(PATIENCE):
        while await rests(installed) < count:
            continue  # each look is a process; the store writes behind, and announces nothing


async def test_rests_outlive_a_kill(tmp_path: Path) -> None:
    installed = program(tmp_path, PROJECTS)
    async with ChaosServer(Script(BUILT_IN["story"], rearm=True), projects=PROJECTS) as fake:
        by_day, by_minute = requests_by_day(MODEL), requests_by_minute(MODEL)
        fake.cloud.refuse("P1", quota(by_day, delay=36), model=MODEL)
        fake.cloud.refuse("P2", quota(by_minute, delay=3000), model=MODEL)
        async with installed.serving(fake) as process:
            assert await used(process, fake) == {"P1", "P2", "P3"}
            await until_stored(installed, 2)
            process.process.kill()
            await process.exit_status()

        fake.cloud.heal()
        async with installed.serving(fake) as process:
            assert await used(process, fake) == {"P3"}
            fake.cloud.refuse("P3", quota(by_day, delay=36), model=MODEL)
            await ask(process)
            last = await ask(process, "Again")

    assert last.status == 429
    assert 2900 < int(last.headers["Retry-After"]) <= 3000


async def test_a_cleared_key_serves_at_once_and_is_cleared_once(tmp_path: Path) -> None:
    installed = program(tmp_path, PROJECTS)
    async with ChaosServer(Script(BUILT_IN["story"], rearm=True), projects=PROJECTS) as fake:
        fake.cloud.refuse("P1", quota(requests_by_day(MODEL), delay=36), model=MODEL)
        async with installed.serving(fake) as process:
            assert await used(process, fake) == {"P1", "P2", "P3"}
            await until_stored(installed, 1)
            fake.cloud.heal()
            assert await used(process, fake) == {"P2", "P3"}

            code, first, _ = await installed.run("keys", "clear", fingerprint(K1))
            assert code == 0
            _, second, _ = await installed.run("keys", "clear", fingerprint(K1))
            async with asyncio.timeout(PATIENCE):
                while "P1" not in await used(process, fake, 3):
                    continue  # another process hears of it within a second

    assert "1" in first
    assert "0" in second
