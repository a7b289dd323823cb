"""The handshake with an upstream: what goes up, and what comes of each answer."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import WSMsgType, web
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import UpstreamFailure, UpstreamRejection
from gemproxy.core.repair.events import How
from gemproxy.relay.handshake import Sockets, UpstreamSocket, open_sockets
from gemproxy.relay.upstream import AttemptFailed
from tests.live_upstream import LIVE, LiveUpstream, echo, live_upstream, silent
from tests.sockets import Script, answering, cutting, scripted


@contextlib.asynccontextmanager
async def dialling(max_message: int = 1 << 20) -> AsyncIterator[Sockets]:
    async with open_sockets(connect_timeout=10, proxy=None, max_message=max_message) as sockets:
        yield sockets


async def dial(
    sockets: Sockets,
    url: str,
    *protocols: str,
    headers: Mapping[str, str] | None = None,
    patience: float = 10,
) -> UpstreamSocket:
    dialled = await sockets.connect(URL(url), CIMultiDict(headers or {}), list(protocols), patience)
    assert not dialled.transport.is_closing()
    return dialled.socket


async def refused(upstream: LiveUpstream) -> UpstreamFailure:
    async with dialling() as sockets:
        with pytest.raises(UpstreamFailure) as caught:
            await dial(sockets, upstream.url + LIVE)
    return caught.value


async def failed(script: Script, patience: float = 10) -> How:
    async with scripted(script) as url, dialling() as sockets:
        with pytest.raises(AttemptFailed) as caught:
            await dial(sockets, str(url), patience=patience)
    return caught.value.how


async def test_messages_are_exact_and_text_stays_bytes() -> None:
    async with live_upstream(echo) as upstream, dialling() as sockets:
        socket = await dial(sockets, upstream.url + LIVE)
        await socket.send_frame("grüß".encode(), WSMsgType.TEXT)
        text = await socket.receive()
        await socket.send_frame(b"\x00\xff", WSMsgType.BINARY)
        binary = await socket.receive()
        await socket.close()

    assert (text.type, text.data) == (WSMsgType.TEXT, "grüß".encode())
    assert (binary.type, binary.data) == (WSMsgType.BINARY, b"\x00\xff")


async def test_the_headers_of_the_client_s_own_handshake_stay_behind() -> None:
    async with live_upstream(silent) as upstream, dialling() as sockets:
        headers = {
            "Sec-WebSocket-Key": "client",
            "Sec-WebSocket-Version": "8",
            "Sec-WebSocket-Extensions": "permessage-deflate",
            "Sec-WebSocket-Protocol": "clients",
            "X-Goog-Api-Client": "x",
        }
        socket = await dial(sockets, upstream.url + LIVE, headers=headers)
        await socket.close()

    (seen,) = upstream.seen
    assert seen.headers["Sec-WebSocket-Key"] != "client"
    assert seen.headers["Sec-WebSocket-Version"] == "13"
    assert "Sec-WebSocket-Extensions" not in seen.headers
    assert "Sec-WebSocket-Protocol" not in seen.headers
    assert seen.headers["X-Goog-Api-Client"] == "x"
    assert "User-Agent" not in seen.headers


async def test_the_upstream_chooses_a_subprotocol() -> None:
    async with live_upstream(silent, protocols=["b"]) as upstream, dialling() as sockets:
        socket = await dial(sockets, upstream.url + LIVE, "a", "b")
        await socket.close()

    assert socket.protocol == "b"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_refusal_keeps_its_status_and_its_body(status: int) -> None:
    error = {"error": {"code": status, "message": "scripted"}}
    refusal = lambda: web.json_response(error, status=status)  # noqa: E731 (one use)
    async with live_upstream(silent, refusal=refusal) as upstream:
        failure = await refused(upstream)

    assert isinstance(failure, UpstreamRejection)
    assert (failure.rejected_with, json.loads(failure.body)) == (status, error)


async def test_a_redirect_is_not_followed_with_the_credential() -> None:
    async with live_upstream(silent) as elsewhere:
        location = {"Location": elsewhere.url + LIVE}
        refusal = lambda: web.Response(status=307, headers=location)  # noqa: E731 (one use)
        async with live_upstream(silent, refusal=refusal) as upstream:
            failure = await refused(upstream)

    assert not isinstance(failure, UpstreamRejection)
    assert elsewhere.seen == []


async def test_an_answer_that_is_no_handshake_is_a_failure() -> None:
    async with live_upstream(silent, refusal=web.Response) as upstream:
        failure = await refused(upstream)

    assert (failure.status, "WebSocket" in failure.message) == (502, True)


async def test_a_wrong_accept_key_is_a_failure() -> None:
    wrong = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    assert await failed(answering(wrong)) is How.GARBLED


async def test_no_connection_no_answer_and_no_answer_in_time_are_told_apart() -> None:
    async with scripted(cutting()) as url:
        pass
    async with dialling() as sockets:
        with pytest.raises(AttemptFailed) as caught:
            await dial(sockets, str(url))

    assert caught.value.how is How.UNREACHABLE
    assert await failed(cutting()) is How.RESET
    assert await failed(cutting(reset=True)) is How.RESET
    assert await failed(answering(), patience=0.01) is How.NO_FIRST_BYTE


async def test_a_failure_holds_no_key() -> None:
    async with scripted(cutting()) as url, dialling() as sockets:
        with pytest.raises(AttemptFailed) as caught:
            await dial(sockets, str(url), headers={"x-goog-api-key": "canary"})

    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_a_client_that_leaves_ends_the_attempt() -> None:
    async with scripted(answering()) as url, dialling() as sockets:
        asking = asyncio.ensure_future(dial(sockets, str(url)))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_message_beyond_the_cap_ends_the_socket() -> None:
    async with live_upstream(echo) as upstream, dialling(max_message=10) as sockets:
        socket = await dial(sockets, upstream.url + LIVE)
        await socket.send_frame(b"12345678901", WSMsgType.BINARY)
        message = await socket.receive()

    assert (message.type, socket.close_code) == (WSMsgType.ERROR, 1009)
