"""Stock SDKs and their unary calls: what breaks is asked again, what is whole is left alone.

google-genai with both of its clients, openai with both of its, and @google/genai.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import openai
import pytest
from google import genai
from google.genai import errors, types

from gemproxy.chaos.api import model_entry, model_list
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import chunk
from tests.replies import DEAD, SILENT, Reply, cut, error_reply, json_reply, replying
from tests.running import AccessLog, Proxy, StartProxy
from tests.sdk.node import NodeDriver

MODEL = "gemini-test"
STORY = BUILT_IN["story"]
NAMES = ("gemini-x", "gemini-y")
VERSIONS = pytest.mark.parametrize("version", ["v1", "v1beta"])
HELLO = json_reply(chunk("Hello", finish="STOP", usage=(3, 2)))
EMPTY = json_reply(chunk(finish="STOP", usage=(3, 0)))
LIST = json_reply(model_list(NAMES))
BREAKS: tuple[Reply, ...] = (error_reply(503), DEAD, cut(HELLO))
VIA_STREAM: dict[str, Mapping[str, Any]] = {"repair": {"unary_via_stream": True}}

# google-genai makes a subclass of aiohttp's session, which aiohttp discourages.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning")

Use = Callable[[genai.Client], Awaitable[Any]]


@contextlib.asynccontextmanager
async def client_of(
    url: str, version: str | None = None, limit: int | None = None
) -> AsyncIterator[genai.Client]:
    """Yield a client of google-genai; ``limit`` is its timeout in milliseconds."""
    options = types.HttpOptions(base_url=url, api_version=version, timeout=limit)
    client = genai.Client(vertexai=False, api_key="test-key", http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


async def used(url: str, use: Use, version: str | None = None) -> Any:
    async with client_of(url, version) as client:
        return await use(client)


def both(sync: Callable[[genai.Client], Any], asynchronous: Use) -> pytest.MarkDecorator:
    """Return the mark of a test that runs with both clients."""

    async def threaded(client: genai.Client) -> Any:
        return await asyncio.to_thread(sync, client)

    return pytest.mark.parametrize("use", [threaded, asynchronous], ids=["sync", "async"])


async def _listed(client: genai.Client) -> list[types.Model]:
    return [model async for model in await client.aio.models.list()]


GENERATE = both(
    lambda client: client.models.generate_content(model=MODEL, contents="Hello"),
    lambda client: client.aio.models.generate_content(model=MODEL, contents="Hello"),
)
COUNT = both(
    lambda client: client.models.count_tokens(model=MODEL, contents="Hello"),
    lambda client: client.aio.models.count_tokens(model=MODEL, contents="Hello"),
)
EMBED = both(
    lambda client: client.models.embed_content(model=MODEL, contents="Hello"),
    lambda client: client.aio.models.embed_content(model=MODEL, contents="Hello"),
)
LISTS = both(lambda client: list(client.models.list()), _listed)
GET = both(
    lambda client: client.models.get(model="gemini-x"),
    lambda client: client.aio.models.get(model="gemini-x"),
)


@GENERATE
async def test_an_answer_is_the_one_without_a_proxy(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(Script(STORY)) as server:
        direct = await used(server.url, use)
    async with ChaosServer(Script(STORY)) as server:
        through = await used((await proxy(server)).url, use)

    direct.sdk_http_response = through.sdk_http_response = None
    assert through == direct
    assert through.text == STORY.text


@GENERATE
@VERSIONS
async def test_a_generation_that_breaks_is_whole(proxy: StartProxy, use: Use, version: str) -> None:
    async with replying(*BREAKS, EMPTY, HELLO) as upstream:
        answer = await used((await proxy(upstream.url)).url, use, version)

        assert answer.text == "Hello"
        assert len(upstream.seen) == len(BREAKS) + 2


@GENERATE
async def test_a_generation_run_as_a_stream_is_the_same_and_survives_its_cuts(
    proxy: StartProxy, use: Use
) -> None:
    faults = [parse_fault(spec) for spec in ("rst@900", "clean@event:4", "error:503@event:3")]
    async with ChaosServer(Script(STORY, faults)) as server:
        answer = await used((await proxy(server, **VIA_STREAM)).url, use)

        assert answer.text == STORY.text
        assert answer.candidates[0].finish_reason is types.FinishReason.STOP
        assert len(server.attempts) == 4
        assert server.violations == []


@GENERATE
async def test_white_space_before_an_answer_is_read_over(proxy: StartProxy, use: Use) -> None:
    client = {"headers_after_seconds": 0.01, "heartbeat_seconds": 0.01}
    patience = {"chunk_timeout_seconds": 0.2}
    async with ChaosServer(Script(STORY, [parse_fault("stall@event:3")])) as server:
        running = await proxy(server, **VIA_STREAM, client=client, upstream=patience)

        assert (await used(running.url, use)).text == STORY.text


@GENERATE
async def test_a_failure_after_white_space_is_raised(proxy: StartProxy, use: Use) -> None:
    sections: dict[str, Mapping[str, Any]] = {
        "repair": {"unary_via_stream": True, "max_consecutive_retries": 1},
        "client": {"headers_after_seconds": 0.01, "heartbeat_seconds": 0.01},
        "upstream": {"first_byte_timeout_seconds": 0.1},
    }
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url, **sections)

        with pytest.raises(Exception) as caught:  # noqa: PT011 (asked for below)
            await used(running.url, use)

        raised_by = type(caught.value).__module__.split(".")[0]
        assert raised_by in {"httpx", "httpx2", "aiohttp"}


@GENERATE
async def test_what_stays_broken_is_raised_with_its_status(proxy: StartProxy, use: Use) -> None:
    async with replying(error_reply(503)) as upstream:
        running = await proxy(upstream.url)

        with pytest.raises(errors.ServerError) as caught:
            await used(running.url, use)

        assert caught.value.code == 503


async def test_the_timeout_of_a_client_is_the_limit_of_all_attempts(proxy: StartProxy) -> None:
    async with replying(error_reply(503), SILENT) as upstream:
        running = await proxy(upstream.url)
        async with client_of(running.url, limit=30_000) as client:
            asked = asyncio.ensure_future(
                client.aio.models.generate_content(model=MODEL, contents="Hello")
            )
            await upstream.stalled.wait()
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

        assert [seen.headers["X-Server-Timeout"] for seen in upstream.seen] == ["30", "30"]


@COUNT
@VERSIONS
async def test_tokens_are_counted(proxy: StartProxy, use: Use, version: str) -> None:
    async with replying(*BREAKS, json_reply({"totalTokens": 7})) as upstream:
        counted = await used((await proxy(upstream.url)).url, use, version)

        assert counted.total_tokens == 7


@EMBED
@VERSIONS
async def test_a_text_is_embedded(proxy: StartProxy, use: Use, version: str) -> None:
    vector = {"values": [0.25, -0.5]}
    embedded = json_reply({"embedding": vector, "embeddings": [vector]})
    async with replying(*BREAKS, embedded) as upstream:
        answer = await used((await proxy(upstream.url)).url, use, version)

        assert answer.embeddings[0].values == [0.25, -0.5]


@LISTS
@VERSIONS
async def test_models_are_listed_page_by_page(proxy: StartProxy, use: Use, version: str) -> None:
    first = json_reply({**model_list(NAMES[:1]), "nextPageToken": "more"})
    async with replying(error_reply(503), first, json_reply(model_list(NAMES[1:]))) as upstream:
        models = await used((await proxy(upstream.url)).url, use, version)

        assert [model.name for model in models] == [f"models/{name}" for name in NAMES]
        assert models[0].output_token_limit == 65536
        assert "pageToken=more" in upstream.seen[-1].target


@GET
@VERSIONS
async def test_a_model_is_described(proxy: StartProxy, use: Use, version: str) -> None:
    async with replying(error_reply(500), json_reply(model_entry("gemini-x"))) as upstream:
        model = await used((await proxy(upstream.url)).url, use, version)

        assert (model.name, model.display_name) == ("models/gemini-x", "gemini-x")


async def test_openai_lists_the_models(proxy: StartProxy) -> None:
    async with replying(error_reply(503), LIST) as upstream:
        url = (await proxy(upstream.url)).url
        by_thread = await asyncio.to_thread(_openai_models, url)
        async with _openai(url) as client:
            listed = [model async for model in client.models.list()]

        assert [model.id for model in listed] == [model.id for model in by_thread] == [*NAMES]
        assert {(model.object, model.owned_by) for model in listed} == {("model", "google")}


async def test_openai_retrieves_a_model(proxy: StartProxy) -> None:
    async with replying(error_reply(503), json_reply(model_entry("gemini-x"))) as upstream:
        async with _openai((await proxy(upstream.url)).url) as client:
            model = await client.models.retrieve("gemini-x")

        assert (model.id, model.object, model.created) == ("gemini-x", "model", 0)
        assert upstream.seen[-1].target == "/v1/models/gemini-x"
        assert upstream.seen[-1].headers["x-goog-api-key"] == "AQ.test-key"


async def test_openai_raises_what_google_says_of_a_model(proxy: StartProxy) -> None:
    async with replying(error_reply(404)) as upstream:
        url = (await proxy(upstream.url)).url
        async with _openai(url) as client:
            found = client.models.retrieve("gemini-x")
            with pytest.raises(openai.NotFoundError, match="scripted 404"):
                await found


def _openai(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="AQ.test-key", base_url=f"{url}/v1", max_retries=0)


def _openai_models(url: str) -> list[Any]:
    with openai.OpenAI(api_key="AQ.test-key", base_url=f"{url}/v1", max_retries=0) as client:
        return list(client.models.list())


async def test_the_javascript_sdk_gets_a_whole_answer(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with replying(*BREAKS, EMPTY, HELLO) as upstream:
        run = await node_driver((await proxy(upstream.url)).url, "Hello", mode="generate")

        assert (run.error, run.text()) == (None, "Hello")


async def test_the_javascript_sdk_gets_a_stream_as_one_answer_and_reads_over_white_space(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    client = {"headers_after_seconds": 0.01, "heartbeat_seconds": 0.01}
    patience = {"chunk_timeout_seconds": 0.2}
    faults = [parse_fault("rst@900"), parse_fault("stall@event:3")]
    async with ChaosServer(Script(STORY, faults)) as server:
        running = await proxy(server, **VIA_STREAM, client=client, upstream=patience)
        run = await node_driver(running.url, "Hello", mode="generate")

        assert (run.error, run.text()) == (None, STORY.text)


async def test_the_javascript_sdk_raises_what_fails_after_white_space(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    sections: dict[str, Mapping[str, Any]] = {
        "repair": {"unary_via_stream": True, "max_consecutive_retries": 1},
        "client": {"headers_after_seconds": 0.01, "heartbeat_seconds": 0.01},
        "upstream": {"first_byte_timeout_seconds": 0.1},
    }
    async with replying(SILENT) as upstream:
        running: Proxy = await proxy(upstream.url, **sections)
        run = await node_driver(running.url, "Hello", mode="generate")

        assert run.error is not None


async def test_openai_does_not_repeat_what_was_asked_in_vain(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    """By itself it tries three times what fails with 502, and each would be three of ours."""
    async with replying(Reply(b"", closes=True)) as upstream:
        url = (await proxy(upstream.url, repair={"max_consecutive_retries": 2})).url
        async with openai.AsyncOpenAI(api_key="AQ.test-key", base_url=f"{url}/v1") as client:
            with pytest.raises(openai.InternalServerError):
                await client.models.list()
            with pytest.raises(openai.InternalServerError):
                await client.models.retrieve("gemini-test")

    assert (await access_log.line())["path"] == "/v1/models"
    assert (await access_log.line())["path"] == "/v1/models/gemini-test"
