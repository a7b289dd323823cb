"""What the metrics cost: of a request, and of a scrape, as ratios within one run.

    python bench/metrics.py [--rounds 40]

*A request*: two proxies run in one thread, one that counts its requests and one that does not. They
are asked by turns, a hundred requests each: unary answers of 2 KB as in S4, and streams of 200
events in writes of 64 KiB as in S1b. The figure is the processor time of the proxies' thread for a
request, with metrics to without, the median of all pairs.

*A scrape*: a page of a pool with 50 keys and 20 models is written, while a task on the same loop
yields and comes back without a pause. The figures are the processor time of the page, and the most
that was used between two turns of this task, beside the same on an idle loop. It is processor time,
because a machine with other work takes the processor away for longer than the page does.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose profile.py would hide the one of the standard library.
    sys.path[0] = str(ROOT)

import uvloop

from bench.calls import BODY, PATH, Proxy, event, running
from gemproxy.metrics import page
from gemproxy.metrics.counts import Counts
from gemproxy.metrics.families import Family
from gemproxy.metrics.gathering import Gathering
from gemproxy.metrics.labels import CODES
from gemproxy.observe import logs

BATCH = 100
KEYS, MODELS = 50, 20
UNARY = PATH.replace("streamGenerateContent?alt=sse", "generateContent")
CONNECTIONS = 16
_WRITE = 64 << 10


def answers() -> Mapping[bytes, list[bytes]]:
    """Return the writes of the upstream's answer, by the method in the path."""
    document = event(0, "STOP").split(b"data: ")[1].strip()
    document = document.replace(b"word 0 ", b"x" * (2048 - len(document)))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n"
    unary = head % (b"application/json", b"Content-Length: %d" % len(document)) + document
    events = b"".join(event(n, "STOP" if n == 199 else None) for n in range(200))  # noqa: PLR2004
    stream = head % (b"text/event-stream", b"Transfer-Encoding: chunked") + events + b"0\r\n\r\n"
    writes = [stream[at : at + _WRITE] for at in range(0, len(stream), _WRITE)]
    return {b":generateContent": [unary], b":streamGenerateContent": writes}


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    """Serve the answers; yield the port."""
    prepared = answers()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split()[0])
                await reader.readexactly(length)
                stream = b":streamGenerateContent" in head
                for data in prepared[b":streamGenerateContent" if stream else b":generateContent"]:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def processor_seconds(proxy: Proxy) -> float:
    """Return the processor time of the proxy's thread."""
    here = asyncio.get_running_loop()
    told: asyncio.Future[float] = here.create_future()

    def tell() -> None:
        here.call_soon_threadsafe(told.set_result, time.thread_time())

    proxy.loop.call_soon_threadsafe(tell)
    return await told


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(ends: Ends, path: str, requests: int) -> None:
    """Send requests on one connection, one after the other."""
    reader, writer = ends
    head = f"POST {path} HTTP/1.1\r\nHost: proxy\r\nx-goog-api-key: key\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    for _ in range(requests):
        writer.write(head.encode() + BODY)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"chunked" in answer:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            await reader.readexactly(int(answer.partition(b"content-length: ")[2].split()[0]))


async def batch(proxy: Proxy, ends: list[Ends], path: str) -> float:
    """Return the processor time of some requests, in seconds."""
    before = await processor_seconds(proxy)
    await asyncio.gather(*(ask(one, path, BATCH // CONNECTIONS + 1) for one in ends))
    return await processor_seconds(proxy) - before


async def of_requests(rounds: int) -> dict[str, list[float]]:
    """Return the ratios, with metrics to without, by load."""
    without = {"GEMPROXY_METRICS_ENABLED": "false"}
    found: dict[str, list[float]] = {"S4": [], "S1b": []}
    async with upstream() as port, running(port) as counted, running(port, without) as plain:
        ends = {
            proxy.port: [
                await asyncio.open_connection("127.0.0.1", proxy.port, limit=1 << 20)
                for _ in range(CONNECTIONS)
            ]
            for proxy in (counted, plain)
        }
        for name, path in (("S4", UNARY), ("S1b", PATH)):
            for number in range(rounds + 2):
                pair = [counted, plain] if number % 2 else [plain, counted]
                spent = {one.port: await batch(one, ends[one.port], path) for one in pair}
                if number > 1:  # the first ones warm up
                    found[name].append(spent[counted.port] / spent[plain.port])
        for connections in ends.values():
            for _, writer in connections:
                writer.close()
    return found


def large() -> Gathering:
    """Return the numbers of a pool in which every key has served every model."""
    counts = Counts()
    models = [f"gemini-2.5-flash-{n:03}" for n in range(MODELS)]
    keys = [f"{n:08x}" for n in range(KEYS)]
    codes = [CODES[status] for status in (200, 429, 503)]
    routes = ["stream", "generate", "chat"]
    values = {
        "model": models,
        "key": keys,
        "code": codes,
        "route": routes,
        "ending": ["done", "failed", "client_left"],
        "finish_reason": ["STOP", "MAX_TOKENS", "SAFETY"],
        "cause": ["drop", "stall", "status", "unreachable", "empty"],
        "kind": ["input", "output", "thought"],
    }

    def labels(family: Family) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = [()]
        for label in family.labels:
            found = [(*one, text) for one in found for text in values.get(label, ["a", "b"])]
        return found

    for family, numbers in counts.counters.items():
        numbers.update(dict.fromkeys(labels(family), 12345))
    for family, histogram in counts.histograms.items():
        for one in labels(family):
            histogram.observe_with(one, 0.3, "0190f2c5a1b7c8d9e0f1a2b3c4d5e6f7", time.time())
    return Gathering(counts)


async def longest_wait(work: asyncio.Task[object]) -> float:
    """Return the most processor time between two turns of a task, while other work is done."""
    longest, last = 0.0, time.thread_time()
    while not work.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return longest


async def of_a_scrape(accept: str) -> tuple[int, float, float, float]:
    """Return the lines of a page, its processor time, and the longest turns: with it, idle."""
    gathering = large()

    async def write() -> page.Page:
        return await page.text(await gathering.whole(), accept)

    busy, idle, spent, lines = [], [], [], 0
    for _ in range(9):
        before = time.thread_time()
        shown = await write()
        spent.append(time.thread_time() - before)
        lines = shown.body.count(b"\n")
        busy.append(await longest_wait(asyncio.create_task(write())))
        nothing = asyncio.create_task(asyncio.sleep(statistics.median(spent)))
        idle.append(await longest_wait(nothing))
    return lines, statistics.median(spent), statistics.median(busy), statistics.median(idle)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the cost of the metrics.")
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with Path(os.devnull).open("w") as nowhere:
        undo = logs.configure(level="info", stream=nowhere)
        ratios = asyncio.run(of_requests(rounds))
        undo()
    for name, found in ratios.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:4} with metrics / without: {middle:.3f} ({low:.3f}..{high:.3f})")
    for name, accept in (("text", ""), ("OpenMetrics", "application/openmetrics-text")):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            lines, spent, busy, idle = runner.run(of_a_scrape(accept))
        print(
            f"{name}: {lines:,} lines, {spent * 1000:.1f} ms; longest turn {busy * 1000:.2f} ms,"
            f" on an idle loop {idle * 1000:.2f} ms"
        )
    assert threading.active_count() == 1


if __name__ == "__main__":
    main()
