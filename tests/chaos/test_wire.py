"""Requests are read and steps are carried out, on a real connection."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.delivery import Close, Flood, Pause, Send
from gemproxy.chaos.wire import BadRequest, Request, close, perform, read_request, reset
from tests.chaos.conftest import Pair


async def read(pair: Pair, data: bytes) -> Request:
    pair.client_writer.write(data)
    pair.client_writer.write_eof()
    return await read_request(await pair.reader.read(1), pair.reader, pair.writer)


async def test_a_request_with_a_length_is_read(pair: Pair) -> None:
    head = b"POST /a/b?alt=sse&x= HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\n"
    request = await read(pair, head + b'Content-Length: 8\r\n\r\n{"a": 1}')
    assert (request.method, request.path, request.version) == ("POST", "/a/b", "HTTP/1.1")
    assert request.query == {"alt": "sse", "x": ""}
    assert request.values("x-two") == ["1", "2"]
    assert request.header("x-two") == "1, 2"
    assert request.document == {"a": 1}
    assert request.keeps_alive


async def test_a_request_without_a_body_is_read(pair: Pair) -> None:
    request = await read(pair, b"GET / HTTP/1.0\r\n\r\n")
    assert request.body == b""
    assert not request.keeps_alive


async def test_the_client_may_ask_to_close(pair: Pair) -> None:
    assert not (await read(pair, b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n")).keeps_alive


async def test_a_chunked_request_is_read(pair: Pair) -> None:
    body = b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    request = await read(pair, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert request.body == b"abc0123456789"


async def test_a_client_that_waits_is_told_to_continue(pair: Pair) -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    pair.client_writer.write(head)
    reading = asyncio.create_task(read_request(b"", pair.reader, pair.writer))
    assert await pair.client_reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    pair.client_writer.write(b"{}")
    assert (await reading).body == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        b"HELLO\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"A: %d\r\n" % n for n in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_told(pair: Pair, data: bytes) -> None:
    with pytest.raises(BadRequest):
        await read(pair, data)


async def test_a_client_that_leaves_in_the_middle_is_noticed(pair: Pair) -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await read(pair, b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")


@given(st.binary(max_size=40))
def test_a_body_that_is_no_object_is_an_empty_document(body: bytes) -> None:
    request = Request("POST", "/", "HTTP/1.1", (), b"[" + body)
    assert request.document == {}


def test_a_request_does_not_print_its_credentials() -> None:
    headers = (("x-goog-api-key", "test-key"),)
    assert "test-key" not in repr(Request("GET", "/", "HTTP/1.1", headers, b""))


async def test_steps_are_carried_out_in_order(pair: Pair) -> None:
    how = await perform([Send(b"one "), Pause(), Send(b"two"), Close.FIN], pair.writer)
    await close(how, pair.writer)
    assert await pair.client_reader.read() == b"one two"


async def test_a_kept_connection_stays_open(pair: Pair) -> None:
    await close(await perform([Send(b"one"), Close.KEEP], pair.writer), pair.writer)
    assert not pair.writer.is_closing()


async def test_a_reset_comes_after_all_that_was_sent(pair: Pair) -> None:
    pair.writer.transport.set_write_buffer_limits(high=0)
    data = b"x" * 300_000
    received = bytearray()

    async def receive() -> None:
        while chunk := await pair.client_reader.read(65536):
            received.extend(chunk)

    receiving = asyncio.create_task(receive())
    await close(await perform([Send(data), Close.RST], pair.writer), pair.writer)
    with pytest.raises(ConnectionResetError):
        await receiving
    assert received == data


async def test_a_connection_is_reset_without_a_word(pair: Pair) -> None:
    await reset(pair.writer)
    with pytest.raises(ConnectionResetError):
        await pair.client_reader.read()


async def test_a_flood_lasts_until_it_is_cancelled(pair: Pair) -> None:
    flooding = asyncio.create_task(perform([Flood(b"x" * 1000), Close.FIN], pair.writer))
    assert await pair.client_reader.readexactly(1_000_000) == b"x" * 1_000_000
    flooding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flooding


async def test_a_flood_ends_when_the_peer_is_gone(pair: Pair) -> None:
    pair.writer.transport.set_write_buffer_limits(high=0)
    pair.client_writer.transport.abort()
    with pytest.raises(ConnectionError):
        await perform([Flood(b"x" * 1000), Close.FIN], pair.writer)


async def test_silence_lasts_until_it_is_cancelled(pair: Pair) -> None:
    silent = asyncio.create_task(close(Close.HANG, pair.writer))
    await asyncio.wait([silent], timeout=0)
    assert not silent.done()
    silent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await silent
