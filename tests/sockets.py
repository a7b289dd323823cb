"""Servers and clients for tests, down to the byte: scripted upstreams, production-like apps."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import attrs
from aiohttp import web
from yarl import URL

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[[Reader, Writer], Awaitable[None]]
Serve = Callable[[Script], Awaitable[URL]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


async def head(reader: Reader) -> bytes:
    """Return a message up to the blank line after its headers."""
    return await reader.readuntil(b"\r\n\r\n")


def chunk(data: bytes) -> bytes:
    """Return ``data`` as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextlib.asynccontextmanager
async def scripted(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[URL]:
    """Serve connections that each run ``script`` and are then closed; yield the origin.

    With ``tls`` a script runs once the handshake is over.
    """
    runs: set[asyncio.Task[None]] = set()

    async def run(reader: Reader, writer: Writer) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left first
        finally:
            await close(writer)

    def accept(reader: Reader, writer: Writer) -> None:
        runs.add(asyncio.create_task(run(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls, backlog=1024)
    scheme = "https" if tls else "http"
    try:
        yield URL(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        server.close()
        for task in runs:
            task.cancel()
        failed = await asyncio.gather(*runs, return_exceptions=True)
        await server.wait_closed()
        assert [error for error in failed if isinstance(error, Exception)] == []


async def close(writer: Writer) -> None:
    """Close a connection and wait until it is closed, however."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def answering(*pieces: bytes) -> Script:
    """Return a script that answers every request with these bytes; the client leaves first."""

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            await head(reader)
            writer.writelines(pieces)

    return script


def cutting(*pieces: bytes, reset: bool = False) -> Script:
    """Return a script that answers one request with these bytes and closes, or resets."""

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.writelines(pieces)
        await writer.drain()
        if reset:
            writer.transport.abort()

    return script


@contextlib.asynccontextmanager
async def running(app: web.Application, *, cancels: bool = True) -> AsyncIterator[int]:
    """Serve ``app`` as production does; yield its port."""
    runner = web.AppRunner(
        app,
        handler_cancellation=cancels,
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield site.port
    finally:
        await runner.cleanup()


@attrs.frozen
class Client:
    """One raw connection."""

    reader: Reader
    writer: Writer

    async def head(self) -> bytes:
        """Return the head of an answer."""
        return await head(self.reader)

    async def rest(self) -> bytes:
        """Return what comes until the server closes; a reset raises."""
        return await self.reader.read()


@contextlib.asynccontextmanager
async def connected(port: int, request: bytes) -> AsyncIterator[Client]:
    """Send bytes to a port and yield the connection, which reads hardly ahead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(request)
    try:
        yield Client(reader, writer)
    finally:
        await close(writer)


async def exchange(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Return head and body of the answer to the last request of a connection."""
    async with connected(port, request) as client:
        return await client.head(), await client.rest()
