"""SDKs of others through the proxy: openai, langchain-google-genai and the AI SDK's Google."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.resources import vector
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.running import StartProxy
from tests.sdk.node import HERE

MODEL = "gemini-test"
TEXT = "A story that is long enough to be cut somewhere in its middle. " * 8
CUT = Script(Answer(TEXT), [parse_fault("rst@event:2"), parse_fault("clean@event:2")])
PROMPT = "Say this, word by word."


async def output(*command: str) -> dict[str, Any]:
    """Return what a driver prints; it gets no variables that could hold a key or a proxy."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin"},
    )
    told, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    seen: dict[str, Any] = json.loads(told)
    return seen


@pytest.mark.sdk("@ai-sdk/google", "generate")
@pytest.mark.sdk("@ai-sdk/google", "stream")
@pytest.mark.sdk("@ai-sdk/google", "stream, cut")
@pytest.mark.sdk("@ai-sdk/google", "embed")
async def test_the_ai_sdk_gets_a_stream_whole_that_is_cut(proxy: StartProxy, node: str) -> None:
    async with ChaosServer(CUT) as server:
        url = (await proxy(server, repair={"retry_delay_ms": 1})).url
        job = json.dumps({"baseUrl": url, "model": MODEL, "prompt": PROMPT})
        seen = await output(node, str(HERE / "ai.mjs"), job)

    assert seen == {
        "generated": TEXT,
        "streamed": TEXT,
        "finishReason": "stop",
        "embedded": vector(PROMPT),
    }


@pytest.mark.sdk("langchain-google-genai", "generate")
@pytest.mark.sdk("langchain-google-genai", "stream")
@pytest.mark.sdk("langchain-google-genai", "stream, cut")
@pytest.mark.sdk("langchain-google-genai", "countTokens")
@pytest.mark.sdk("langchain-google-genai", "embed")
async def test_langchain_gets_a_stream_whole_that_is_cut(proxy: StartProxy, langchain: str) -> None:
    async with ChaosServer(CUT) as server:
        url = (await proxy(server, repair={"retry_delay_ms": 1})).url
        seen = await output(langchain, str(HERE / "chain.py"), url, PROMPT)

    assert seen["streamed"] == seen["generated"] == TEXT
    assert seen["counted"] >= 1
    assert seen["embedded"] == vector(PROMPT)


Use = Callable[[str], Awaitable[Any]]


def _openai(url: str) -> dict[str, Any]:
    with openai.OpenAI(api_key="test-key", base_url=f"{url}/v1beta/openai/") as client:
        messages: Any = [{"role": "user", "content": PROMPT}]
        whole = client.chat.completions.create(model=MODEL, messages=messages)
        stream = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        return {
            "generated": whole.choices[0].message.content,
            "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in stream),
            "embedded": client.embeddings.create(model=MODEL, input=PROMPT).data[0].embedding,
            "listed": [model.id for model in client.models.list()],
        }


async def _async_openai(url: str) -> dict[str, Any]:
    async with openai.AsyncOpenAI(api_key="test-key", base_url=f"{url}/v1beta/openai/") as client:
        messages: Any = [{"role": "user", "content": PROMPT}]
        whole = await client.chat.completions.create(model=MODEL, messages=messages)
        stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        vectors = await client.embeddings.create(model=MODEL, input=PROMPT)
        return {
            "generated": whole.choices[0].message.content,
            "streamed": "".join([chunk.choices[0].delta.content or "" async for chunk in stream]),
            "embedded": vectors.data[0].embedding,
            "listed": [model.id async for model in client.models.list()],
        }


async def _threaded(url: str) -> dict[str, Any]:
    return await asyncio.to_thread(_openai, url)


ONCE = "Once upon a time there was a stream."


def _broken_chat(url: str) -> tuple[str, Exception | None]:
    """Return the text of a chat, and what was raised after it."""
    text = ""
    base = f"{url}/v1beta/openai/"
    with openai.OpenAI(api_key="test-key", base_url=base, max_retries=0) as client:
        chunks = client.chat.completions.create(
            model="gemini-test", messages=[{"role": "user", "content": ONCE}], stream=True
        )
        try:
            for chunk in chunks:
                text += chunk.choices[0].delta.content or ""
        except openai.APIError as error:
            return text, error
    return text, None


@pytest.mark.parametrize("spec", ["rst@event:3", "fin@event:3", "truncated-chunk@event:3"])
async def test_openai_raises_when_a_stream_breaks_off(proxy: StartProxy, spec: str) -> None:
    script = Script(Answer(TEXT), [parse_fault(spec)])
    async with ChaosServer(script) as server:
        text, error = await asyncio.to_thread(_broken_chat, (await proxy(server)).url)

    assert text == "Once upon a"
    assert isinstance(error, openai.APIError)
    assert not isinstance(error, openai.APIConnectionError)
    assert (error.code, error.type) == ("unavailable", "server_error")
    assert "broke off" in error.message


@pytest.mark.sdk("openai (py)", "generate")
@pytest.mark.sdk("openai (py)", "stream")
@pytest.mark.sdk("openai (py)", "embed")
@pytest.mark.sdk("openai (py)", "list models")
@pytest.mark.parametrize("use", [_threaded, _async_openai], ids=["sync", "async"])
async def test_openai_speaks_to_googles_own_layer(proxy: StartProxy, use: Use) -> None:
    async with ChaosServer(Script(Answer("x"))) as server:
        seen = await use((await proxy(server)).url)

        assert server.violations == []
    assert seen["generated"] == seen["streamed"] == PROMPT
    assert seen["embedded"] == vector(PROMPT)
    assert seen["listed"]
