"""The parts of the demo: the fake Gemini, the proxy in front of it, and a client."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator

import aiohttp
import attrs
from aiohttp import web

from gemproxy.chaos.answers import Answer, expected_text
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.config.settings import Settings
from gemproxy.web.app import create_app
from gemproxy.web.server import make_runner

MODEL = "gemini-demo"
FAULTS = (
    "clean@event:16",
    "rst@event:24",
    "stall@event:16",
    "finish:OTHER@event:14",
    "error:503@event:12",
    "fin@utf8:60",
)
STALL_SECONDS = 0.8
"""Seconds for which the demo's proxy waits for a chunk; the proxy's default is 90 s."""


@attrs.frozen
class Repair:
    """One repair, from the proxy's own log."""

    fault: str
    cause: str
    plan: str
    characters: int


@attrs.frozen
class Stage:
    """The running parts; ``stream`` requests the answer through the proxy."""

    proxy_url: str
    upstream_url: str
    chaos: ChaosServer
    answer: Answer
    model: str = MODEL
    faults: tuple[str, ...] = FAULTS

    @property
    def uncut_text(self) -> str:
        """The text that an unbroken stream would bring."""
        return expected_text(self.answer)

    @property
    def attempts(self) -> int:
        """The number of requests to the upstream."""
        return len(self.chaos.attempts)

    async def stream(self, prompt: str) -> AsyncIterator[bytes]:
        """Yield the bytes of the answer as a client reads them."""
        body = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
        url = f"{self.proxy_url}/v1beta/models/{self.model}:streamGenerateContent?alt=sse"
        headers = {"x-goog-api-key": "demo"}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.post(url, json=body, headers=headers) as response,
        ):
            async for data in response.content.iter_any():
                yield data


@contextlib.asynccontextmanager
async def open_stage(
    port: int, seed: int, pace: float, repaired: Callable[[Repair], None]
) -> AsyncIterator[Stage]:
    """Start all parts, and stop them at the exit; ``repaired`` is called at each repair."""
    answer = _long_answer()
    script = Script(answer, faults=[parse_fault(fault) for fault in FAULTS], rearm=True)
    async with ChaosServer(script, seed=seed, event_delay=pace) as chaos:
        settings = _settings(chaos.url)
        runner = make_runner(create_app(settings), settings)
        with _listening(chaos, repaired):
            await runner.setup()
            try:
                url = await _listen(runner, port)
                yield Stage(url, chaos.url, chaos, answer)
            finally:
                await runner.cleanup()


def _long_answer() -> Answer:
    """Return an answer that is hard to cut: thoughts, a code fence, Chinese, emoji."""
    texts = (BUILT_IN[name].text for name in ("story", "chinese", "emoji"))
    return attrs.evolve(BUILT_IN["thinking"], text="\n".join(texts))


def _settings(upstream: str) -> Settings:
    settings = Settings()
    return attrs.evolve(
        settings,
        upstream=attrs.evolve(
            settings.upstream, url_base=upstream, chunk_timeout_seconds=STALL_SECONDS
        ),
        repair=attrs.evolve(settings.repair, retry_delay_ms=50),
        server=attrs.evolve(settings.server, drain_timeout=0.0),
    )


async def _listen(runner: web.AppRunner, port: int) -> str:
    """Listen on ``port``, or on any free one if it is taken."""
    for wanted in (port, 0):
        site = web.TCPSite(runner, "127.0.0.1", wanted)
        with contextlib.suppress(OSError):
            await site.start()
            return f"http://127.0.0.1:{site.port}"
    raise OSError("no port of this machine can be listened on")


@contextlib.contextmanager
def _listening(chaos: ChaosServer, repaired: Callable[[Repair], None]) -> Iterator[None]:
    """Follow the repairs in the log, as an operator does."""
    ear = _Ear(chaos, repaired)
    log = logging.getLogger("gemproxy.relay")
    level, log.propagate = log.level, False
    log.setLevel(logging.DEBUG)
    log.addHandler(ear)
    try:
        yield
    finally:
        log.removeHandler(ear)
        log.setLevel(level)
        log.propagate = True


class _Ear(logging.Handler):
    """Turns the relay's log records into Repairs."""

    def __init__(self, chaos: ChaosServer, repaired: Callable[[Repair], None]) -> None:
        super().__init__()
        self._chaos = chaos
        self._repaired = repaired

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record of an interruption."""
        cause = getattr(record, "cause", None)
        if cause is None:
            return
        fault = self._chaos.attempts[-1].plan.fault
        self._repaired(
            Repair(
                str(fault or ""),
                cause,
                getattr(record, "next", ""),
                getattr(record, "characters", 0),
            )
        )
