"""Stock google-genai through the proxy: its users do not notice that the upstream breaks.

Its two clients, the synchronous and the asynchronous one, share no network code: every test
runs with both.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from google import genai
from google.genai import errors, types

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.framing import Style
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.running import Proxy, StartProxy

MODEL = "gemini-test"
STORY = BUILT_IN["story"]
BREAKS = ("rst@1500", "error:503@event:5", "clean@700", "finish:OTHER@event:7", "fin@2000")
DEAD = ["clean@0"] * 9

Chunks = list[types.GenerateContentResponse]
Config = types.GenerateContentConfigDict
Stream = Callable[[genai.Client, Chunks, str, Config], Awaitable[None]]

# google-genai makes a subclass of aiohttp's session, which aiohttp discourages.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning")


async def sync(client: genai.Client, seen: Chunks, prompt: str, config: Config) -> None:
    """Stream with the synchronous client, in a thread of its own."""

    def run() -> None:
        models = client.models
        for chunk in models.generate_content_stream(model=MODEL, contents=prompt, config=config):
            seen.append(chunk)

    await asyncio.to_thread(run)


async def asynchronous(client: genai.Client, seen: Chunks, prompt: str, config: Config) -> None:
    """Stream with the asynchronous client."""
    models = client.aio.models
    async for chunk in await models.generate_content_stream(
        model=MODEL, contents=prompt, config=config
    ):
        seen.append(chunk)


BOTH = pytest.mark.parametrize("stream", [sync, asynchronous])


@contextlib.asynccontextmanager
async def client_of(proxy: Proxy) -> AsyncIterator[genai.Client]:
    """Yield a client that differs from any other one by its base URL alone."""
    client = genai.Client(
        vertexai=False, api_key="test-key", http_options=types.HttpOptions(base_url=proxy.url)
    )
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


async def ask(
    proxy: Proxy, stream: Stream, prompt: str = "Hello", config: Config | None = None
) -> Chunks:
    """Return the chunks of one answer."""
    seen: Chunks = []
    async with client_of(proxy) as client:
        await stream(client, seen, prompt, config or {})
    return seen


def script(
    *specs: str, answer: answers.Answer = STORY, behaviour: Behaviour = Behaviour.ECHO
) -> Script:
    """Return a script with the faults that the command line names so."""
    return Script(answer, [parse_fault(spec) for spec in specs], behaviour)


def parts_of(chunks: Chunks) -> list[types.Part]:
    return [
        part
        for chunk in chunks
        for candidate in chunk.candidates or []
        for part in (candidate.content.parts if candidate.content else None) or []
    ]


def text_of(chunks: Chunks, *, thought: bool = False) -> str:
    return "".join(part.text or "" for part in parts_of(chunks) if bool(part.thought) is thought)


def finishes(chunks: Chunks) -> list[types.FinishReason]:
    reasons = [candidate.finish_reason for chunk in chunks for candidate in chunk.candidates or []]
    return [reason for reason in reasons if reason]


@BOTH
@pytest.mark.parametrize("name", ["story", "chinese", "emoji", "table"])
@pytest.mark.parametrize("behaviour", [Behaviour.ECHO, Behaviour.PLAIN])
async def test_an_answer_that_breaks_often_is_whole(
    proxy: StartProxy, stream: Stream, name: str, behaviour: Behaviour
) -> None:
    told = BUILT_IN[name]
    async with ChaosServer(script(*BREAKS, answer=told, behaviour=behaviour)) as server:
        chunks = await ask(await proxy(server), stream)

        assert text_of(chunks) == told.text
        assert finishes(chunks) == [types.FinishReason.STOP]
        assert len({chunk.response_id for chunk in chunks}) == 1
        assert len(server.attempts) > 3
        assert server.violations == []


@BOTH
async def test_the_answer_is_the_one_without_a_proxy(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script()) as server:
        direct = await ask(Proxy(server.url, (await proxy(server)).app), stream)
    async with ChaosServer(script()) as server:
        through = await ask(await proxy(server), stream)

    for chunk in (*direct, *through):
        chunk.sdk_http_response = None
    assert through == direct


@BOTH
async def test_usage_is_that_of_one_answer(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script()) as server:
        whole = (await ask(await proxy(server), stream))[-1].usage_metadata
    async with ChaosServer(script(*BREAKS)) as server:
        usage = (await ask(await proxy(server), stream))[-1].usage_metadata

    assert whole is not None
    assert usage is not None
    assert usage.prompt_token_count == whole.prompt_token_count
    assert usage.candidates_token_count == pytest.approx(whole.candidates_token_count, rel=0.05)
    assert usage.total_token_count == (
        (usage.prompt_token_count or 0) + (usage.candidates_token_count or 0)
    )


@BOTH
@pytest.mark.parametrize("spec", ["rst@thinking", "clean@event:12", "fin@3500"])
async def test_thoughts_are_not_repeated(proxy: StartProxy, stream: Stream, spec: str) -> None:
    told = BUILT_IN["thinking"]
    config: Config = {"thinking_config": {"include_thoughts": True}}
    async with ChaosServer(script(spec, answer=told)) as server:
        chunks = await ask(await proxy(server), stream, config=config)

        assert text_of(chunks) == told.text
        seen = text_of(chunks, thought=True)
        assert seen
        assert told.thoughts.startswith(seen)


@BOTH
@pytest.mark.parametrize("spec", ["rst@500", "clean@event:1"])
async def test_a_call_arrives_once(proxy: StartProxy, stream: Stream, spec: str) -> None:
    told = BUILT_IN["call"]
    declaration: types.FunctionDeclarationDict = {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {"type": types.Type.OBJECT, "properties": {}},
    }
    config: Config = {
        "tools": [{"function_declarations": [declaration]}],
        "automatic_function_calling": {"disable": True},
    }
    async with ChaosServer(script(spec, answer=told)) as server:
        chunks = await ask(await proxy(server), stream, config=config)

        calls = [part.function_call for part in parts_of(chunks) if part.function_call]
        (call,) = calls
        assert (call.name, call.args) == (told.calls[0].name, dict(told.calls[0].args))
        assert len(server.attempts) == 2


@BOTH
async def test_a_json_answer_is_whole(proxy: StartProxy, stream: Stream) -> None:
    told = BUILT_IN["json"]
    config: Config = {"response_mime_type": "application/json"}
    async with ChaosServer(script("rst@event:9", answer=told)) as server:
        assert text_of(await ask(await proxy(server), stream, config=config)) == told.text


@BOTH
async def test_a_long_decode_is_continued_by_the_proxy_alone(
    proxy: StartProxy, stream: Stream
) -> None:
    """The SDK would continue by itself, and its user would see some text twice."""
    told = BUILT_IN["long-decode"]
    async with ChaosServer(script("rst@event:7", "rst@event:3", answer=told)) as server:
        chunks = await ask(await proxy(server), stream)

        assert text_of(chunks) == told.text
        assert finishes(chunks) == [types.FinishReason.STOP]
        assert server.violations == []


@BOTH
async def test_heartbeats_are_not_seen(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script("stall@event:4"), event_delay=0.01) as server:
        running = await proxy(
            server,
            client={"heartbeat_seconds": 0.01, "headers_after_seconds": 0.01},
            upstream={"chunk_timeout_seconds": 0.2},
        )

        assert text_of(await ask(running, stream)) == STORY.text


@BOTH
async def test_giving_up_raises_after_the_text_so_far(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        running = await proxy(server, repair={"max_consecutive_retries": 2})
        seen: Chunks = []
        async with client_of(running) as client:
            with pytest.raises(errors.ServerError) as caught:
                await stream(client, seen, "Hello", {})

        assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
        assert STORY.text.startswith(text_of(seen))
        assert len(seen) == 5
        assert finishes(seen) == []


@BOTH
async def test_giving_up_before_the_answer_began_raises(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script(*["status:500"] * 9)) as server:
        running = await proxy(server, repair={"max_consecutive_retries": 2})

        with pytest.raises(errors.ServerError) as caught:
            await ask(running, stream)

        assert caught.value.code == 500
        assert len(server.attempts) == 3


@BOTH
async def test_a_refusal_raises_as_it_does_without_a_proxy(
    proxy: StartProxy, stream: Stream
) -> None:
    async with ChaosServer(script("status:429,retry=31", "status:429,retry=31")) as server:
        through = await proxy(server)
        with pytest.raises(errors.ClientError) as expected:
            await ask(Proxy(server.url, through.app), stream)
        with pytest.raises(errors.ClientError) as caught:
            await ask(through, stream)

        assert caught.value.code == 429
        assert caught.value.status == expected.value.status
        assert caught.value.message == expected.value.message
        assert len(server.attempts) == 2


Chat = Callable[[genai.Client, tuple[str, ...]], Awaitable[tuple[list[str], list[types.Content]]]]


async def sync_chat(
    client: genai.Client, prompts: tuple[str, ...]
) -> tuple[list[str], list[types.Content]]:
    """Hold a conversation; return the answers and the curated history."""

    def run() -> tuple[list[str], list[types.Content]]:
        chat = client.chats.create(model=MODEL)
        said = [text_of(list(chat.send_message_stream(prompt))) for prompt in prompts]
        return said, chat.get_history(curated=True)

    return await asyncio.to_thread(run)


async def async_chat(
    client: genai.Client, prompts: tuple[str, ...]
) -> tuple[list[str], list[types.Content]]:
    """Hold the same conversation with the asynchronous client."""
    chat = client.aio.chats.create(model=MODEL)
    said = [
        text_of([chunk async for chunk in await chat.send_message_stream(prompt)])
        for prompt in prompts
    ]
    return said, chat.get_history(curated=True)


@pytest.mark.parametrize("converse", [sync_chat, async_chat])
async def test_the_history_of_a_chat_is_intact(proxy: StartProxy, converse: Chat) -> None:
    async with ChaosServer(script("rst@1500", "clean@event:6", "drip:99")) as server:
        async with client_of(await proxy(server)) as client:
            said, history = await converse(client, ("Hello", "And then?"))

        assert said == [STORY.text] * 2
        assert turns_of(history) == [
            ("user", "Hello"),
            ("model", STORY.text),
            ("user", "And then?"),
            ("model", STORY.text),
        ]
        sent = [
            (turn["role"], "".join(part["text"] for part in turn["parts"]))
            for turn in server.requests[-1].document["contents"]
        ]
        assert joined(sent) == turns_of(history)[:3]


def turns_of(history: list[types.Content]) -> list[tuple[str, str]]:
    """Return a history with the chunks of each turn joined."""
    return joined(
        [
            (content.role or "", "".join(part.text or "" for part in content.parts or []))
            for content in history
        ]
    )


def joined(contents: list[tuple[str, str]]) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    for role, text in contents:
        if turns and turns[-1][0] == role:
            turns[-1] = (role, turns[-1][1] + text)
        else:
            turns.append((role, text))
    return turns


@BOTH
@pytest.mark.parametrize("style", Style)
async def test_an_answer_in_any_framing_is_read(
    proxy: StartProxy, stream: Stream, style: Style
) -> None:
    told = Script(STORY, [parse_fault("fin@2000")], style=style)
    async with ChaosServer(told) as server:
        chunks = await ask(await proxy(server), stream)

    assert text_of(chunks) == STORY.text
    assert finishes(chunks) == [types.FinishReason.STOP]


@BOTH
async def test_a_bare_response_among_events_is_read(proxy: StartProxy, stream: Stream) -> None:
    async with ChaosServer(script("bare@event:3")) as server:
        chunks = await ask(await proxy(server), stream)

        assert len(server.attempts) == 1
    assert text_of(chunks) == STORY.text
