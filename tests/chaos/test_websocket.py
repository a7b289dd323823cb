"""The frames of the server's half of WebSocket."""

import asyncio

import pytest

from gemproxy.chaos.websocket import Farewell, Op, accept, asks_for_websocket, frame, receive
from gemproxy.chaos.wire import Request
from tests.chaos.conftest import Pair


def masked(data: bytes, op: int = 1, *, final: bool = True) -> bytes:
    """Return a short frame as a client sends it."""
    mask = b"\x01\x02\x03\x04"
    payload = bytes(value ^ mask[index % 4] for index, value in enumerate(data))
    return bytes([(0x80 if final else 0) | op, 0x80 | len(data)]) + mask + payload


def test_the_key_of_the_handshake_is_answered_as_in_the_rfc() -> None:
    headers = (("upgrade", "WebSocket"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))
    request = Request("GET", "/ws", "HTTP/1.1", headers, b"")

    assert asks_for_websocket(request)
    assert not asks_for_websocket(Request("GET", "/ws", "HTTP/1.1", (), b""))
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in accept(request)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (5, b"\x82\x05"),
        (126, b"\x82\x7e\x00\x7e"),
        (70_000, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x70"),
    ],
)
def test_a_frame_has_the_shortest_length(size: int, head: bytes) -> None:
    assert frame(Op.BINARY, b"x" * size) == head + b"x" * size


def test_a_farewell_has_code_and_reason() -> None:
    assert Farewell(1008, "no").payload == b"\x03\xf0no"


async def test_a_message_may_come_in_pieces_with_a_ping_between(pair: Pair) -> None:
    pieces = masked(b"Hel", final=False) + masked(b"?", Op.PING) + masked(b"lo", Op.MORE)
    pair.client_writer.write(pieces + masked(b"\x03\xe8", Op.CLOSE))

    assert await receive(pair.reader, pair.writer) == b"Hello"
    assert await pair.client_reader.readexactly(3) == frame(Op.PONG, b"?")
    assert await receive(pair.reader, pair.writer) is None


async def test_a_client_that_leaves_is_noticed(pair: Pair) -> None:
    pair.client_writer.write(b"\x81")
    pair.client_writer.close()

    with pytest.raises(asyncio.IncompleteReadError):
        await receive(pair.reader, pair.writer)
