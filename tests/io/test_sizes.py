"""Large bodies, both ways, through a proxy process whose memory is watched; and its workers."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.running import StartProxy
from tests.sockets import CHUNKED, END, Reader, Writer, chunk, head, scripted
from tests.web.test_server import free_port, started
from tests.wire import KEY, STREAM, connect

MIB = 1 << 20
SIZE = 256 * MIB
"""A file that is far larger than what the proxy may need for it."""

MOST = 24 * MIB
"""Memory that one large body may cost: the buffers of two sockets and of the allocator."""

PIECE = bytes(MIB)

watched = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the system does not tell a peak of memory"
)


@attrs.frozen
class Memory:
    """The resident memory of a process, in bytes."""

    pid: int

    def reset_peak(self) -> int:
        """Start to look for the peak; return what is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._read("VmRSS")

    @property
    def peak(self) -> int:
        return self._read("VmHWM")

    def _read(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


@attrs.frozen
class Watched:
    """A proxy process that is serving."""

    url: str
    memory: Memory


@contextlib.asynccontextmanager
async def process(tmp_path: Path, upstream: str) -> AsyncIterator[Watched]:
    """Run a proxy in a process of its own, after one request that loads what it needs."""
    port = free_port()
    async with started(tmp_path, port, upstream) as proxy:
        url = str(await proxy.url()).rstrip("/")
        async with connect(url) as connection:
            await connection.ask("/upload/v1/files", b"x", KEY)
        yield Watched(url, Memory(proxy.process.pid))


async def swallowing(reader: Reader, writer: Writer) -> None:
    """Take request after request, count its body and tell the count."""
    while True:
        start = await head(reader)
        left = size = int(start.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        while left:
            left -= len(await reader.read(min(left, MIB)))
        body = json.dumps({"size": size}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@pytest.mark.production_loop
@watched
async def test_a_large_upload_is_not_kept_in_memory(tmp_path: Path) -> None:
    async with scripted(swallowing) as upstream, process(tmp_path, str(upstream)) as proxy:
        before = proxy.memory.reset_peak()
        reader, writer = await asyncio.open_connection(
            *proxy.url.removeprefix("http://").split(":")
        )
        top = "POST /upload/v1/files?uploadType=media HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        writer.write(f"{top}Content-Length: {SIZE}\r\n\r\n".encode())
        for _ in range(SIZE // MIB):
            writer.write(PIECE)
            await writer.drain()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"size": SIZE}
        assert proxy.memory.peak - before < MOST


async def pouring(reader: Reader, writer: Writer) -> None:
    """Answer a download with a large file, everything else shortly."""
    if b":download" not in await head(reader):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % SIZE)
    for _ in range(SIZE // MIB):
        writer.write(PIECE)
        await writer.drain()


@pytest.mark.production_loop
@watched
async def test_a_large_download_is_not_kept_in_memory(tmp_path: Path) -> None:
    async with scripted(pouring) as upstream, process(tmp_path, str(upstream)) as proxy:
        before = proxy.memory.reset_peak()
        reader, writer = await asyncio.open_connection(
            *proxy.url.removeprefix("http://").split(":")
        )
        top = b"GET /v1/files/a:download?alt=media HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        writer.write(top)
        await head(reader)
        came = 0
        while data := await reader.read(MIB):
            came += len(data)
        writer.close()
        await writer.wait_closed()

        assert came == SIZE
        assert proxy.memory.peak - before < MOST


async def test_an_event_of_20_mb_passes_byte_for_byte(proxy: StartProxy) -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "A" * (20 * MIB)}}
    candidate = {"content": {"role": "model", "parts": [image]}, "finishReason": "STOP"}
    event = b"data: %s\r\n\r\n" % json.dumps({"candidates": [candidate]}).encode()

    async def script(reader: Reader, writer: Writer) -> None:
        start = await head(reader)
        size = int(start.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(size)
        kind = b"Transfer-Encoding: chunked\r\nContent-Type: text/event-stream"
        writer.write(CHUNKED.replace(b"Transfer-Encoding: chunked", kind))
        writer.write(chunk(event[: 7 * MIB]) + chunk(event[7 * MIB :]) + END)

    async with scripted(script) as upstream:
        answer = await (await proxy(str(upstream))).ask(STREAM)

    assert answer.body == event


@pytest.mark.production_loop
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel spreads connections on Linux")
async def test_any_worker_goes_on_with_an_upload(tmp_path: Path) -> None:
    """Twenty connections: were the session known to one worker of two, one of them would fail."""
    resumable = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start", **KEY}
    async with (
        ChaosServer(Script(Answer("x"))) as server,
        started(tmp_path, free_port(), server.url, workers=2) as proxy,
    ):
        try:
            base = str(await proxy.url()).rstrip("/")
            async with connect(base) as connection:
                begun = await connection.ask("/upload/v1/files", b"{}", resumable)
            target = begun.headers["X-Goog-Upload-URL"].removeprefix(base)
            statuses = set()
            for _ in range(20):
                async with connect(base) as connection:
                    asked = {"X-Goog-Upload-Command": "query"}
                    statuses.add((await connection.ask(target, b"", asked)).status)
        finally:
            proxy.send(signal.SIGTERM)  # to the supervisor, which ends its workers

        assert await proxy.exit_status() == 0
        assert statuses == {200}
