"""What smuggling probes get, and what of them the upstream sees."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import attrs
import pytest

from tests.hostile.probes import NEXT, PROBES, TARGET, Probe
from tests.running import StartProxy
from tests.sockets import OK, Reader, Writer, connected, head, scripted

FENCE = b"GET /v1beta/fence HTTP/1.1\r\nHost: proxy.test\r\nConnection: close\r\n\r\n"
"""A last request, by which one knows that everything before it was answered."""


@attrs.define
class Upstream:
    """A strict reader of requests: what it cannot read by the book breaks the test."""

    seen: list[bytes] = attrs.field(factory=list)

    async def script(self, reader: Reader, writer: Writer) -> None:
        while True:
            start = await head(reader)
            lines = [line.partition(b": ") for line in start.split(b"\r\n")[1:-2]]
            headers = {name.lower(): value for name, _, value in lines}
            assert len(headers) == len(lines), "a header comes twice"
            assert not {b"content-length", b"transfer-encoding"} <= headers.keys()
            if b"content-length" in headers:
                await reader.readexactly(int(headers[b"content-length"]))
            elif b"transfer-encoding" in headers:
                assert headers[b"transfer-encoding"] == b"chunked"
                await reader.readuntil(b"0\r\n\r\n")
            self.seen.append(start)
            writer.write(OK)


@contextlib.asynccontextmanager
async def strict() -> AsyncIterator[tuple[Upstream, str]]:
    upstream = Upstream()
    async with scripted(upstream.script) as url:
        yield upstream, str(url)


async def answers(port: int, raw: bytes) -> bytes:
    """Return all that a connection brings until the proxy closes it."""
    async with connected(port, raw) as client:
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := await client.reader.read(1 << 16):
                received += data
        return received


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
async def test_a_probe_is_refused_or_read_alike_on_both_sides(
    probe: Probe, proxy: StartProxy
) -> None:
    async with strict() as (upstream, url):
        port = int((await proxy(url)).url.rpartition(":")[2])
        told = await asyncio.wait_for(answers(port, probe.raw + FENCE), 10)

    status = int(told.split(b" ", 2)[1])
    refused = (probe.status >= 400 and probe.status != 417) or "Upgrade" in probe.name
    assert status == probe.status
    passed = [start for start in upstream.seen if b"/fence" not in start]
    assert len(passed) == probe.passed
    assert len(upstream.seen) - len(passed) == (0 if refused else 1), "a refusal ends all"
    assert all(start.split(b" ")[1] in {TARGET, b"/v1beta/smuggled"} for start in passed)
    assert (b"smuggled" in b"".join(passed)) == (NEXT in probe.raw)


@pytest.mark.parametrize("name", ["a Host with a path", "identity, chunked", "HTTP/2.0", "CONNECT"])
async def test_what_gemproxy_refuses_itself_is_told_as_google_would(
    name: str, proxy: StartProxy
) -> None:
    probe = next(probe for probe in PROBES if probe.name == name)
    async with strict() as (_, url):
        port = int((await proxy(url)).url.rpartition(":")[2])
        start, _, body = (await answers(port, probe.raw)).partition(b"\r\n\r\n")

    error = json.loads(body)["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["details"][0]["requestId"].encode() in start


async def test_an_unknown_expectation_is_told_as_google_would(proxy: StartProxy) -> None:
    async with strict() as (_, url):
        port = int((await proxy(url)).url.rpartition(":")[2])
        probe = next(probe for probe in PROBES if probe.status == 417)
        start, _, body = (await answers(port, probe.raw + FENCE)).partition(b"\r\n\r\n")

    size = int(start.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert json.loads(body[:size])["error"]["code"] == 417


async def test_a_body_that_is_held_back_is_invited(proxy: StartProxy) -> None:
    top = b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    async with strict() as (upstream, url):
        port = int((await proxy(url)).url.rpartition(":")[2])
        async with connected(port, top % TARGET) as client:
            assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.writer.write(b"x")
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")

    assert len(upstream.seen) == 1
