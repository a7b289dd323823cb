"""The wrappers of docs/resume.md: stock SDKs survive a network that breaks every connection.

A relay between the SDK and the proxy cuts each connection after a random number of bytes, often in
the middle of a frame, with FIN or RST.
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import openai
import pytest
from google import genai
from google.genai import types

from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.resume.clients import streams_of
from tests.running import PATIENCE, Proxy, StartProxy
from tests.sdk.node import HERE
from tests.sockets import Reader, Writer, close, scripted

pytestmark = pytest.mark.production_loop

DOCS = HERE.parent.parent / "docs"
STORY = BUILT_IN["story"]
REQUESTS = 3
_RESET = struct.pack("ii", 1, 0)
_FEWEST, _MOST = 500, 5000


def code(heading: str, page: Path = DOCS / "resume.md") -> str:
    """Return the code below a heading of the page."""
    found = re.search(
        rf"^### {re.escape(heading)}\n+```\w+\n(.*?)^```",
        page.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert found, heading
    return found[1]


HEADINGS = (
    "Python, google-genai",
    "Python, openai",
    "JavaScript, @google/genai",
    "JavaScript, openai",
)


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_wrapper_is_short_and_the_same_on_both_pages(heading: str) -> None:
    assert len(code(heading).splitlines()) < 40
    assert code(heading, DOCS / "resume.zh-CN.md") == code(heading)


@attrs.define(eq=False)
class Cutter:
    """A network to a proxy in which no connection lives long."""

    proxy: str
    dice: random.Random
    connections: int = 0
    url: str = ""

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """Carry one connection, and cut it."""
        self.connections += 1
        left = self.dice.randint(_FEWEST, _MOST)
        host, _, port = self.proxy.removeprefix("http://").partition(":")
        down, up = await asyncio.open_connection(host, int(port))
        carrying = asyncio.ensure_future(_carry(reader, up))
        try:
            while left > 0 and (data := await down.read(min(left, 700))):
                left -= len(data)
                writer.write(data)
                await writer.drain()
        finally:
            carrying.cancel()
            await asyncio.wait([carrying])
            await close(up)
        if self.dice.random() < 0.5:
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


async def _carry(reader: Reader, up: Writer) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            up.write(data)
            await up.drain()


@contextlib.asynccontextmanager
async def cutting(proxy: Proxy) -> AsyncIterator[Cutter]:
    """Run a network to ``proxy`` that cuts connections."""
    cutter = Cutter(proxy.url, random.Random(19))
    async with scripted(cutter.serve) as url:
        cutter.url = str(url).rstrip("/")
        yield cutter


@contextlib.asynccontextmanager
async def scene(proxy: StartProxy) -> AsyncIterator[tuple[Cutter, Proxy, ChaosServer]]:
    """Run a fake Gemini, a proxy, and a bad network in front of it."""
    async with ChaosServer(Script(STORY, rearm=True), event_delay=0.002) as fake:
        running = await proxy(fake, resume={"max_followers": 1000})
        async with cutting(running) as cutter:
            yield cutter, running, fake


def check(texts: list[str], cutter: Cutter, proxy: Proxy, fake: ChaosServer) -> None:
    """Assert that each answer came exactly, and was made once."""
    assert texts == [STORY.text] * REQUESTS
    assert len(fake.attempts) == len(streams_of(proxy)) == REQUESTS
    assert cutter.connections > 3 * REQUESTS
    assert {stream.state for stream in streams_of(proxy)} == {"done"}


def wrapper(heading: str, name: str) -> Callable[..., Iterable[Any]]:
    """Return a function of the page."""
    names: dict[str, Any] = {}
    exec(code(heading), names)
    function: Callable[..., Iterable[Any]] = names[name]
    return function


async def test_google_genai_in_python(proxy: StartProxy) -> None:
    stream = wrapper("Python, google-genai", "stream")
    async with scene(proxy) as (cutter, running, fake), contextlib.AsyncExitStack() as stack:
        options = types.HttpOptions(base_url=cutter.url)
        client = genai.Client(api_key="test-key", http_options=options)
        stack.callback(client.close)

        def ask() -> str:
            return "".join(
                chunk.text or "" for chunk in stream(client, model="gemini-test", contents="Tell.")
            )

        texts = [await asyncio.to_thread(ask) for _ in range(REQUESTS)]

        check(texts, cutter, running, fake)


async def test_openai_in_python(proxy: StartProxy) -> None:
    chat = wrapper("Python, openai", "chat")
    async with scene(proxy) as (cutter, running, fake), contextlib.AsyncExitStack() as stack:
        client = openai.OpenAI(api_key="test-key", base_url=f"{cutter.url}/v1")
        stack.callback(client.close)
        usages: list[int] = []

        def ask() -> str:
            text = ""
            for chunk in chat(
                client,
                model="gemini-test",
                messages=[{"role": "user", "content": "Tell."}],
                stream_options={"include_usage": True},
            ):
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
                usages.extend([chunk.usage.completion_tokens] if chunk.usage else [])
            return text

        texts = [await asyncio.to_thread(ask) for _ in range(REQUESTS)]

        check(texts, cutter, running, fake)
        assert len(usages) == REQUESTS


GENAI = """
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({ apiKey: "test-key", httpOptions: { baseUrl: URL_OF_PROXY } });
for (let number = 0; number < REQUESTS; number += 1) {
  let text = "";
  for await (const chunk of stream(ai, { model: "gemini-test", contents: "Tell." }))
    text += chunk.text ?? "";
  console.log(JSON.stringify(text));
}
"""

OPENAI = """
import OpenAI from "openai";
const client = new OpenAI({ apiKey: "test-key", baseURL: `${URL_OF_PROXY}/v1` });
const request = { model: "gemini-test", messages: [{ role: "user", content: "Tell." }] };
for (let number = 0; number < REQUESTS; number += 1) {
  let text = "";
  for await (const chunk of chat(client, request)) text += chunk.choices[0]?.delta.content ?? "";
  console.log(JSON.stringify(text));
}
"""


@pytest.mark.parametrize(
    ("heading", "program"),
    [("JavaScript, @google/genai", GENAI), ("JavaScript, openai", OPENAI)],
)
async def test_in_javascript(node: str, proxy: StartProxy, heading: str, program: str) -> None:
    async with scene(proxy) as (cutter, running, fake):
        given = f"const URL_OF_PROXY = {json.dumps(cutter.url)}, REQUESTS = {REQUESTS};\n"
        source = code(heading).replace("export ", "") + given + program
        process = await asyncio.create_subprocess_exec(
            *(node, "--input-type=module", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=HERE,
        )
        try:
            async with asyncio.timeout(6 * PATIENCE):
                output, complaint = await process.communicate(source.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        assert process.returncode == 0, complaint.decode()

        check([json.loads(line) for line in output.splitlines()], cutter, running, fake)
