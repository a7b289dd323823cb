"""Both ends of a connection, for what reads and writes one."""

import asyncio
from collections.abc import AsyncIterator

import attrs
import pytest

from tests.chaos.client import leave


@attrs.frozen
class Pair:
    """Both ends of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client_reader: asyncio.StreamReader
    client_writer: asyncio.StreamWriter


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Yield a TCP connection with streams at both ends."""
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait((reader, writer))

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    client = await asyncio.open_connection(*server.sockets[0].getsockname())
    ends = Pair(*await accepted.get(), *client)
    yield ends
    for writer in (ends.writer, ends.client_writer):
        writer.transport.abort()
        await leave(writer)
    server.close()
    await server.wait_closed()
