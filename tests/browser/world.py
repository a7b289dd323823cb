"""A proxy at work for the browser to look at: keys, people, requests of all kinds, one that runs.

The fake Gemini behind it breaks on purpose, by model.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.metered.house import ledger_of, rows_of
from tests.operating import SECRET, Browser
from tests.pooled.house import ANN, BOB, access, keys_of, projects, stream_of
from tests.running import PATIENCE, Proxy, running
from tests.wire import Answer, Connection, body_of

API = "/admin/api/v1"
CLEAN, CUT, STUCK, REFUSED = (
    "gemini-3.5-flash",
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "gemini-2.5-flash-lite",
)
"""Models: one answers at once, one is cut twice, one falls silent, one is refused."""

SCRIPTS = {
    CLEAN: Script(BUILT_IN["story"], rearm=True),
    CUT: Script(
        BUILT_IN["thinking"],
        faults=[parse_fault("clean@900"), parse_fault("rst@event:7")],
        rearm=True,
    ),
    STUCK: Script(BUILT_IN["chinese"], faults=[parse_fault("stall@event:5")] * 9, rearm=True),
    REFUSED: Script(BUILT_IN["story"], faults=[parse_fault("status:400")] * 9),
    "*": Script(BUILT_IN["story"], rearm=True),
}


@attrs.frozen(eq=False)
class World:
    """The proxy, and a session with its pages."""

    proxy: Proxy
    session: Browser

    async def api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return what the admin API answers; it must succeed."""
        answer = await self._ask(method, path, body)
        assert answer.status < 300, answer.body
        return json.loads(answer.body)

    async def status(self, method: str, path: str, body: Mapping[str, Any]) -> int:
        """Return the status of what the admin API answers."""
        return (await self._ask(method, path, body)).status

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        headers = {"x-admin-secret": SECRET, "Content-Type": "application/json"}
        document = b"" if body is None else json.dumps(body).encode()
        return await self.proxy.ask(API + path, document, headers, method=method)

    async def stream(self, model: str, prompt: str = "Hello", key: str = ANN) -> Answer:
        """Stream an answer through the proxy."""
        return await self.proxy.ask(stream_of(model), body_of(prompt), access(key))

    @contextlib.asynccontextmanager
    async def streaming(self, model: str = STUCK, key: str = BOB) -> AsyncIterator[Connection]:
        """Have a stream run, of which a part has come."""
        async with self.proxy.connect() as connection:
            await connection.send(stream_of(model), body_of("Wait for me"), access(key))
            await connection.head()
            await connection.chunk()
            yield connection

    async def settled(self) -> None:
        """Return when all requests that have ended are in the ledger."""
        assert await ledger_of(self.proxy).flush()


@contextlib.asynccontextmanager
async def world(folder: Path, url: str, **sections: Mapping[str, Any]) -> AsyncIterator[World]:
    """Run a proxy with the operator's secret, keys, and a ledger; somebody is signed in."""
    given: dict[str, dict[str, Any]] = {
        "admin": {"secret": SECRET},
        "access": {"keys": {"ann": ANN, "bob": BOB}},
        "pool": {"projects": keys_of(projects())},
        "ledger": {"enabled": None},
        "server": {"data_dir": str(folder / "data")},
        "repair": {"retry_after_limit_seconds": 0},
    }
    merged = {
        name: {**given.get(name, {}), **sections.get(name, {})} for name in {*given, *sections}
    }
    async with running(url, **merged) as proxy:
        session = Browser(proxy)
        assert (await session.sign_in()).status == 303
        yield World(proxy, session)


@contextlib.asynccontextmanager
async def faulty_world(folder: Path, **sections: Mapping[str, Any]) -> AsyncIterator[World]:
    """Run a proxy in front of a fake Gemini that breaks on purpose, by model."""
    async with (
        ChaosServer(SCRIPTS, projects=projects()) as fake,
        world(folder, fake.url, **sections) as made,
    ):
        yield made


@contextlib.asynccontextmanager
async def busy_world(folder: Path) -> AsyncIterator[World]:
    """Run a proxy that has had requests of all kinds, and has one that does not end by itself."""
    async with faulty_world(folder) as made:
        await made.api(
            "POST", "/users", {"name": "cleo", "limits": [{"kind": "rpm", "amount": 60}]}
        )
        for model in (CLEAN, CUT, REFUSED):
            await made.stream(model, f"Tell {model} a story")
        await made.stream(CUT, "Tell bob a story", BOB)
        async with asyncio.timeout(PATIENCE):
            await rows_of(made.proxy)
        async with made.streaming():
            yield made
