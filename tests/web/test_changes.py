"""Settings change while requests run: each keeps what it began with, the next one has the new."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import attrs

from gemproxy.admin.settings import Caller
from gemproxy.ledger.audit import Audit
from gemproxy.routes.parts import DISPATCHER, PRESENT
from gemproxy.web.accounting import LEDGER
from gemproxy.web.tuning import TUNER
from tests.gemini import chunk, sse
from tests.replies import Replies, replying, sse_reply
from tests.running import PATIENCE, Proxy, StartProxy
from tests.sockets import CHUNKED, Reader, Writer, head, scripted

MANY = 100
WHOLE = sse(chunk("All of it.", finish="STOP"))
PROMPT = "be brief about the blue parrot"
OPERATOR = Caller("operator", "192.0.2.7")
LEDGER_ON = {"enabled": True}


async def change(proxy: Proxy, values: Mapping[str, object], *reset: str) -> None:
    await proxy.app[TUNER].change(values, reset, OPERATOR, None)


@attrs.define
class Held:
    """An upstream whose answers to the first requests begin, wait, and break off."""

    url: str = ""
    begun: int = 0
    all_begun: asyncio.Event = attrs.field(factory=asyncio.Event)
    go_on: asyncio.Event = attrs.field(factory=asyncio.Event)


@contextlib.asynccontextmanager
async def held() -> AsyncIterator[Held]:
    """Break off the first answers, and all behind those that take their place."""
    upstream = Held()
    begins = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: text/event-stream\r\n\r\n")

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            lines = (await head(reader)).decode().lower().splitlines()
            length = next(line for line in lines if line.startswith("content-length: "))
            await reader.readexactly(int(length.split()[1]))
            upstream.begun += 1
            if MANY < upstream.begun <= 2 * MANY:
                writer.write(sse_reply(WHOLE).raw)
                continue
            writer.write(begins)
            if upstream.begun == MANY:
                upstream.all_begun.set()
            await upstream.go_on.wait()
            return

    async with scripted(script) as url:
        upstream.url = str(url).rstrip("/")
        yield upstream


async def test_running_streams_keep_what_they_began_with(proxy: StartProxy) -> None:
    async with held() as upstream, asyncio.timeout(6 * PATIENCE):
        served = await proxy(upstream.url, ledger=LEDGER_ON)
        running = [asyncio.create_task(served.ask()) for _ in range(MANY)]
        await upstream.all_begun.wait()

        await change(served, {"repair.enabled": False, "upstream.first_byte_timeout_seconds": 77})
        upstream.go_on.set()
        answers = await asyncio.gather(*running)
        after = await served.ask()

    assert {answer.body for answer in answers} == {WHOLE}
    assert b"All of it." not in after.body
    assert upstream.begun == 2 * MANY + 1
    assert served.app[DISPATCHER].patience == 77


async def prompts(upstream: Replies, served: Proxy) -> bool:
    """Return whether a request goes up with the operator's prompt."""
    await served.ask()
    return PROMPT in upstream.seen[-1].body.decode()


async def test_a_change_acts_on_the_next_request_of_every_worker(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream, asyncio.timeout(PATIENCE):
        one = await proxy(upstream.url, ledger=LEDGER_ON)
        directory = {"data_dir": one.app[TUNER].settings.server.data_dir}
        other = await proxy(upstream.url, ledger=LEDGER_ON, server=directory)
        assert not await prompts(upstream, one)

        await change(one, {"injection.content": PROMPT, "injection.enabled": True})

        assert await prompts(upstream, one)
        while not other.app[TUNER].settings.injection.enabled:  # noqa: ASYNC110 (it is followed)
            await asyncio.sleep(0.01)
        assert await prompts(upstream, other)
        later = await proxy(upstream.url, ledger=LEDGER_ON, server=directory)
        assert await prompts(upstream, later), "a start has it before the first request"
        await change(later, {}, "injection.enabled")
        assert not await prompts(upstream, later)
        entries = await Audit(one.app[LEDGER].engines).read(9)

    assert PROMPT not in repr(entries)
    assert [entry.deed.action for entry in entries].count("settings.change") == 2


async def test_a_pool_takes_its_settings_and_keeps_its_counts(proxy: StartProxy) -> None:
    pool: dict[str, Any] = {"mode": "pool", "open": True, "keys": ["AIzaSy-one", "AIzaSy-two"]}
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await proxy(upstream.url, ledger=LEDGER_ON, pool=pool)
        for _ in range(2):
            assert (await served.ask()).status == 200

        model = "gemini-test"
        await change(served, {"pool.limits": {model: {"rpd": 1}}, "repair.max_resumes": 0})

        assert (await served.ask()).status == 429
        await change(served, {"pool.limits": {model: {"rpd": 2}}})
        assert (await served.ask()).status == 200
        assert served.app[PRESENT].live.repair.budget.max_resumes == 0
        pool_source = served.app[DISPATCHER].source.source  # type: ignore[attr-defined]  # of a stage
        assert pool_source.most == 1
