"""Memory and time of answers with many large pictures.

    python bench/pictures.py [--requests 10] [--pictures 10] [--megabytes 4] [--seconds 2]
        [--rounds 7] [--chunked] [--route generate|chat|chat-stream]

Requests at once of several pictures each: of ``/generate``, or choices of a chat answer. The fake
Gemini draws each for ``--seconds`` and sends it as base64 in JSON, with its length or
``--chunked``; for a chat, as an event. First the clients ask it themselves, with as
many calls at once as the proxy makes for them; then they ask the proxy, a real process with its
default settings, except for the limit on requests in a minute. All read as fast as they can and
keep nothing.

Each line says the growth of the proxy's resident memory over that of the idle proxy behind a first
picture, in MiB, as the kernel's own mark of the most; the time through the proxy over the time
without it; and the processor time of the proxy. The last line has the medians, and the most memory
of all rounds. ``--seconds 0`` shows the cost of the bytes alone.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of this folder

import aiohttp
import attrs
from aiohttp import web

from bench.system import cpu_seconds, memory

PNG = b"\x89PNG\r\n\x1a\n"
MODEL = "gemini-3-pro-image-preview"
NATIVE = f"/v1beta/models/{MODEL}:generateContent"
FORGET = b"5"
"""Written to clear_refs: the kernel's mark of the most memory begins anew (man 5 proc)."""
PROMPT = "a kelp forest"
HOST = "127.0.0.1"


@attrs.frozen
class Load:
    """Requests at once of so many pictures, each of so many bytes, drawn in so many seconds."""

    requests: int
    pictures: int
    size: int
    seconds: float
    chunked: bool = False
    route: str = "generate"

    @property
    def path(self) -> str:
        """The path that clients of the proxy ask."""
        return "/generate" if self.route == "generate" else "/v1/chat/completions"

    def asked(self, pictures: int) -> dict[str, object]:
        """Return the request for so many pictures."""
        if self.route == "generate":
            return {"prompt": PROMPT, "number_of_images": pictures}
        messages = [{"role": "user", "content": PROMPT}]
        stream = self.route == "chat-stream"
        return {"model": MODEL, "messages": messages, "n": pictures, "stream": stream}

    def answer(self) -> bytes:
        """Return Gemini's answer with one picture."""
        data = base64.b64encode(PNG + os.urandom(self.size - len(PNG))).decode()
        content = {"parts": [{"inlineData": {"mimeType": "image/png", "data": data}}]}
        usage = {"promptTokenCount": 6, "candidatesTokenCount": 1120, "totalTokenCount": 1126}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        document = json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()
        return document if self.route == "generate" else b"data: " + document + b"\r\n\r\n"


def upstream(load: Load, told: "multiprocessing.Queue[int]") -> None:
    """Be the fake Gemini, in a process of its own."""
    answer = load.answer()

    async def draw(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(load.seconds)
        events = load.route != "generate"
        kind = "text/event-stream" if events else "application/json"
        response = web.Response(body=answer, content_type=kind)
        if load.chunked:
            response.enable_chunked_encoding()
        return response

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", draw)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        told.put(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


@contextlib.asynccontextmanager
async def proxy(base: str) -> AsyncIterator[tuple[str, int]]:
    """Run gemproxy in an empty folder; yield its URL and the id of its process."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ours = {"GEMPROXY_UPSTREAM_URL_BASE": base, "GEMPROXY_IMAGES_RATE_PER_MINUTE": "100000"}
    environment = {**kept, **ours}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run.py"), "--port", "0"),
            cwd=folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            yield line.split()[-1], process.pid
        finally:
            process.terminate()
            await process.wait()


async def read(session: aiohttp.ClientSession, url: str, document: object) -> int:
    """Ask for something; read the answer, keep nothing, and return its size."""
    size = 0
    async with session.post(url, json=document, headers={"x-goog-api-key": "k"}) as answer:
        answer.raise_for_status()
        async for piece in answer.content.iter_any():
            size += len(piece)
    return size


async def timed(calls: list[Awaitable[int]], least: int) -> float:
    """Return the seconds that some requests at once take; each answer has ``least`` bytes."""
    began = time.monotonic()
    sizes = await asyncio.gather(*calls)
    took = time.monotonic() - began
    if min(sizes) < least:
        raise SystemExit(f"an answer has {min(sizes)} bytes in place of {least}")
    return took


@attrs.frozen
class Round:
    """What one round brought: MiB more memory, seconds without and with the proxy, its CPU time."""

    growth: float
    alone: float
    through: float
    cpu: float

    @property
    def ratio(self) -> float:
        """The time with the proxy over the time without it."""
        return self.through / self.alone


async def watched(pid: int, idle: int, alone: float, run: Awaitable[float]) -> Round:
    """Return what a run through the proxy brought; ``idle`` is the memory before it."""
    await asyncio.to_thread(Path(f"/proc/{pid}/clear_refs").write_bytes, FORGET)
    before = cpu_seconds(pid)
    through = await run
    growth = (memory(pid, "VmHWM") - idle) / 2**20
    return Round(growth, alone, through, cpu_seconds(pid) - before)


async def measure(load: Load, rounds: int) -> None:
    """Run the load directly and through the proxy, and print a line for each round."""
    told: multiprocessing.Queue[int] = multiprocessing.Queue()
    fake = multiprocessing.Process(target=upstream, args=(load, told), daemon=True)
    fake.start()
    base = f"http://{HOST}:{await asyncio.to_thread(told.get)}"
    bare = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=bare) as session, proxy(base) as (url, pid):
        native = {"contents": [{"parts": [{"text": PROMPT}]}]}
        coded = load.size * 4 // 3

        async def alone() -> float:
            count = load.requests * load.pictures
            return await timed([read(session, base + NATIVE, native) for _ in range(count)], coded)

        async def through() -> float:
            count, least = load.requests, load.pictures * coded
            calls: list[Awaitable[int]] = []
            calls += [
                read(session, url + load.path, load.asked(load.pictures)) for _ in range(count)
            ]
            return await timed(calls, least)

        await read(session, url + load.path, load.asked(1))
        idle = memory(pid, "VmRSS")
        done: list[Round] = []
        for number in range(rounds):
            one = await watched(pid, idle, await alone(), through())
            done.append(one)
            print(
                f"round {number + 1}: {one.growth:.0f} MiB more, {one.alone:.2f} s without,"
                f" {one.through:.2f} s through, ratio {one.ratio:.2f}, {one.cpu:.2f} s of processor"
            )
        ratio, cpu = statistics.median([one.ratio for one in done]), [one.cpu for one in done]
        print(
            f"{rounds} rounds: {max(one.growth for one in done):.0f} MiB at most,"
            f" median ratio {ratio:.2f}, {statistics.median(cpu):.2f} s of processor"
        )
    fake.terminate()


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=10)
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=7)
    routes = ("generate", "chat", "chat-stream")
    parser.add_argument("--route", choices=routes, default=routes[0])
    parser.add_argument("--chunked", action="store_true")
    asked = parser.parse_args()
    size = int(asked.megabytes * 2**20)
    load = Load(asked.requests, asked.pictures, size, asked.seconds, asked.chunked, asked.route)
    asyncio.run(measure(load, asked.rounds))


if __name__ == "__main__":
    main()
