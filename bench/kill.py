"""Kills a proxy with a ledger in the middle of its work, again and again; looks at what is left.

    python -m bench.kill [--rounds 200] [--seed N] [--keep DIRECTORY]

Each round starts a proxy on the data directory of the rounds before, in front of the fake Gemini.
Some clients of one user ask at once; each stream is cut once and resumed. At a moment that is drawn
the process gets SIGKILL: while a request is admitted, in a stream, while it is resumed, or when an
answer has just ended. Then, and after the next start, these must hold:

    rows        every request that came to the fake has a row
    unfinished  the next start has marked all rows that nobody will settle
    committed   what the limiter counts as spent, in requests and in tokens, is the sum of the rows,
                so that nothing is held any more
    integrity   SQLite finds no fault in the file

What is counted and held is asked of the proxy itself, by the headers of an answer. The moments that
were hit are counted by what the clients and the fake knew when the process died. The exit code is 1
if anything did not hold, or if a kind of moment was never hit.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import attrs

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.projects import Project
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer, Served

ROOT = Path(__file__).resolve().parents[1]

PROJECTS = [
    Project(f"P{number}", (f"AIzaSyKill{number}d404be4a0f8f3e6a51c7d0c9b",)) for number in range(4)
]
CLIENTS = 6
TOKENS = 10**12
REQUESTS = 10**9
CUT, SHORT = "gemini-cut", "gemini-short"
STORY = Answer("The keeper counted the ships on the water, one by one, until it was dark. " * 6)
SCRIPTS = {
    CUT: Script(STORY, [Fault(Kind.RST, event(7))], rearm=True),
    SHORT: Script(Answer("Well."), rearm=True),
}
PATIENCE = 60.0

MOMENTS = ("admit", "stream", "resume", "settle")
_JUST = 0.02
"""Seconds for which an answer has just ended."""


@attrs.define(eq=False)
class Client:
    """One request: what its client and the fake know of it."""

    request_id: str
    sent: float = 0.0
    chunks: int = 0
    ended: float = 0.0
    attempts: int = 0
    cut: bool = False
    before: int = 0  # chunks before the cut

    def moment(self, now: float) -> str | None:
        """Return what happens to it, as far as that can be known from outside."""
        if not self.sent:
            return None
        if self.ended:
            return "settle" if now - self.ended < _JUST else None
        if not self.attempts:
            return "admit"
        if self.cut and self.chunks <= self.before:
            return "resume"
        return "stream"


@attrs.define(eq=False)
class Round:
    """The clients of one round, and the wish for a moment."""

    number: int
    wanted: str
    clients: dict[str, Client]
    due: asyncio.Event = attrs.field(factory=asyncio.Event)

    def look(self, client: Client, happened: str) -> None:
        """Have the process killed soon if this is the moment."""
        if happened == self.wanted and client.request_id.endswith(f"-{self.number % CLIENTS}"):
            self.due.set()


@attrs.define(eq=False)
class Report:
    """What all rounds found; ``wrong`` has a line for each law that did not hold."""

    seed: int
    rounds: int = 0
    hits: collections.Counter[str] = attrs.field(factory=collections.Counter)
    endings: collections.Counter[str] = attrs.field(factory=collections.Counter)
    reached: int = 0
    without_row: int = 0
    wrong: list[str] = attrs.field(factory=list)

    def table(self) -> str:
        """Return the summary for people."""
        rows: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("rounds of SIGKILL", self.rounds),
            *((f"moments hit: {name}", self.hits[name]) for name in MOMENTS),
            ("requests that came to the upstream", self.reached),
            ("of these without a row", self.without_row),
            *((f"rows: {name}", count) for name, count in sorted(self.endings.items())),
            ("laws that did not hold", len(self.wrong)),
        ]
        wide = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{wide}}  {value}" for name, value in rows)

    @property
    def good(self) -> bool:
        """Whether all laws held, and each kind of moment was hit."""
        return not self.wrong and not self.without_row and all(self.hits[one] for one in MOMENTS)


@attrs.define(eq=False)
class Bench:
    """The data directory, the fake, and what the next start must find."""

    folder: Path
    fake: ChaosServer
    key: str
    report: Report
    draw: random.Random
    held: int | None = None
    now: Round | None = None

    @property
    def ledger(self) -> Path:
        """The file of the ledger."""
        return self.folder / "data" / "ledger.sqlite"

    def arrived(self, served: Served) -> None:
        """Hear of an attempt at the fake that was sent, up to its fault."""
        client = self._client_of(served)
        if client is not None and self.now is not None and served.plan.fault is not None:
            client.cut, client.before = True, client.chunks + 1  # one may be on its way
            self.now.look(client, "resume")

    def began(self, served: Served) -> None:
        """Hear of an attempt that begins at the fake."""
        client = self._client_of(served)
        if client is not None:
            client.attempts += 1

    def _client_of(self, served: Served) -> Client | None:
        text = json.dumps(served.request.document)
        clients = self.now.clients if self.now is not None else {}
        return next((client for name, client in clients.items() if name in text), None)

    async def round(self, number: int) -> None:
        """Start a proxy, look at what it found, have clients ask, and kill it."""
        async with serving(self.folder, self.fake.url) as (process, port):
            await self.check_counts(port, number)
            wanted = MOMENTS[number % len(MOMENTS)]
            clients = {f"r{number}-{n}": Client(f"r{number}-{n}") for n in range(CLIENTS)}
            self.now = Round(number, wanted, clients)
            tasks = [asyncio.create_task(self._ask(port, one)) for one in clients.values()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self.now.due.wait()
            await asyncio.sleep(self.draw.uniform(0, 0.003))
            process.send_signal(signal.SIGKILL)
            died = time.monotonic()
            moments = {client.moment(died) for client in clients.values()} - {None}
            self.report.hits.update(str(one) for one in moments)
            await process.wait()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.report.rounds += 1
        self._check_file(number, clients.values())
        self.now = None

    async def _ask(self, port: int, client: Client) -> None:
        """Be a client that reads its stream until it ends or breaks."""
        assert self.now is not None
        await asyncio.sleep(self.draw.uniform(0, 0.06))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request(port, CUT, self.key, client.request_id))
            client.sent = time.monotonic()
            self.now.look(client, "admit")
            while data := await reader.read(1 << 16):
                client.chunks += data.count(b"data: ")
                if client.chunks >= self.draw.randint(1, 6):
                    self.now.look(client, "stream")
                if client.chunks and data.endswith(b"0\r\n\r\n"):  # no head of an answer
                    client.ended = time.monotonic()
                    self.now.look(client, "settle")
                    return
        finally:
            writer.close()

    async def check_counts(self, port: int, number: int) -> None:
        """Ask the new process what it counts; it must be the sum of the rows, and nothing else."""
        unfinished, requests, tokens = self._sums()
        self._law(
            unfinished == 0, f"round {number}: {unfinished} rows are unfinished after a start"
        )
        fields = await headers(port, request(port, SHORT, self.key, f"probe{number:06}"))
        counted = REQUESTS - int(fields["x-ratelimit-remaining-requests"]) - 1
        taken = TOKENS - int(fields["x-ratelimit-remaining-tokens"])
        if self.held is None:  # the ledger is empty: this is what the probe itself holds
            self.held = taken
        self._law(
            counted == requests, f"round {number}: {counted} requests count, of {requests} rows"
        )
        spent = taken - self.held
        self._law(
            spent == tokens, f"round {number}: {spent} tokens are taken, the rows have {tokens}"
        )

    def _sums(self) -> tuple[int, int, int]:
        """Return how many rows are unfinished, how many there are, and their tokens."""
        with contextlib.closing(sqlite3.connect(self.ledger)) as file:
            found = file.execute(
                "SELECT coalesce(sum(ending IS NULL), 0), count(*),"
                " coalesce(sum(input_tokens + output_tokens + thought_tokens), 0) FROM generations"
            ).fetchone()
        return int(found[0]), int(found[1]), int(found[2])

    def _check_file(self, number: int, clients: Iterable[Client]) -> None:
        """Look at the file that the dead process left."""
        with contextlib.closing(sqlite3.connect(self.ledger)) as file:
            (said,) = file.execute("PRAGMA integrity_check").fetchone()
            ids = {row[0] for row in file.execute("SELECT request_id FROM generations")}
        self._law(said == "ok", f"round {number}: integrity_check says {said}")
        reached = {client.request_id for client in clients if client.attempts}
        self.report.reached += len(reached)
        self.report.without_row += len(reached - ids)

    def _law(self, holds: bool, words: str) -> None:  # noqa: FBT001 (a law)
        if not holds:
            self.report.wrong.append(words)

    def count_endings(self) -> None:
        """Count the rows by their endings."""
        names = {None: "unfinished", 1: "done", 2: "failed", 3: "client left", 4: "shutdown"}
        with contextlib.closing(sqlite3.connect(self.ledger)) as file:
            for ending, count in file.execute(
                "SELECT ending, count(*) FROM generations GROUP BY 1"
            ):
                self.report.endings[names.get(ending, "lost")] += count


class Heard(list[Served]):
    """The attempts at the fake, whose beginning is told."""

    bench: Bench | None = None

    def append(self, served: Served) -> None:
        """Take an attempt that begins."""
        if self.bench is not None:
            self.bench.began(served)


def request(port: int, model: str, key: str, request_id: str) -> bytes:
    """Return a request for a stream, whose prompt is its id."""
    config = {"maxOutputTokens": 1000}
    document = {"contents": [{"parts": [{"text": request_id}]}], "generationConfig": config}
    body = json.dumps(document).encode()
    fields = {
        "Host": f"127.0.0.1:{port}",
        "x-goog-api-key": key,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-Request-Id": request_id,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    target = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
    return f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def headers(port: int, asked: bytes) -> dict[str, str]:
    """Send a request, read its answer to the end, and return the headers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(asked)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readuntil(b"0\r\n\r\n")
    finally:
        writer.close()
    pairs = (line.partition(": ") for line in head.splitlines()[1:] if line)
    return {name.lower(): value for name, _, value in pairs}


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the proxy and of the commands."""
    projects = {project.name: list(project.keys) for project in PROJECTS}
    return {
        **os.environ,
        "GEMPROXY_POOL_PROJECTS": json.dumps(projects),
        "GEMPROXY_DATA_DIR": str(folder / "data"),
        "GEMPROXY_LOGGING_LEVEL": "error",
        "GEMPROXY_REPAIR_RETRY_DELAY_MS": "1",
    }


@contextlib.asynccontextmanager
async def serving(
    folder: Path, upstream: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run a proxy; yield its process and its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "run.py"), "--server.port", "0"),
        *("--upstream.url_base", upstream),
        cwd=folder,
        env=environment(folder),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        yield process, int(line.split()[-1].rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def add_user(folder: Path) -> str:
    """Make a user with limits, as an operator does; return the access key."""
    limits = ("--rpd", str(REQUESTS), "--tokens-per-day", str(TOKENS))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "run.py"), "users", "add", "ann", *limits, "--json"),
        cwd=folder,
        env=environment(folder),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    made: dict[str, Any] = json.loads(out)
    return str(made["key"])


async def kill(folder: Path, rounds: int, seed: int) -> Report:
    """Run the rounds in a folder, and one more start, which is looked at and ends in order."""
    report, attempts = Report(seed), Heard()
    async with ChaosServer(SCRIPTS, projects=PROJECTS, event_delay=0.004) as fake:
        fake.attempts = attempts
        key = await add_user(folder)
        bench = attempts.bench = Bench(folder, fake, key, report, random.Random(seed))
        fake.observe = bench.arrived
        for number in range(rounds):
            await bench.round(number)
        async with serving(folder, fake.url) as (process, port):
            await bench.check_counts(port, rounds)
            process.terminate()
            await process.wait()
        bench.count_endings()
    return report


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200, help="how often to kill (default 200)")
    parser.add_argument("--seed", type=int, help="repeat the moments of an earlier run")
    parser.add_argument("--keep", type=Path, help="an empty directory for the data, which stays")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    sys.stdout.write(f"seed {seed}\n")
    with contextlib.ExitStack() as stack:
        made = given.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="gemproxy-"))
        report = asyncio.run(kill(Path(made), given.rounds, seed))
    sys.stdout.write("".join(f"WRONG: {line}\n" for line in report.wrong))
    sys.stdout.write(f"{report.table()}\n")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
