"""Run gemproxy for a long time under all kinds of faults, and measure growth.

    python bench/soak.py [--minutes 20] [--clients 16] [--seed 0] [--every 5] [--json FILE]

The proxy is a real process between a fake Gemini that breaks off, stalls and fails at random
(bench/soak_upstream.py) and clients that check every character (bench/soak_clients.py); each has
its own core if there are three. The program prints the slopes of memory, descriptors and tasks per
hour, the same at rest before and after, and the answers of the clients. The exit status is 1 if an
answer was wrong, if the proxy met an unexpected error, or if it holds more at rest than before.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of this folder

import attrs

from bench.soak_clients import run_clients
from bench.soak_figures import Sample, Soak, Totals, report
from bench.system import Cores, free_port, raise_descriptor_limit, share_out, started

FLAGS = {
    "upstream.chunk_timeout_seconds": 1,
    "upstream.thinking_timeout_seconds": 1,
    "upstream.first_byte_timeout_seconds": 2,
    "upstream.finish_grace_seconds": 0.5,
    "repair.retry_delay_ms": 20,
    "repair.max_delay_ms": 200,
    "repair.max_consecutive_retries": 30,
    "repair.max_resumes": 50,
    "repair.max_frame_bytes": 1 << 20,
}
"""Settings with short waits, for more faults in an hour."""

START_UP = 0.2
_REST_SECONDS = 60.0
_START_SECONDS = 20.0


@attrs.frozen(eq=False)
class Watched:
    """The proxy of the soak, seen through its own report lines."""

    report: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return all complete lines so far."""
        if not self.report.exists():
            return []
        *lines, _unfinished = self.report.read_text().split("\n")
        return [json.loads(line) for line in lines]

    def samples(self) -> list[Sample]:
        """Return all samples so far."""
        return [Sample.of(line) for line in self.lines()]

    async def next_sample(self) -> Sample:
        """Return the first sample from now on."""
        seen = len(self.lines())
        async with asyncio.timeout(_REST_SECONDS):
            while len(self.lines()) <= seen:  # noqa: ASYNC110 (a file has no events)
                await asyncio.sleep(0.1)
        return self.samples()[seen]

    async def at_rest(self, at_most: Sample) -> Sample:
        """Return the first sample with no more than ``at_most``, or the last within a minute."""
        until = time.monotonic() + _REST_SECONDS
        while True:
            sample = await self.next_sample()
            quiet = sample.fds <= at_most.fds and sample.tasks <= at_most.tasks
            if (quiet and not sample.in_flight) or time.monotonic() > until:
                return sample


def main(argv: Sequence[str]) -> int:
    """Run the soak that ``argv`` asks for; return the exit status."""
    options = _parser().parse_args(argv)
    raise_descriptor_limit()
    soak = asyncio.run(_soak(options))
    print(report(soak))
    if options.json:
        options.json.write_text(json.dumps(attrs.asdict(soak), indent=1))
    return 1 if soak.faults else 0


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0, help="decides faults and requests")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two samples")
    parser.add_argument("--json", type=Path, help="write all samples and counts to this file")
    return parser


def cores() -> Cores:
    """Return a core for each party, or all cores for all if there are fewer than three."""
    available = sorted(os.sched_getaffinity(0))
    try:
        return share_out(available, 1)
    except ValueError:
        return Cores(*[frozenset(available)] * 3)


async def _soak(options: argparse.Namespace) -> Soak:
    shared = cores()
    os.sched_setaffinity(0, shared.client)
    totals = Totals()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        upstream, upstream_port = stack.enter_context(_upstream(options.seed, shared.upstream))
        base, watched = stack.enter_context(
            _proxy(folder, upstream_port, shared.proxy, options.every)
        )
        await _warm_up(base)
        before = await watched.next_sample()
        first = len(watched.lines())
        await run_clients(base, options.clients, options.minutes * 60, options.seed, totals)
        last = len(watched.lines())
        violations = _violations(upstream)  # its end also closes the connections that are kept
        after = await watched.at_rest(before)
        return Soak(
            samples=watched.samples()[first:last],
            before=before,
            after=after,
            totals=totals,
            counts=watched.lines()[-1]["counts"],
            violations=violations,
            start_up=START_UP,
        )


@contextlib.contextmanager
def _upstream(seed: int, core: frozenset[int]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, str(ROOT / "bench" / "soak_upstream.py"), str(seed)]
    with started(command, core) as process:
        assert process.stdout is not None
        word, _, port = process.stdout.readline().strip().partition(" ")
        assert word == "listening", "the upstream of the soak does not start"
        yield process, int(port)


def _violations(upstream: subprocess.Popen[str]) -> list[str]:
    """End the upstream and return the violations that it has seen."""
    assert upstream.stdout is not None
    upstream.send_signal(signal.SIGTERM)
    seen: list[str] = json.loads(upstream.stdout.readline())
    return seen


@contextlib.contextmanager
def _proxy(
    folder: Path, upstream_port: int, core: frozenset[int], every: float
) -> Iterator[tuple[str, Watched]]:
    port = free_port()
    settings = {
        "server.port": port,
        "upstream.url_base": f"http://127.0.0.1:{upstream_port}",
        **FLAGS,
    }
    given = [word for path, value in settings.items() for word in (f"--{path}", str(value))]
    lines = folder / "report"
    program = [sys.executable, str(ROOT / "bench" / "soak_proxy.py")]
    command = [*program, str(lines), str(every), str(folder / "app.log"), *given]
    with started(command, core, folder=folder, log=Path(os.devnull)):
        yield f"http://127.0.0.1:{port}", Watched(lines)


async def _warm_up(base: str) -> None:
    """Make the proxy log a request, which opens its log file; the upstream gets no request."""
    async with asyncio.timeout(_START_SECONDS):
        while not _asked(base):  # noqa: ASYNC110 (no event shows that the proxy listens)
            await asyncio.sleep(0.1)


def _asked(base: str) -> bool:
    """Make a request that ends at the proxy; return whether that was possible."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"))
    with contextlib.closing(connection), contextlib.suppress(ConnectionRefusedError):
        connection.request("GET", "/v1beta/../models")
        return bool(connection.getresponse().read())
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
