"""A request body on its way: counted, streamed, and blamed on the right side."""

import asyncio

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from gemproxy.core.errors import TooLarge, TooSlow
from gemproxy.relay.incoming import Incoming


def request_with(
    *pieces: bytes, length: int | None = None, fault: Exception | None = None
) -> web.Request:
    """Return a request whose body is these pieces, and then ``fault``."""
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    for piece in pieces:
        content.feed_data(piece)
    if fault is None:
        content.feed_eof()
    else:
        content.set_exception(fault)
    headers = {} if length is None else {"Content-Length": str(length)}
    return make_mocked_request("POST", "/", headers=headers, payload=content)


async def test_a_body_passes_piece_by_piece() -> None:
    incoming = Incoming(request_with(b"one", b"two"), 6, 60)

    assert b"".join([piece async for piece in incoming]) == b"onetwo"
    assert incoming.fault is None


async def test_without_a_limit_any_length_passes() -> None:
    incoming = Incoming(request_with(b"x" * 100, length=2**40), None, 60)

    assert [piece async for piece in incoming] == [b"x" * 100]


async def test_a_length_beyond_the_limit_is_refused_before_the_first_byte() -> None:
    with pytest.raises(TooLarge):
        Incoming(request_with(length=11), 10, 60)


async def test_a_body_that_grows_beyond_the_limit_is_the_clients_fault() -> None:
    incoming = Incoming(request_with(b"x" * 11), 10, 60)

    with pytest.raises(TooLarge):
        await anext(incoming)
    assert isinstance(incoming.fault, TooLarge)


async def test_a_body_that_breaks_off_is_the_clients_fault() -> None:
    incoming = Incoming(request_with(fault=web.RequestPayloadError("broken")), None, 60)

    with pytest.raises(web.RequestPayloadError):
        await anext(incoming)
    assert isinstance(incoming.fault, web.RequestPayloadError)


async def test_a_body_that_comes_to_a_halt_is_the_clients_fault() -> None:
    request = make_mocked_request(
        "POST", "/", payload=StreamReader(BaseProtocol(asyncio.get_running_loop()), 2**16)
    )
    request.content._protocol.transport = request.transport  # a reader waits only while connected
    incoming = Incoming(request, None, 0)

    with pytest.raises(TooSlow):
        await anext(incoming)
    assert isinstance(incoming.fault, TooSlow)
