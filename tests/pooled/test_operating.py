"""What an operator changes through one of two workers acts in the other: settings, users, keys."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bench.system import free_port
from gemproxy.chaos.answers import Answer
from gemproxy.chaos.projects import Project
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.pool.key import fingerprint
from tests.faults.processes import ProxyProcess
from tests.pooled.house import K1, K2, access, stream_of
from tests.pooled.program import program
from tests.running import PATIENCE
from tests.wire import Connection, body_of

pytestmark = pytest.mark.production_loop

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
OPERATOR = {"x-admin-secret": SECRET}
PROMPT = "Be brief about it."
PROJECTS = [Project("P1", (K1,)), Project("P2", (K2,))]


async def told(connection: Connection, method: str, path: str, document: Any = None) -> Any:
    """Ask the admin API of the worker that has this connection; return what it says."""
    body = b"" if document is None else json.dumps(document).encode()
    answer = await connection.ask(path, body, OPERATOR, method)
    assert answer.status < 300, answer.body
    return json.loads(answer.body)


@contextlib.asynccontextmanager
async def both(process: ProxyProcess) -> AsyncIterator[tuple[Connection, Connection]]:
    """Yield a connection to each of two workers, which the system chooses between."""
    found: dict[int, Connection] = {}
    async with contextlib.AsyncExitStack() as stack:
        while len(found) < 2:
            connection = await stack.enter_async_context(process.connect())
            worker = (await told(connection, "GET", "/debug/info"))["worker"]
            found.setdefault(worker, connection)
        yield found[0], found[1]


async def test_a_change_through_one_worker_acts_in_the_other(tmp_path: Path) -> None:
    flags = {"server.workers": 2, "server.port": free_port(), "ledger.enabled": True}
    installed = program(tmp_path, PROJECTS[:1], GEMPROXY_ADMIN_SECRET=SECRET)
    async with (
        ChaosServer(Script(Answer("Well.")), projects=PROJECTS) as fake,
        installed.serving(fake, flags) as process,
        both(process) as (one, other),
    ):
        made = await told(one, "POST", "/admin/api/v1/users", {"name": "carl"})
        answer = await other.ask(stream_of(), body_of("Hello"), access(made["key"]))
        assert answer.status == 200, answer.body

        added = await told(one, "POST", "/admin/api/v1/keys", {"key": K2, "project": "P2"})
        assert added["fingerprint"] == fingerprint(K2)
        async with asyncio.timeout(PATIENCE):
            while fingerprint(K2) not in str(await told(other, "GET", "/admin/api/v1/keys")):
                pass

        wish = {"enabled": True, "content": PROMPT, "position": "system"}
        await told(one, "POST", "/admin/config/inject-prompt", wish)
        async with asyncio.timeout(PATIENCE):
            while PROMPT not in str(fake.requests[-1].body):
                await other.ask(stream_of(), body_of("Hello"), access(made["key"]))

        await told(one, "DELETE", "/admin/api/v1/users/carl")
        refused = await other.ask(stream_of(), body_of("Hello"), access(made["key"]))
        assert refused.status == 401
        entries = (await told(other, "GET", "/admin/api/v1/audit"))["entries"]

    assert [entry["action"] for entry in entries] == [
        *("users.revoke", "settings.change", "settings.change", "settings.change"),
        *("key.add", "users.add"),
    ]
