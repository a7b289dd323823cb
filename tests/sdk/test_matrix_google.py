"""What Google's own SDKs offer beside text, through the proxy: the cells of docs/sdks.md."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from google import genai
from google.genai import types

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.resources import vector
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.running import StartProxy
from tests.sdk.node import NodeDriver

MODEL = "gemini-test"
TEXT = "A story that is long enough to be cut somewhere in its middle. " * 8
CUT = Script(Answer(TEXT), [parse_fault("rst@event:2"), parse_fault("clean@event:2")], rearm=True)
WHOLE = Script(Answer("Told."))

# google-genai makes a subclass of aiohttp's session, which aiohttp discourages.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning")

Use = Callable[[genai.Client], Awaitable[Any]]


@contextlib.asynccontextmanager
async def client_of(url: str) -> AsyncIterator[genai.Client]:
    options = types.HttpOptions(base_url=url)
    client = genai.Client(vertexai=False, api_key="test-key", http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


def both(
    capability: str, sync: Callable[[genai.Client], Any], asynchronous: Use
) -> pytest.MarkDecorator:
    """Return the mark of a test that proves a cell for both clients of google-genai."""

    async def threaded(client: genai.Client) -> Any:
        return await asyncio.to_thread(sync, client)

    uses = [
        pytest.param(threaded, marks=pytest.mark.sdk("google-genai (sync)", capability), id="sync"),
        pytest.param(
            asynchronous, marks=pytest.mark.sdk("google-genai (async)", capability), id="async"
        ),
    ]
    return pytest.mark.parametrize("use", uses)


async def used(proxy: StartProxy, server: ChaosServer, use: Use) -> Any:
    started = await proxy(server, repair={"retry_delay_ms": 1})
    async with client_of(started.url) as client:
        return await use(client)


def _stream(client: genai.Client) -> str:
    chunks = client.models.generate_content_stream(model=MODEL, contents="Tell.")
    return "".join(chunk.text or "" for chunk in chunks)


async def _astream(client: genai.Client) -> str:
    chunks = await client.aio.models.generate_content_stream(model=MODEL, contents="Tell.")
    return "".join([chunk.text or "" async for chunk in chunks])


@both(
    "generate",
    lambda c: c.models.generate_content(model=MODEL, contents="Tell."),
    lambda c: c.aio.models.generate_content(model=MODEL, contents="Tell."),
)
async def test_a_generation(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(WHOLE) as server:
        assert (await used(proxy, server, use)).text == "Told."


@both("stream", _stream, _astream)
async def test_a_stream(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(WHOLE) as server:
        assert await used(proxy, server, use) == "Told."


@both("stream, cut", _stream, _astream)
async def test_a_stream_that_is_cut_twice(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(CUT) as server:
        assert await used(proxy, server, use) == TEXT
        assert len(server.attempts) == 3


def _chat(client: genai.Client) -> list[str]:
    chat = client.chats.create(model=MODEL)
    told = ["".join(c.text or "" for c in chat.send_message_stream(said)) for said in ("1", "2")]
    assert len(chat.get_history(curated=True)) >= 4
    return told


async def _achat(client: genai.Client) -> list[str]:
    chat = client.aio.chats.create(model=MODEL)
    turns = [await chat.send_message_stream("1"), await chat.send_message_stream("2")]
    told = ["".join([chunk.text or "" async for chunk in turn]) for turn in turns]
    assert len(chat.get_history(curated=True)) >= 4
    return told


@both("chats", _chat, _achat)
async def test_a_chat_whose_turns_are_cut(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(CUT) as server:
        assert await used(proxy, server, use) == [TEXT, TEXT]


@both(
    "countTokens",
    lambda c: c.models.count_tokens(model=MODEL, contents="word " * 8),
    lambda c: c.aio.models.count_tokens(model=MODEL, contents="word " * 8),
)
async def test_a_count_of_tokens(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(WHOLE) as server:
        assert (await used(proxy, server, use)).total_tokens > 1


@both(
    "embed",
    lambda c: c.models.embed_content(model=MODEL, contents="a text"),
    lambda c: c.aio.models.embed_content(model=MODEL, contents="a text"),
)
async def test_embeddings(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(WHOLE) as server:
        told = await used(proxy, server, use)

    assert [one.values for one in told.embeddings] == [vector("a text")]


async def _alisted(client: genai.Client) -> list[types.Model]:
    return [model async for model in await client.aio.models.list()]


@both("list models", lambda c: list(c.models.list()), _alisted)
async def test_the_list_of_models(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer({MODEL: WHOLE, "gemini-other": WHOLE}) as server:
        models = await used(proxy, server, use)

    assert [model.name for model in models] == [f"models/{MODEL}", "models/gemini-other"]


CACHED = types.CreateCachedContentConfig(contents="A long text. " * 20, display_name="mine")


def _cache(client: genai.Client) -> tuple[Any, Any, str | None, list[Any]]:
    made = client.caches.create(model=MODEL, config=CACHED)
    name = made.name or ""
    found = client.caches.update(name=name, config=types.UpdateCachedContentConfig(ttl="9s"))
    config = types.GenerateContentConfig(cached_content=name)
    answer = client.models.generate_content(model=MODEL, contents="Tell.", config=config)
    client.caches.delete(name=name)
    return made, found, answer.text, list(client.caches.list())


async def _acache(client: genai.Client) -> tuple[Any, Any, str | None, list[Any]]:
    caches = client.aio.caches
    made = await caches.create(model=MODEL, config=CACHED)
    name = made.name or ""
    found = await caches.update(name=name, config=types.UpdateCachedContentConfig(ttl="9s"))
    config = types.GenerateContentConfig(cached_content=name)
    answer = await client.aio.models.generate_content(model=MODEL, contents="Tell.", config=config)
    await caches.delete(name=name)
    return made, found, answer.text, [one async for one in await caches.list()]


@both("caches", _cache, _acache)
async def test_a_cache_is_made_used_and_deleted(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(WHOLE) as server:
        made, found, text, left = await used(proxy, server, use)

    assert (made.display_name, found.name, text, left) == ("mine", made.name, "Told.", [])
    assert made.usage_metadata.total_token_count > 1


ASKED = [types.InlinedRequest(contents="Tell.")]


def _batch(client: genai.Client) -> tuple[Any, Any, list[Any]]:
    made = client.batches.create(model=MODEL, src=ASKED)
    client.batches.cancel(name=made.name or "")
    found = client.batches.get(name=made.name or "")
    client.batches.delete(name=made.name or "")
    return made, found, list(client.batches.list())


async def _abatch(client: genai.Client) -> tuple[Any, Any, list[Any]]:
    batches = client.aio.batches
    made = await batches.create(model=MODEL, src=ASKED)
    await batches.cancel(name=made.name or "")
    found = await batches.get(name=made.name or "")
    await batches.delete(name=made.name or "")
    return made, found, [one async for one in await batches.list()]


@both("batches", _batch, _abatch)
async def test_a_batch_is_made_cancelled_and_deleted(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(WHOLE) as server:
        made, found, left = await used(proxy, server, use)

    assert made.state == types.JobState.JOB_STATE_PENDING
    assert found.state == types.JobState.JOB_STATE_CANCELLED
    assert left == []


JS = "@google/genai"


@pytest.mark.sdk(JS, "generate")
@pytest.mark.sdk(JS, "countTokens")
@pytest.mark.sdk(JS, "embed")
@pytest.mark.sdk(JS, "list models")
@pytest.mark.sdk(JS, "caches")
@pytest.mark.sdk(JS, "batches")
async def test_google_genai_js_does_it_all(proxy: StartProxy, node_driver: NodeDriver) -> None:
    async with ChaosServer(WHOLE) as server:
        run = await node_driver((await proxy(server)).url, "a text", mode="surface")

    assert run.error is None
    told = {name: value for one in run.chunks for name, value in one.raw.items()}
    assert told["generated"] == "Told."
    assert told["counted"] >= 1
    assert told["embedded"] == [vector("a text")]
    assert told["listed"] == [f"models/{MODEL}"] or told["listed"]
    assert told["cached"] == ["mine", "Told.", 0]
    assert told["batched"] == ["JOB_STATE_PENDING", "JOB_STATE_CANCELLED", 0]


@pytest.mark.sdk(JS, "stream")
async def test_google_genai_js_streams(proxy: StartProxy, node_driver: NodeDriver) -> None:
    async with ChaosServer(WHOLE) as server:
        run = await node_driver((await proxy(server)).url, "Tell.")

    assert (run.text(), run.error) == ("Told.", None)


@pytest.mark.sdk(JS, "stream, cut")
@pytest.mark.sdk(JS, "chats")
async def test_google_genai_js_chats_while_it_is_cut(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(CUT) as server:
        started = await proxy(server, repair={"retry_delay_ms": 1})
        run = await node_driver(started.url, "1", "2", mode="chat")

    assert (run.text(0), run.text(1), run.error) == (TEXT, TEXT, None)
    assert len(run.curated) >= 4
