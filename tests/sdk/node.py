"""Runs the stock JavaScript SDK in a process of its own and returns what it saw.

``driver.mjs`` says what the job and its lines of output are; here they become Python values.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

HERE = Path(__file__).parent
DRIVER = HERE / "driver.mjs"
OLDEST_NODE = 20
"""The oldest Node that the SDK pinned in package.json supports."""

Mode = Literal[
    "stream",
    "chat",
    "generate",
    "surface",
    "files",
    "interactions",
    "live",
    "music",
    "making",
    "trespassing",
]


class DriverError(Exception):
    """The driver itself failed; the message is what it said on stderr."""


@attrs.frozen
class NodeError:
    """An error that the SDK raised to its user; ``status`` is None when it was no HTTP status."""

    name: str
    message: str
    status: int | None


@attrs.frozen(kw_only=True)
class NodeChunk:
    """One response object that the SDK yielded, ``raw`` as its user would see it."""

    turn: int
    text: str
    finish_reason: str | None
    raw: dict[str, Any]


@attrs.frozen(kw_only=True)
class NodeRun:
    """All that the SDK's user saw: chunks in order, then the end or the error."""

    chunks: tuple[NodeChunk, ...]
    error: NodeError | None
    history: list[dict[str, Any]]
    curated: list[dict[str, Any]]

    def text(self, turn: int = 0) -> str:
        """Return the text of one answer, joined over its chunks."""
        return "".join(chunk.text for chunk in self.chunks if chunk.turn == turn)


@attrs.frozen
class NodeDriver:
    """Called with a job, runs it with the ``node`` at this path."""

    node: str

    async def __call__(
        self,
        base_url: str,
        *prompts: str,
        mode: Mode = "stream",
        model: str = "gemini-test",
        api_key: str = "test-key",
        config: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        api_version: str | None = None,
        authority: str | None = None,
        pause: int = 0,
        patience: float = 60.0,
    ) -> NodeRun:
        """Send the prompts one after another and return what the SDK made of the answers.

        ``config`` is the SDK's GenerateContentConfig in its own camelCase. ``authority`` is a
        PEM file of an authority that Node is to trust, ``pause`` what the application takes for
        each response object (ms). Raises TimeoutError after ``patience``
        seconds, with the process killed, and DriverError for a bad job.
        """
        job = {
            "baseUrl": base_url,
            "apiKey": api_key,
            "model": model,
            "mode": mode,
            "prompts": prompts,
            "config": config or {},
            "headers": headers or {},
            "apiVersion": api_version,
            "pause": pause,
        }
        return _read(await self._run(json.dumps(job), patience, _environment(authority)))

    async def _run(self, job: str, patience: float, environment: Mapping[str, str]) -> bytes:
        process = await asyncio.create_subprocess_exec(
            self.node,
            str(DRIVER),
            job,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            async with asyncio.timeout(patience):
                output, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        if process.returncode:
            raise DriverError(complaint.decode(errors="replace"))
        return output


def _environment(authority: str | None) -> dict[str, str]:
    """Return no more than Node needs: the SDK and fetch() also read keys and proxies from it."""
    needed = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return needed | ({"NODE_EXTRA_CA_CERTS": authority} if authority else {})


def _read(output: bytes) -> NodeRun:
    *lines, last = map(json.loads, output.splitlines())
    return NodeRun(
        chunks=tuple(map(_chunk, lines)),
        error=NodeError(**last["error"]) if "error" in last else None,
        history=last["history"],
        curated=last["curated"],
    )


def _chunk(line: dict[str, Any]) -> NodeChunk:
    return NodeChunk(
        turn=line["turn"],
        text=line["text"],
        finish_reason=line["finishReason"],
        raw=line["chunk"],
    )
