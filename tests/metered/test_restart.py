"""C32, the user's half: what is spent outlives a process that is killed, and nothing stays held."""

import asyncio
import contextlib
import json
import socket
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from gemproxy.accounts.user import User
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.projects import Project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.faults.processes import ProxyProcess
from tests.metered.house import limited, store
from tests.pooled.house import K1, K2, K3, MODEL, OTHER, access, stream_of
from tests.pooled.program import Program, program
from tests.wire import Answer, body_of

pytestmark = pytest.mark.production_loop

PROJECTS = [Project("P1", (K1, K2)), Project("P2", (K3,))]
STORY = Script(BUILT_IN["story"], rearm=True)
STALLED = Script(BUILT_IN["story"], [Fault(Kind.STALL, event(5))])


@attrs.frozen
class Installed:
    """An installation with users, and their access keys."""

    program: Program
    keys: dict[str, str]
    data: Path

    @contextlib.asynccontextmanager
    async def serving(self, fake: ChaosServer, **flags: object) -> AsyncIterator[ProxyProcess]:
        """Run the proxy; it may be killed meanwhile."""
        named = {name.replace("__", "."): value for name, value in flags.items()}
        async with self.program.serving(fake, named) as process:
            yield process

    async def ask(self, process: ProxyProcess, prompt: str = "Hello", model: str = MODEL) -> Answer:
        """Stream an answer to ann."""
        return await process.ask(stream_of(model), body_of(prompt), access(self.keys["ann"]))

    async def requests(self) -> list[dict[str, Any]]:
        """Return what ``gemproxy usage requests --json`` prints."""
        code, out, err = await self.program.run("usage", "requests", "--json", "--last", "1000")
        assert code == 0, err
        found: list[dict[str, Any]] = json.loads(out)
        return found

    def check(self) -> str:
        """Return what SQLite says about the file."""
        with contextlib.closing(sqlite3.connect(self.data / "ledger.sqlite")) as file:
            (said,) = file.execute("PRAGMA integrity_check").fetchone()
        return str(said)


async def installed(folder: Path, **users: User) -> Installed:
    """Return an installation whose data directory is in ``folder``."""
    data = folder / "data"
    keys = await store(data, users)
    made = program(folder, PROJECTS, GEMPROXY_DATA_DIR=str(data), GEMPROXY_ACCESS_KEYS="{}")
    return Installed(made, keys, data)


async def kill(process: ProxyProcess) -> None:
    process.process.kill()
    await process.exit_status()


async def test_the_count_of_the_day_outlives_a_kill(tmp_path: Path) -> None:
    at = await installed(tmp_path, ann=limited(rpd=20, rpm=50))
    async with ChaosServer(STORY, projects=PROJECTS) as fake:
        async with at.serving(fake) as process:
            for number in range(18):
                assert (await at.ask(process, f"Prompt {number}")).status == 200
            await kill(process)
        async with at.serving(fake) as process:
            statuses = [(await at.ask(process, f"Again {n}")).status for n in range(4)]
        rows = await at.requests()

    assert statuses == [200, 200, 429, 429]
    assert len(rows) == 20
    assert at.check() == "ok"


async def test_tokens_and_money_outlive_a_kill(tmp_path: Path) -> None:
    at = await installed(tmp_path, ann=limited(tokens_per_day=100_000, usd_per_month=10**9))
    async with ChaosServer(STORY, projects=PROJECTS) as fake:
        async with at.serving(fake) as process:
            first = await at.ask(process)
            await kill(process)
        async with at.serving(fake) as process:
            second = await at.ask(process)
    name = "x-ratelimit-remaining-tokens"
    spent = int(first.headers[name]) - int(second.headers[name])
    done = [row for row in await at.requests() if row["ending"] == "done"]
    used = done[-1]["input_tokens"] + done[-1]["output_tokens"] + done[-1]["thought_tokens"]

    assert spent in {0, used}  # the kill may have come before the settled row was on disk
    assert at.check() == "ok"


async def test_a_killed_request_counts_and_holds_nothing(tmp_path: Path) -> None:
    at = await installed(tmp_path, ann=limited(rpd=2, concurrency=1))
    async with ChaosServer({"*": STALLED, OTHER: STORY}, projects=PROJECTS) as fake:
        async with at.serving(fake) as process, process.connect() as connection:
            await connection.send(stream_of(), body_of("Hello"), access(at.keys["ann"]))
            await fake.until_stalled()
            assert (await at.ask(process, "Another")).status == 429
            await kill(process)
        async with at.serving(fake) as process:
            assert (await at.ask(process, model=OTHER)).status == 200
            assert (await at.ask(process, model=OTHER)).status == 429
        rows = await at.requests()

    assert sorted(row["ending"] for row in rows) == ["done", "lost"]
    assert at.check() == "ok"


@pytest.mark.parametrize("workers", [1, 2])
async def test_rows_are_whole_after_an_orderly_end(tmp_path: Path, workers: int) -> None:
    at = await installed(tmp_path, ann=User("", ""))
    port = _free_port()
    async with ChaosServer({"*": STALLED, OTHER: STORY}, projects=PROJECTS) as fake:
        flags = {"server__drain_timeout": 0, "server__workers": workers, "server__port": port}
        async with at.serving(fake, **flags) as process:
            for number in range(6):
                assert (await at.ask(process, f"Prompt {number}", OTHER)).status == 200
            async with process.connect() as connection:
                await connection.send(stream_of(), body_of("Hello"), access(at.keys["ann"]))
                await fake.until_stalled()
                await process.terminate()
                assert await process.exit_status() == 0
        rows = await at.requests()

    assert [row["ending"] for row in rows].count("done") == 6
    assert [row["ending"] for row in rows].count("shutdown") == 1
    assert len(rows) == 7


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def test_a_key_made_while_the_proxy_runs_has_its_limits(tmp_path: Path) -> None:
    at = await installed(tmp_path, old=User("", ""))
    async with ChaosServer(STORY, projects=PROJECTS) as fake, at.serving(fake) as process:
        code, out, err = await at.program.run("users", "add", "new", "--rpm", "50", "--json")
        assert code == 0, err
        key = json.loads(out)["key"]
        answers = await asyncio.gather(
            *(process.ask(stream_of(), body_of(f"P{n}"), access(key)) for n in range(200))
        )
    statuses = [answer.status for answer in answers]

    assert (statuses.count(200), statuses.count(429)) == (50, 150)
