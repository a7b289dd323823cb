"""Programs in Python that run in processes of their own and wait for a line before they work."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.running import PATIENCE
from tests.web.test_server import ROOT


@asynccontextmanager
async def started(
    program: str, *arguments: str, folder: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program, in ``folder`` if there is one; a process that still runs is killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *arguments),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> bytes:
    """Return the next line that a program writes."""
    assert process.stdout is not None
    async with asyncio.timeout(3 * PATIENCE):
        return await process.stdout.readline()


async def begin(process: asyncio.subprocess.Process) -> None:
    """Send a program its line."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()
