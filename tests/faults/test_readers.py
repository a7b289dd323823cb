"""Clients that read slowly or not at all: they cost what the sockets hold, and nobody else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.processes import ProxyProcess, serving, told_by_proc, until
from tests.faults.upstreams import LAST, OTHER, UNSIZED, Flood, request
from tests.gemini import chunk, sse
from tests.io.test_sizes import MIB
from tests.running import StartProxy
from tests.sockets import Reader, Writer, scripted
from tests.wire import STREAM, Connection

READERS = 24
EVENT = sse(chunk("x" * 4000))
ANSWER = 256 * MIB
KERNELS = 16 * MIB
"""Bytes that the kernel's buffers between upstream and client hold at most, about."""

EAGER = "/v1/models/eager:streamGenerateContent?alt=sse"


@contextlib.asynccontextmanager
async def never_reading(proxy: ProxyProcess, target: str) -> AsyncIterator[None]:
    """Keep clients that ask and read nothing."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(READERS):
            client = await stack.enter_async_context(proxy.connect(receive_buffer=1 << 16))
            await client.send(target)
        yield


@told_by_proc
@pytest.mark.production_loop
@pytest.mark.parametrize(("target", "each"), [(STREAM, 12 * MIB), (OTHER, 4 * MIB)])
async def test_clients_that_never_read_cost_little_and_are_cut(
    tmp_path: Path, target: str, each: int
) -> None:
    """Their answers have 6 GiB; meanwhile another client is served.

    ``each`` is what one may cost; of a stream that can be repaired the text that the kernel took
    is kept.
    """
    flood = Flood(b"", EVENT, most=ANSWER)

    async def serve(reader: Reader, writer: Writer) -> None:
        top = await reader.readuntil(b" HTTP/1.1\r\n")
        if EAGER.encode() in top:
            await request(reader)
            writer.write(UNSIZED + EVENT * 64 + LAST)
        else:
            await flood(reader, writer)

    flags = {"client.send_timeout_seconds": 1}
    async with scripted(serve) as upstream, serving(tmp_path, str(upstream), flags) as proxy:
        before = proxy.memory.reset_peak()
        async with never_reading(proxy, target):
            await until(lambda: flood.requests == READERS)
            answer = await proxy.ask(EAGER)
            assert answer.body == EVENT * 64 + LAST
            assert await proxy.health() == 200

            await until(lambda: flood.closed == READERS)

            assert flood.written < READERS * KERNELS
        assert proxy.memory.peak - before < READERS * each
        await proxy.until_at_rest()


SLOWLY = 2000
"""Bytes that the slow client reads one by one."""


@pytest.mark.production_loop
async def test_a_client_that_reads_byte_by_byte_gets_all_and_holds_up_nobody(
    proxy: StartProxy,
) -> None:
    body = EVENT * 1000 + LAST

    async def serve(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(UNSIZED + body)
        await writer.drain()

    async with scripted(serve) as upstream:
        running = await proxy(str(upstream))
        async with running.connect(receive_buffer=4096) as slow:
            await slow.send()
            await slow.head()
            loop, begun = asyncio.get_running_loop(), b""
            others = [asyncio.create_task(running.ask(EAGER)) for _ in range(8)]
            while len(begun) < SLOWLY:
                begun += await loop.sock_recv(slow.socket, 1)
            answers = await asyncio.gather(*others)
            slow.put_back(begun)

            rest = b"".join([data async for data in chunks_of(slow)])

    assert {answer.body for answer in answers} == {body}
    assert rest == body


async def chunks_of(connection: Connection) -> AsyncIterator[bytes]:
    """Yield the chunks of an answer up to its last one."""
    while data := await connection.chunk():
        yield data
