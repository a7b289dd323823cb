"""The proxy as its users run it, ``run.py`` with flags, and what the system tells about it."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import attrs
import pytest

from tests.gemini import BODY
from tests.io.test_sizes import Memory
from tests.resting import descriptors_of
from tests.running import PATIENCE
from tests.web.test_server import ROOT
from tests.wire import STREAM, Answer, Connection, connect

told_by_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the system does not tell it"
)
"""For tests that read /proc."""

QUICK = {"repair.retry_delay_ms": 1, "repair.max_delay_ms": 1, "repair.max_consecutive_retries": 2}


@attrs.frozen(eq=False)
class ProxyProcess:
    """A proxy that is serving; ``descriptors`` are those that it had before any request."""

    url: str
    process: asyncio.subprocess.Process
    log: Path
    descriptors: int

    @property
    def memory(self) -> Memory:
        return Memory(self.process.pid)

    def connect(
        self, *, receive_buffer: int | None = None
    ) -> contextlib.AbstractAsyncContextManager[Connection]:
        """Return a raw connection to it, for ``async with``."""
        return connect(self.url, receive_buffer=receive_buffer)

    async def ask(
        self,
        target: str = STREAM,
        body: bytes = BODY,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Send one request on a connection of its own and read the answer to its end."""
        async with self.connect() as connection:
            return await connection.ask(target, body, headers, method)

    async def health(self) -> int:
        """Return the status that /health answers with."""
        return (await self.ask("/health", b"", method="GET")).status

    def asleep(self) -> bool:
        """Tell whether it waits in the kernel: one that spins is always running."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "S"

    def descriptor_links(self) -> list[Path]:
        """Return a link for each descriptor that it has open, named by its number."""
        return list(Path(f"/proc/{self.process.pid}/fd").iterdir())

    def open_descriptors(self) -> int:
        return descriptors_of(self.process.pid)

    async def until_at_rest(self, kept: Callable[[], int] = lambda: 0) -> None:
        """Wait until it has the descriptors of its beginning, besides ``kept`` upstream."""
        await until(lambda: self.open_descriptors() == self.descriptors + kept())

    async def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    async def exit_status(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until ``holds()``, which nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 (what another process has is told by nobody)
            await asyncio.sleep(0.01)  # and asking without a pause would take a processor from it


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    upstream: str,
    flags: Mapping[str, object] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    descriptors: int | None = None,
) -> AsyncIterator[ProxyProcess]:
    """Run a proxy in ``folder``; it is gone when this is left.

    ``flags`` are settings by path, over those of QUICK. ``descriptors`` is how many files the
    process may have open. Its log is in the file ``log``.
    """
    settings = {"server.port": 0, "upstream.url_base": upstream, **QUICK, **(flags or {})}
    given = [word for path, value in settings.items() for word in (f"--{path}", str(value))]
    log = folder / "log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run.py"), *given),
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            preexec_fn=None if descriptors is None else _limiting(descriptors),
        )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith("gemproxy "), log.read_text()
        url = line.split()[-1]
        async with connect(url) as connection:
            await connection.ask("/livez", b"", method="GET")
        process_descriptors = await _settled(process.pid)
        yield ProxyProcess(url, process, log, process_descriptors)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _limiting(descriptors: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


async def _settled(pid: int) -> int:
    """Return the number of descriptors once the first client's connection is closed."""
    if descriptors_of(pid):
        await until(lambda: _connections(pid) == 0)
    return descriptors_of(pid)


def _connections(pid: int) -> int:
    """Return how many TCP connections a process has open."""
    inodes = {_target(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    listening = "0A"
    return sum(f"socket:[{row[9]}]" in inodes for row in rows if row[3] != listening)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""
