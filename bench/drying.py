"""What clients see when the last project of a pool runs dry in the middle of many streams.

    python bench/drying.py [--clients 100] [--quota 130] [--json FILE]

Two projects: the first has used up its day, the second has a quota by minute. The clients start
within three seconds, and every stream is cut once in its middle, so that resumes and new requests
compete for what is left. The proxy is a real process with its default settings.

The table has a line for each second: what the fake Gemini took and refused, how clients ended.
An answer is *whole* if every character came once and its end was proper, *loud* if it ended with an
error, *refused* if it was a 429 before the first byte. *silent* and *other* are faults, and so is a
wait that is not the true one: then the exit status is 1.
"""

import argparse
import asyncio
import collections
import contextlib
import enum
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of this folder

import aiohttp
import attrs

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.projects import Project, Quota
from gemproxy.chaos.refusals import quota, requests_by_day
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer

MODEL = "gemini-drying"
TEXT = "".join(
    f"Line {number} of the story, and no other line is like it.\n" for number in range(60)
)
ACCESS = "gp-5f0c9a7e3b1d48a6927fe4c8"
SPENT, LAST = (
    Project("spent", ("key-of-spent",)),
    Project("last", ("key-of-last-1", "key-of-last-2")),
)
START = 3.0
"""Seconds within which all clients start."""

EVENT_DELAY = 0.03
TOLERANCE = 2.0
"""Seconds by which a wait may differ from the true one: whole seconds, and a busy machine."""

MINUTE = 60.0
URL = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
_REFUSED = 429


class End(enum.StrEnum):
    """How a client's stream ended."""

    WHOLE = "whole"
    LOUD = "loud"
    REFUSED = "refused"
    SILENT = "silent"
    OTHER = "other"


@attrs.frozen
class Client:
    """One client: when it started and had its last bytes (seconds), how, and what wait it was told.

    After a loud end the proxy keeps the connection open for up to a second.
    """

    begin: float
    end: float
    how: End
    text: str = attrs.field(repr=False, default="")
    status: int = 200
    wait: float | None = None


@attrs.frozen
class Story:
    """All clients, and what came to the fake: seconds, and whether it was refused."""

    clients: tuple[Client, ...]
    came: tuple[tuple[float, bool], ...]
    room: float
    """When the last project has room again."""

    @property
    def faults(self) -> list[str]:
        """What no client should see, in words."""
        return [
            *(f"{c.how} end, status {c.status}" for c in self.clients if c.how in _FAULTS),
            *(
                f"told to wait until {told:.1f}, not {self.room:.1f}"
                for told in self._wrong_waits()
            ),
        ]

    def _wrong_waits(self) -> Iterator[float]:
        for client in self.clients:
            if client.how is End.REFUSED and client.wait is None:
                yield 0.0
            elif client.wait is not None:
                told = client.end + client.wait
                if abs(told - self.room) > TOLERANCE:
                    yield told

    @property
    def table(self) -> str:
        """One line for each second."""
        lines = ["second  running  taken  refused by Gemini  whole  loud  refused  waits told"]
        for second in range(int(max(client.end for client in self.clients)) + 1):
            ended = [c for c in self.clients if int(c.end) == second]
            running = sum(c.begin < second + 1 <= c.end for c in self.clients)
            came = collections.Counter(bad for at, bad in self.came if int(at) == second)
            hows = collections.Counter(c.how for c in ended)
            waits = [c.wait for c in ended if c.wait is not None]
            told = f"{min(waits):.0f} to {max(waits):.0f} s" if waits else "-"
            lines.append(
                f"{second:6}  {running:7}  {came[False]:5}  {came[True]:17}  {hows[End.WHOLE]:5}"
                f"  {hows[End.LOUD]:4}  {hows[End.REFUSED]:7}  {told}"
            )
        return "\n".join(lines)


_FAULTS = frozenset({End.SILENT, End.OTHER})


async def happen(clients: int, limit: int) -> Story:
    """Run the fake, the proxy and the clients."""
    last = attrs.evolve(LAST, quota=Quota(rpm=limit))
    script = Script(Answer(TEXT), faults=[Fault(Kind.FIN, event(40))])
    async with ChaosServer(script, projects=[SPENT, last], event_delay=EVENT_DELAY) as fake:
        by_day = quota(requests_by_day(MODEL, 20), delay=36)
        fake.cloud.refuse(SPENT.name, by_day, model=MODEL)
        async with _proxy(fake.url) as url, aiohttp.ClientSession(url, timeout=_PATIENT) as session:
            begin, offset = time.monotonic(), time.time() - time.monotonic()
            told = await asyncio.gather(
                *(
                    _client(session, number, begin, START * number / clients)
                    for number in range(clients)
                )
            )
        came = [(one.at - offset - begin, bool(one.status)) for one in fake.cloud.came(model=MODEL)]
    taken = [at for at, refused in came if not refused]
    return Story(tuple(told), tuple(came), taken[-limit] + MINUTE if len(taken) >= limit else 0.0)


_PATIENT = aiohttp.ClientTimeout(total=None)


@contextlib.asynccontextmanager
async def _proxy(upstream: str) -> AsyncIterator[str]:
    """Run the proxy in an empty folder; yield its base URL."""
    projects = {project.name: list(project.keys) for project in (SPENT, LAST)}
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "GEMPROXY_POOL_PROJECTS": json.dumps(projects),
        "PASSWORD": ACCESS,
        "GEMPROXY_UPSTREAM_URL_BASE": upstream,
    }
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
            if "http://" not in line:
                raise RuntimeError(f"the proxy did not start: {(Path(folder) / 'log').read_text()}")
            yield line.split()[-1]
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _client(
    session: aiohttp.ClientSession, number: int, begin: float, pause: float
) -> Client:
    """Read one stream to its end, ``pause`` seconds after the beginning."""
    await asyncio.sleep(pause)
    asked = {"contents": [{"role": "user", "parts": [{"text": f"Story {number}, please."}]}]}
    started = time.monotonic() - begin
    async with session.post(URL, json=asked, headers={"x-goog-api-key": ACCESS}) as response:
        body, cut, end = b"", False, time.monotonic() - begin
        try:
            async for data in response.content.iter_any():
                body, end = body + data, time.monotonic() - begin
        except aiohttp.ClientError:
            cut = True
        if response.status == _REFUSED:
            after = response.headers.get("Retry-After")
            wait = float(after) if after is not None else None
            return Client(started, end, End.REFUSED, status=_REFUSED, wait=wait)
        text, error, finished = _read(body)
        how = _how(text, loud=cut or error is not None, finished=finished, status=response.status)
        return Client(started, end, how, text, response.status, _wait_in(error))


def _how(text: str, *, loud: bool, finished: bool, status: int) -> End:
    if status != 200 or not TEXT.startswith(text):  # noqa: PLR2004 (HTTP)
        return End.OTHER
    if loud:
        return End.LOUD
    if not finished:
        return End.SILENT
    return End.WHOLE if text == TEXT else End.OTHER


def _read(body: bytes) -> tuple[str, dict[str, Any] | None, bool]:
    """Return the text of a stream, its error, and whether it has a finishReason."""
    text, error, finished = "", None, False
    for line in body.split(b"\n"):
        with contextlib.suppress(ValueError):
            document = json.loads(line.strip().removeprefix(b"data: "))
            error = document.get("error", error)
            for candidate in document.get("candidates", ()):
                finished = finished or "finishReason" in candidate
                parts = candidate.get("content", {}).get("parts", ())
                text += "".join(part.get("text", "") for part in parts)
    return text, error, finished


def _wait_in(error: dict[str, Any] | None) -> float | None:
    """Return the seconds in the RetryInfo of an error, if there are any."""
    for detail in (error or {}).get("details", ()):
        if "retryDelay" in detail:
            return float(detail["retryDelay"].removesuffix("s"))
    return None


def report(story: Story) -> str:
    """Return the table, the sums and the faults."""
    sums = collections.Counter(client.how for client in story.clients)
    loud = [client for client in story.clients if client.how is End.LOUD]
    words = [
        story.table,
        "",
        ", ".join(f"{how}: {sums[how]}" for how in End),
        f"loud ends that say a wait: {sum(c.wait is not None for c in loud)} of {len(loud)}",
        f"room again after {story.room:.1f} s",
        *(f"FAULT: {fault}" for fault in sorted(set(story.faults))),
    ]
    return "\n".join(words)


def main(argv: Sequence[str] | None = None) -> int:
    """Run once and print; return 1 if there was a fault."""
    command = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    command.add_argument("--clients", type=int, default=100)
    command.add_argument("--quota", type=int, default=130, help="requests by minute")
    command.add_argument("--json", type=Path, help="write the clients to this file")
    options = command.parse_args(argv)
    story = asyncio.run(happen(options.clients, options.quota))
    if options.json is not None:
        options.json.write_text(json.dumps([attrs.asdict(client) for client in story.clients]))
    print(report(story))
    return bool(story.faults)


if __name__ == "__main__":
    sys.exit(main())
