"""The number of function calls of a request and of an event, equal on every machine.

    python bench/calls.py [--chat] [--keyed] [--pooled | --metered] [--uncounted]

Times vary from hour to hour; the number of calls does not. One thread runs the unchanged proxy on
uvloop and counts its calls of functions written in Python and in C. Another thread is upstream and
client. It sends the next event when the client has the last one and the proxy waits again, so each
event is a separate read.

The program prints the calls of one further event of a stream, and of one further request with a
stream of one event, each as the slope between a short run and a long one. With ``--pooled`` the
proxy has fifty keys of its own, as in ``contenders.py``, and the client an access key; with
``--metered`` it has a ledger, too, and the access key has limits. The work of the ledger in the
background is part of the figures, but its thread is not. With ``--chat`` the client speaks OpenAI's
dialect, with ``--keyed`` each request has an Idempotency-Key.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose profile.py would hide the one of the standard library.
    sys.path[0] = str(ROOT)

import attrs
import uvloop
from aiohttp import web

from bench.contenders import ACCESS_KEY, METERED_KEY, metered_pool, pool_of_fifty
from gemproxy.config.settings import Settings
from gemproxy.observe import logs
from gemproxy.web.app import create_app
from gemproxy.web.server import make_runner

FEW, MANY = 20, 120
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8}
NO_POOL: Mapping[str, str] = {}
BODY = b'{"contents":[{"parts":[{"text":"Hello"}]}]}'
PATH = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
CHAT_BODY = (
    b'{"model":"gemini-2.5-flash","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
)
CHAT_PATH = "/v1/chat/completions"


def event(number: int, finish_reason: str | None = None) -> bytes:
    """Return one event, as a chunk of the chunked coding."""
    content = {"parts": [{"text": f"word {number} "}], "role": "model"}
    candidate: dict[str, object] = {"content": content, "index": 0}
    document: dict[str, object] = {"candidates": [candidate], "responseId": "one"}
    if finish_reason:
        candidate["finishReason"] = finish_reason
        document["usageMetadata"] = USAGE
    data = b"data: " + json.dumps(document).encode() + b"\r\n\r\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


@attrs.define
class Calls:
    """Counts the calls of the thread in which it is switched on."""

    python: int = 0
    c: int = 0

    def count(self, _frame: object, what: str, _argument: object) -> None:
        """Count one event of the interpreter."""
        self.python += what == "call"
        self.c += what == "c_call"


@attrs.define
class Proxy:
    """The proxy in a thread of its own; made by ``running``."""

    loop: asyncio.AbstractEventLoop
    port: int = 0

    async def is_idle(self) -> None:
        """Return when the proxy's loop has run all pending callbacks, twice."""
        here = asyncio.get_running_loop()
        for _ in range(2):
            reading, writing = os.pipe()
            seen: asyncio.Future[None] = here.create_future()
            here.add_reader(reading, seen.set_result, None)
            self.loop.call_soon_threadsafe(os.write, writing, b".")  # in C, so it is not counted
            await seen
            here.remove_reader(reading)
            os.close(reading)
            os.close(writing)

    async def counted(self, work: Callable[[], Awaitable[None]]) -> Calls:
        """Return the calls of the proxy during ``work``."""
        calls = Calls()
        self.loop.call_soon_threadsafe(sys.setprofile, calls.count)
        await self.is_idle()
        await work()
        await self.is_idle()
        self.loop.call_soon_threadsafe(sys.setprofile, None)
        await self.is_idle()
        return calls


@contextlib.asynccontextmanager
async def running(
    upstream_port: int, environment: Mapping[str, str] = NO_POOL
) -> AsyncIterator[Proxy]:
    """Run the proxy in a thread, between an upstream and the caller."""
    proxy = Proxy(uvloop.new_event_loop())
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        variables = {"UPSTREAM_URL_BASE": f"http://127.0.0.1:{upstream_port}", **environment}
        settings = Settings.load([], variables, ROOT / "nowhere").settings
        runner = make_runner(create_app(settings), settings)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.port = runner.addresses[0][1]
        ready.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: proxy.loop.run_until_complete(serve()))
    thread.start()
    await asyncio.to_thread(ready.wait)
    try:
        yield proxy
    finally:
        proxy.loop.call_soon_threadsafe(over.set)
        await asyncio.to_thread(thread.join)


@attrs.define
class Play:
    """Both ends of a connection through the proxy."""

    proxy: Proxy
    asked: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    key: str = "key"
    chat: bool = False
    keyed: bool = False
    asked_for: int = 0

    async def request(self, events: int) -> None:
        """Request a stream, and transfer it event by event."""
        reader, writer = self.client
        path, body = (CHAT_PATH, CHAT_BODY) if self.chat else (PATH, BODY)
        head = f"POST {path} HTTP/1.1\r\nHost: proxy\r\nx-goog-api-key: {self.key}\r\n"
        head += "Content-Type: application/json\r\n"
        if self.keyed:
            self.asked_for += 1
            head += f"Idempotency-Key: {self.asked_for}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        upstream = (await self.asked.get())[1]
        kind = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        upstream.write(b"HTTP/1.1 200 OK\r\n" + kind)
        for number in range(events):
            await self.proxy.is_idle()
            upstream.write(event(number))
            await reader.readuntil(f"word {number} ".encode())
        await self.proxy.is_idle()
        upstream.write(event(events, "STOP") + b"0\r\n\r\n")
        await reader.readuntil(b"\r\n0\r\n\r\n")
        await self.proxy.is_idle()


async def figures(
    environment: Mapping[str, str] = NO_POOL,
    key: str = "key",
    *,
    chat: bool = False,
    keyed: bool = False,
) -> dict[str, Calls]:
    """Return the calls of an event and of a request.

    ``environment`` holds settings of the proxy, ``key`` is the client's. ``chat``: it speaks
    OpenAI's dialect. ``keyed``: each request has an Idempotency-Key.
    """
    asked: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
                asked.put_nowait((reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, running(server.sockets[0].getsockname()[1], environment) as proxy:
        client = await asyncio.open_connection("127.0.0.1", proxy.port)
        play = Play(proxy, asked, client, key, chat, keyed)
        for _ in range(3):
            await play.request(3)

        async def requests(number: int) -> None:
            for _ in range(number):
                await play.request(1)

        result = {
            "a further event": _slope(
                await proxy.counted(lambda: play.request(FEW)),
                await proxy.counted(lambda: play.request(MANY)),
            ),
            "a request": _slope(
                await proxy.counted(lambda: requests(FEW)),
                await proxy.counted(lambda: requests(MANY)),
            ),
        }
        client[1].close()
    return result


def _slope(few: Calls, many: Calls) -> Calls:
    steps = MANY - FEW
    return Calls(round((many.python - few.python) / steps), round((many.c - few.c) / steps))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Count the calls of a request and of an event.")
    parser.add_argument("--chat", action="store_true", help="in OpenAI's dialect")
    parser.add_argument("--keyed", action="store_true", help="with an Idempotency-Key each")
    with_pool = parser.add_mutually_exclusive_group()
    with_pool.add_argument("--pooled", action="store_true", help="with a pool of fifty keys")
    with_pool.add_argument("--metered", action="store_true", help="and with limits and a ledger")
    parser.add_argument("--uncounted", action="store_true", help="without metrics")
    options = parser.parse_args()
    gc.disable()  # its callbacks would count as calls
    with Path(os.devnull).open("w") as nowhere, tempfile.TemporaryDirectory() as folder:
        environment, key = NO_POOL, "key"
        if options.pooled:
            environment, key = pool_of_fifty(Path(folder)), ACCESS_KEY
        elif options.metered:
            environment, key = metered_pool(Path(folder)), METERED_KEY
        if options.uncounted:
            environment = {**environment, "GEMPROXY_METRICS_ENABLED": "false"}
        undo = logs.configure(level="info", stream=nowhere)
        counted = asyncio.run(figures(environment, key, chat=options.chat, keyed=options.keyed))
        undo()
    for name, calls in counted.items():
        print(f"{name:20} {calls.python:5} in Python, {calls.c:5} in C")


if __name__ == "__main__":
    main()
