"""Several processes with one data directory: one knowledge, one quota."""

import asyncio
import json
from pathlib import Path

import pytest

from bench.system import free_port
from gemproxy.chaos.answers import Answer
from gemproxy.chaos.projects import Project, Quota
from gemproxy.chaos.refusals import INVALID, quota, requests_by_day
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.faults.processes import ProxyProcess
from tests.pooled.house import ANN, K1, K2, K3, MODEL, access, stream_of
from tests.pooled.program import program
from tests.running import PATIENCE
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

PROJECTS = [Project("P1", (K1,)), Project("P2", (K2,)), Project("P3", (K3,))]


def two() -> dict[str, object]:
    """Return the settings of two workers, which share a port that is known."""
    return {"server.workers": 2, "server.port": free_port()}


async def asked(process: ProxyProcess, prompts: int, name: str, key: str = ANN) -> list[int]:
    """Send prompts at once, each on a connection of its own; return the statuses."""
    answers = await asyncio.gather(
        *(process.ask(stream_of(), body_of(f"{name} {n}"), access(key)) for n in range(prompts))
    )
    return [answer.status for answer in answers]


async def until_away(process: ProxyProcess, fake: ChaosServer, project: str) -> None:
    """Ask until a round of prompts leaves a project alone."""
    async with asyncio.timeout(PATIENCE):
        for number in range(1000):
            before = len(fake.cloud.came(project))
            assert set(await asked(process, 12, f"Round {number}")) == {200}
            if len(fake.cloud.came(project)) == before:
                return


async def test_what_one_worker_learns_the_others_know(tmp_path: Path) -> None:
    installed = program(tmp_path, PROJECTS)
    async with (
        ChaosServer(Script(Answer("Well.")), projects=PROJECTS) as fake,
        installed.serving(fake, two()) as process,
    ):
        fake.cloud.refuse("P1", quota(requests_by_day(MODEL), delay=36), model=MODEL)
        await until_away(process, fake, "P1")
        fake.cloud.refuse("P2", INVALID)
        await until_away(process, fake, "P2")

        before = len(fake.cloud.came("P1")) + len(fake.cloud.came("P2", MODEL))
        for number in range(5):
            assert set(await asked(process, 20, f"Later {number}")) == {200}
        assert len(fake.cloud.came("P1")) + len(fake.cloud.came("P2", MODEL)) == before


async def test_workers_share_a_known_quota(tmp_path: Path) -> None:
    limited = [Project(one.name, one.keys, Quota(rpm=20)) for one in PROJECTS]
    installed = program(tmp_path, limited, GEMPROXY_POOL_LIMITS=f'{{"{MODEL}": {{"rpm": 20}}}}')
    async with (
        ChaosServer(Script(Answer("Well.")), projects=limited) as fake,
        installed.serving(fake, two()) as process,
    ):
        statuses = await asked(process, 200, "Prompt")

    assert set(statuses) == {200, 429}
    assert all(fake.cloud.most(one.name, MODEL) <= 20 for one in limited)
    assert not [one for one in fake.cloud.log if one.status]


async def test_every_worker_takes_access_keys_up(tmp_path: Path) -> None:
    installed = program(tmp_path, PROJECTS)
    async with (
        ChaosServer(Script(Answer("Well.")), projects=PROJECTS) as fake,
        installed.serving(fake, two()) as process,
    ):
        code, out, err = await installed.run("users", "add", "carl", "--json")
        assert code == 0, err
        carl = json.loads(out)["key"]
        assert set(await asked(process, 40, "Hello", carl)) == {200}

        assert (await installed.run("users", "revoke", "carl"))[0] == 0
        async with asyncio.timeout(PATIENCE):
            while set(await asked(process, 20, "Again", carl)) != {401}:
                pass
        log = process.log.read_text()

    assert carl not in log + err
