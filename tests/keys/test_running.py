"""A proxy that runs takes in what the command changes."""

import asyncio
import json
from pathlib import Path

from gemproxy.chaos.projects import parse_project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.pool.key import fingerprint
from tests.gemini import BODY
from tests.keys.conftest import RunKeys
from tests.running import PATIENCE, Proxy, StartProxy

ACCESS = "gp-7Kq2mXv9TzRw4Lp8"
UNARY = "/v1beta/models/gemini-x:generateContent"
K1, K2 = "AIza-one", "AIza-two"


async def status(proxy: Proxy) -> int:
    return (await proxy.ask(UNARY, BODY, {"x-goog-api-key": ACCESS})).status


async def until(proxy: Proxy, expected: int) -> None:
    """Ask until the answer has a status."""
    async with asyncio.timeout(PATIENCE):
        while await status(proxy) != expected:  # noqa: ASYNC110 (nobody tells of a change)
            await asyncio.sleep(0.01)


async def test_keys_come_and_go_and_rests_end(
    proxy: StartProxy, keys: RunKeys, tmp_path: Path
) -> None:
    async def run(*arguments: str, given: str = "") -> str:
        done = await asyncio.to_thread(lambda: keys(*arguments, given=given))
        assert done.code == 0, done.err
        return done.out

    projects = [parse_project(f"lab={K1};rpd=1"), parse_project(f"home={K2}")]
    async with ChaosServer(Script(BUILT_IN["story"]), projects=projects) as fake:
        await run("add", "--project", "lab", given=K1)
        one = await proxy(
            fake,
            server={"data_dir": str(tmp_path / "data")},
            access={"keys": {"ann": ACCESS}},
            repair={"retry_after_limit_seconds": 0.0},
        )
        assert [await status(one), await status(one)] == [200, 429]

        await run("add", "--project", "home", given=K2)
        await until(one, 200)
        await run("remove", fingerprint(K2))
        await until(one, 429)

        (row,) = json.loads(await run("list", "--json"))
        asked = len(fake.cloud.came("lab"))
        cleared = [await run("clear", "lab"), await run("clear", "lab")]
        async with asyncio.timeout(PATIENCE):
            while len(fake.cloud.came("lab")) == asked:
                assert await status(one) == 429
                await asyncio.sleep(0.01)

    assert [rest["why"] for rest in row["rests"]] == ["day"]
    assert cleared == ["1 changed\n", "0 changed\n"]
