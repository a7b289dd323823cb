"""Stock SDKs read interactions through the proxy, and do not notice that they break."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import pytest
from google import genai
from google.genai import types
from google.genai._gaos.utils.eventstreaming import AsyncStream

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.running import Proxy, StartProxy
from tests.sdk.node import NodeDriver, NodeRun

MODEL = "gemini-test"
ID = f"v1_{MODEL}_1"
STORY = BUILT_IN["story"]
THINKING = BUILT_IN["thinking"]
BREAKS = ("rst@1500", "raw-error:503@event:3", "clean@700", "error:504@event:2", "fin@2000")
DEAD = ("clean@1500", *["status:403"] * 9)

Event = Any
"""One of the SDK's own union of types."""

# google-genai makes a subclass of aiohttp's session, which aiohttp discourages.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning")


@attrs.define
class Seen:
    """The events that a client got, and the error that ended them."""

    events: list[Event] = attrs.field(factory=list)
    error: Exception | None = None

    @property
    def kinds(self) -> list[str]:
        return [event.event_type for event in self.events]

    @property
    def text(self) -> str:
        deltas = [event.delta for event in self.events if event.event_type == "step.delta"]
        return "".join(delta.text for delta in deltas if delta.type == "text")


Stream = Callable[[genai.Client, Seen, str, dict[str, Any]], Awaitable[None]]


async def sync(client: genai.Client, seen: Seen, verb: str, asked: dict[str, Any]) -> None:
    """Stream with the synchronous client, in a thread of its own."""

    def run() -> None:
        with getattr(client.interactions, verb)(stream=True, **asked) as stream:
            seen.events.extend(stream)

    await asyncio.to_thread(run)


async def asynchronous(client: genai.Client, seen: Seen, verb: str, asked: dict[str, Any]) -> None:
    """Stream with the asynchronous client."""
    async with await getattr(client.aio.interactions, verb)(stream=True, **asked) as stream:
        async for event in stream:
            seen.events.append(event)


BOTH = pytest.mark.parametrize(
    "stream",
    [
        pytest.param(sync, marks=pytest.mark.sdk("google-genai (sync)", "interactions")),
        pytest.param(asynchronous, marks=pytest.mark.sdk("google-genai (async)", "interactions")),
    ],
)


@contextlib.asynccontextmanager
async def client_of(url: str) -> AsyncIterator[genai.Client]:
    """Yield a client that differs from any other one by its base URL alone."""
    options = types.HttpOptions(base_url=url)
    client = genai.Client(vertexai=False, api_key="test-key", http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


async def ask(url: str, stream: Stream, verb: str = "create", **asked: Any) -> Seen:
    """Return what one stream brought."""
    seen = Seen()
    if verb == "create":
        asked = {"model": MODEL, "input": "Hello", **asked}
    async with client_of(url) as client:
        try:
            await stream(client, seen, verb, asked)
        except Exception as error:  # noqa: BLE001 (whatever the SDK raises is what is asked for)
            seen.error = error
    return seen


def script(*specs: str, told: Any = STORY) -> Script:
    """Return a script with the faults that the command line names so."""
    return Script(told, [parse_fault(spec) for spec in specs])


def gets(server: ChaosServer) -> int:
    return sum(request.method == "GET" for request in server.requests)


@BOTH
@pytest.mark.parametrize("ids_every", [1, 3, 0])
@pytest.mark.parametrize("specs", [(), BREAKS])
async def test_google_genai_sees_every_event_once(
    proxy: StartProxy, stream: Stream, ids_every: int, specs: tuple[str, ...]
) -> None:
    async with ChaosServer(script(told=THINKING)) as server:
        server.interactions.ids_every = ids_every
        direct = await ask(server.url, stream)
    async with ChaosServer(script(*specs, told=THINKING)) as server:
        server.interactions.ids_every = ids_every
        through = await ask((await proxy(server)).url, stream)

        assert through == direct
        assert through.text == THINKING.text
        assert through.kinds[-1] == "interaction.completed"
        assert gets(server) == len(specs)
        assert server.violations == []


@BOTH
async def test_google_genai_reads_on_by_itself(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script("none", *BREAKS)) as server:
        url = (await proxy(server)).url
        told = await ask(url, stream)
        rest = await ask(url, stream, "get", id=ID, last_event_id="event-9")

        assert rest.events == told.events[9:]
        assert rest.error is None
        assert gets(server) == 1 + len(BREAKS)


@BOTH
async def test_google_genai_raises_when_it_cannot_be_read_on(
    proxy: StartProxy, stream: Stream
) -> None:
    async with ChaosServer(script(*DEAD)) as server:
        seen = await ask((await proxy(server)).url, stream)

        assert seen.error is not None
        assert "Connection" in type(seen.error).__name__
        assert seen.kinds[-1] == "error"
        assert seen.events[-1].error.code == "permission_denied"
        assert STORY.text.startswith(seen.text)
        assert [request.method for request in server.requests] == ["POST", "GET"]


@BOTH
async def test_google_genai_raises_for_what_is_not_stored(
    proxy: StartProxy, stream: Stream
) -> None:
    async with ChaosServer(script("clean@1500")) as server:
        seen = await ask((await proxy(server)).url, stream, store=False)

        assert seen.error is not None
        assert len(server.requests) == 1


@BOTH
async def test_google_genai_does_not_see_heartbeats(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script("stall@1500")) as server:
        running = await proxy(
            server,
            client={"heartbeat_seconds": 0.01},
            upstream={"chunk_timeout_seconds": 0.2, "thinking_timeout_seconds": 0.2},
        )
        seen = await ask(running.url, stream)

        assert (seen.text, seen.error) == (STORY.text, None)


async def test_google_genai_has_the_resource_cancels_and_deletes(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server, client_of((await proxy(server)).url) as client:
        api = client.aio.interactions
        made = await api.create(model=MODEL, input="Hello", background=True)

        assert not isinstance(made, AsyncStream)
        assert made.output_text == STORY.text
        assert (await api.get(ID)).status == "completed"
        assert (await api.cancel(ID)).status == "cancelled"
        await api.delete(ID)
        assert server.interactions.stored == {}
        assert server.violations == []


# -- @google/genai ------------------------------------------------------------------------


async def drive(node_driver: NodeDriver, running: Proxy | ChaosServer, *prompts: str) -> NodeRun:
    return await node_driver(running.url, *prompts, mode="interactions")


def raws(run: NodeRun) -> list[dict[str, Any]]:
    return [chunk.raw for chunk in run.chunks]


@pytest.mark.sdk("@google/genai", "interactions")
@pytest.mark.parametrize("specs", [(), BREAKS])
async def test_google_genai_js_sees_every_event_once(
    proxy: StartProxy, node_driver: NodeDriver, specs: tuple[str, ...]
) -> None:
    async with ChaosServer(script()) as server:
        direct = await drive(node_driver, server, "Hello")
    async with ChaosServer(script(*specs)) as server:
        through = await drive(node_driver, await proxy(server), "Hello")

        assert through.error is None
        assert raws(through) == raws(direct)
        assert raws(through)[-1]["event_type"] == "interaction.completed"
        assert gets(server) == len(specs)


async def test_google_genai_js_reads_on_by_itself(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(script("none", "rst@900")) as server:
        run = await drive(node_driver, await proxy(server), "Hello", f"{ID} after event-9")

        assert run.error is None
        first, second = ([c.raw for c in run.chunks if c.turn == turn] for turn in (0, 1))
        assert second == first[9:]


async def test_google_genai_js_raises_when_it_cannot_be_read_on(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(script(*DEAD)) as server:
        run = await drive(node_driver, await proxy(server), "Hello")

        assert run.error is not None
        assert run.error.name == "APIConnectionError"
        assert raws(run)[-1]["error"]["code"] == "permission_denied"


async def test_google_genai_js_does_not_see_heartbeats(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(script("stall@1500")) as server:
        running = await proxy(
            server,
            client={"heartbeat_seconds": 0.01},
            upstream={"chunk_timeout_seconds": 0.2, "thinking_timeout_seconds": 0.2},
        )
        run = await drive(node_driver, running, "Hello")

        assert run.error is None
        assert raws(run)[-1]["event_type"] == "interaction.completed"
