"""A change of settings while a hundred streams run: they keep theirs, the next one has new ones.

All streams have begun when the settings change, and break off after that. What becomes of a break
is a setting, and so is what a request asks of the model.
"""

import asyncio
import json
from typing import Any

import attrs

from tests.gemini import Json, chunk, sse, text_of
from tests.running import Proxy, StartProxy
from tests.sockets import CHUNKED, END, Reader, Writer, head, scripted
from tests.sockets import chunk as http_chunk
from tests.wire import KEY, STREAM, Answer, Ending, body_of

STREAMS = 100
OPERATOR = {"x-admin-secret": "w7Kq2mXv9TzRw4Lp8sDfGh3J"}
BEGUN = sse(chunk("It was a dark and stormy night; the rain fell in torrents, "))
REST = sse(chunk("except at occasional intervals.", finish="STOP"))
WHOLE = "It was a dark and stormy night; the rain fell in torrents, except at occasional intervals."
VALUES = {
    "repair.enabled": False,
    "injection.enabled": True,
    "injection.content": "Be brief.",
}


@attrs.define
class Upstream:
    """Answers begin, wait until ``goes_on`` and break off; what goes on with one has its rest."""

    begun: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(0))
    goes_on: asyncio.Event = attrs.field(factory=asyncio.Event)
    first: list[Json] = attrs.field(factory=list)
    further: list[Json] = attrs.field(factory=list)

    async def script(self, reader: Reader, writer: Writer) -> None:
        top = await head(reader)
        (length,) = (line[16:] for line in top.split(b"\r\n") if line.startswith(b"Content-Length"))
        body = json.loads(await reader.readexactly(int(length)))
        writer.write(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: text/event-stream\r\n\r\n"))
        if len(body["contents"]) > 1:
            self.further.append(body)
            writer.write(http_chunk(REST) + END)
            return
        self.first.append(body)
        writer.write(http_chunk(BEGUN))
        await writer.drain()
        self.begun.release()
        await self.goes_on.wait()


def is_injected(body: Json) -> bool:
    """Return whether a request to Gemini was made by the new settings."""
    return "systemInstruction" in body


async def told(proxy: Proxy, number: int) -> Answer:
    return await proxy.ask(STREAM, body_of(f"Tell story {number}."), KEY)


async def change(proxy: Proxy, values: Any) -> None:
    body = json.dumps({"values": values}).encode()
    answer = await proxy.ask("/admin/api/v1/settings", body, OPERATOR, "PATCH")
    assert answer.status == 200, answer.body


async def test_a_hundred_streams_keep_what_they_began_with(proxy: StartProxy) -> None:
    upstream = Upstream()
    async with scripted(upstream.script) as url:
        served = await proxy(
            str(url).rstrip("/"),
            admin={"secret": OPERATOR["x-admin-secret"]},
            ledger={"enabled": True},
        )
        asked = [asyncio.create_task(told(served, number)) for number in range(STREAMS)]
        for _ in asked:
            await upstream.begun.acquire()
        await change(served, VALUES)
        upstream.goes_on.set()
        running = await asyncio.gather(*asked)
        late = await told(served, STREAMS)

    assert {answer.text for answer in running} == {WHOLE}
    assert {answer.ending for answer in running} == {Ending.COMPLETE}
    assert len(upstream.further) == STREAMS
    assert not any(map(is_injected, [*upstream.first[:STREAMS], *upstream.further]))
    assert is_injected(upstream.first[STREAMS])
    assert "except" not in late.body.decode()
    assert late.ending is not Ending.COMPLETE
    assert text_of(late.body.partition(b'data: {"error')[0]) in WHOLE
