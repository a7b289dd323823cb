"""Live sessions over sockets: what passes, how they end, and that nothing of them is left."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gemproxy.routes.parts import IN_FLIGHT
from tests.live_upstream import (
    HANDSHAKE,
    LIVE,
    LiveUpstream,
    Script,
    Socket,
    echo,
    live_upstream,
    silent,
)
from tests.running import PATIENCE, AccessLog, Proxy, StartProxy, running

Client = aiohttp.ClientWebSocketResponse
Sections = Mapping[str, Any]

MESSAGES = st.lists(
    st.one_of(st.text(max_size=300), st.binary(max_size=300), st.just(b"x" * 70_000)), max_size=8
)
BINARY, TEXT = WSMsgType.BINARY, WSMsgType.TEXT
MIB = 1 << 20


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Client]:
    """Yield a client that answers neither a close nor a ping unless it is told to."""
    options = {"autoclose": False, "autoping": False, "max_msg_size": 0} | options
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url + LIVE, **options) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def between(
    start: StartProxy, script: Script, /, **sections: Sections
) -> AsyncIterator[tuple[Client, LiveUpstream, Proxy]]:
    """Yield a client whose session runs through a proxy to ``script``."""
    async with live_upstream(script) as upstream:
        proxy = await start(upstream.url, **sections)
        async with connected(proxy.url) as client:
            yield client, upstream, proxy


async def send(client: Client | Socket, message: str | bytes) -> None:
    if isinstance(message, str):
        await client.send_str(message)
    else:
        await client.send_bytes(message)


async def received(client: Client) -> aiohttp.WSMessage:
    async with asyncio.timeout(PATIENCE):
        return await client.receive()


async def close_of(client: Client) -> tuple[int, str]:
    """Read the close frame that comes next, and answer it."""
    message = await received(client)
    assert message.type is WSMsgType.CLOSE
    await client.close(code=message.data or 1000)
    return message.data, message.extra or ""


def closing(code: int, reason: str = "") -> Script:
    async def script(socket: Socket, _request: web.Request) -> None:
        await socket.close(code=code, message=reason.encode())

    return script


async def dropping(socket: Socket, request: web.Request) -> None:
    await socket.receive()
    assert request.transport is not None
    request.transport.abort()


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(up=MESSAGES, down=MESSAGES)
async def test_any_messages_pass_exactly_and_in_order_both_ways(
    up: list[str | bytes], down: list[str | bytes]
) -> None:
    got: list[str | bytes] = []

    async def script(socket: Socket, _request: web.Request) -> None:
        async def listen() -> None:
            got.extend([(await socket.receive()).data for _ in up])

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            for message in down:
                await send(socket, message)
        await socket.close()

    async with (
        live_upstream(script) as upstream,
        running(upstream.url) as proxy,
        connected(proxy.url) as client,
    ):
        for message in up:
            await send(client, message)
        assert [(await received(client)).data for _ in down] == down
        assert await close_of(client) == (1000, "")
    assert got == up


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 5 * MIB])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
async def test_a_message_of_any_size_is_exact(
    proxy: StartProxy, size: int, kind: WSMsgType
) -> None:
    data = os.urandom(size) if kind is BINARY else b"\xc3\xa4" * (size // 2) + b"a" * (size % 2)
    async with between(proxy, echo) as (client, _, _):
        await client.send_frame(data, kind)
        message = await received(client)

    assert message.type is kind
    assert (message.data.encode() if kind is TEXT else message.data) == data


async def test_a_message_beyond_the_cap_ends_the_session_with_1009(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with between(proxy, silent, repair={"max_frame_bytes": 1000}) as (client, upstream, _):
        await client.send_bytes(bytes(1001))

        assert (await close_of(client))[0] == 1009
        assert await upstream.closed() == (1001, "The client is gone.")
    line = await access_log.line()
    assert (line["ended"], line["ended_by"], line["close_code"]) == ("garbled", "client", 1009)


async def test_an_upstream_that_passes_the_cap_is_an_internal_error(proxy: StartProxy) -> None:
    async def script(socket: Socket, _request: web.Request) -> None:
        await socket.send_bytes(bytes(1001))

    async with between(proxy, script, repair={"max_frame_bytes": 1000}) as (client, upstream, _):
        assert await close_of(client) == (1011, "The upstream sent what cannot be passed on.")
        assert (await upstream.closed())[0] == 1009


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1008, 1011, 1013, 3000, 4999])
async def test_a_close_of_the_client_reaches_the_upstream(proxy: StartProxy, code: int) -> None:
    async with between(proxy, silent) as (client, upstream, _):
        await client.close(code=code, message="größer".encode())

        assert client.close_code == code
        assert await upstream.closed() == (code, "größer")


@pytest.mark.parametrize("code", [1000, 1001, 1007, 1008, 1011, 1012, 3999, 4000])
async def test_a_close_of_the_upstream_reaches_the_client(
    proxy: StartProxy, access_log: AccessLog, code: int
) -> None:
    async with between(proxy, closing(code, "quota")) as (client, upstream, _):
        assert await close_of(client) == (code, "quota")
        assert (await upstream.closed())[0] == code
    line = await access_log.line()
    assert (line["ended"], line["ended_by"], line["close_code"]) == ("closed", "upstream", code)
    assert "quota" not in str(line)


async def test_a_close_without_a_code_is_passed_on_as_a_normal_one(proxy: StartProxy) -> None:
    async with between(proxy, silent) as (client, upstream, _):
        await client.send_frame(b"", WSMsgType.CLOSE)

        assert await close_of(client) == (1000, "")
        assert await upstream.closed() == (1000, "")


@pytest.mark.parametrize("code", [1006, 5000])
async def test_a_code_that_may_not_be_written_is_not(proxy: StartProxy, code: int) -> None:
    async with between(proxy, closing(code)) as (client, _, _):
        assert (await close_of(client))[0] == 1011


async def test_messages_before_a_close_are_not_lost(proxy: StartProxy) -> None:
    async def script(socket: Socket, _request: web.Request) -> None:
        for number in range(50):
            await socket.send_str(str(number))
        await socket.close(code=1000)

    async with between(proxy, script) as (client, _, _):
        assert [(await received(client)).data for _ in range(50)] == [*map(str, range(50))]
        assert (await close_of(client))[0] == 1000


async def test_an_upstream_that_is_reset_is_an_internal_error(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with between(proxy, dropping) as (client, _, _):
        await client.send_str("go")

        assert await close_of(client) == (1011, "The connection to the upstream was lost.")
    line = await access_log.line()
    assert (line["ended"], line["ended_by"], line["close_code"]) == ("lost", "upstream", 1006)


@pytest.mark.parametrize("resets", [True, False])
async def test_a_client_that_vanishes_closes_the_upstream(
    proxy: StartProxy, access_log: AccessLog, *, resets: bool
) -> None:
    async with live_upstream(silent) as upstream:
        started = await proxy(upstream.url)
        async with started.connect() as connection:
            await connection.send(LIVE, b"", HANDSHAKE, "GET")
            await connection.head()
            connection.reset() if resets else connection.close()

        assert await upstream.closed() == (1001, "The client is gone.")
    line = await access_log.line()
    assert (line["ended"], line["ended_by"], line["close_code"]) == ("lost", "client", 1006)


async def test_a_client_that_leaves_during_the_handshake_ends_it(proxy: StartProxy) -> None:
    reached = asyncio.Event()
    left: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handshake = await reader.readuntil(b"\r\n\r\n")
        reached.set()
        with contextlib.suppress(ConnectionError):
            handshake += await reader.read()
        left.set_result(handshake)
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        started = await proxy(f"http://127.0.0.1:{port}")
        async with started.connect() as connection:
            await connection.send(LIVE, b"", HANDSHAKE, "GET")
            await reached.wait()
        async with asyncio.timeout(PATIENCE):
            handshake = await left

    assert b"\r\nupgrade: websocket\r\n" in handshake.lower()
    assert handshake.endswith(b"\r\n\r\n")


async def test_pings_are_answered_at_this_hop(proxy: StartProxy) -> None:
    async with between(proxy, echo) as (client, _, _):
        await client.ping(b"are you there")
        message = await received(client)

    assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")


async def test_an_upstream_s_pings_are_answered_without_the_client(proxy: StartProxy) -> None:
    answered = asyncio.Event()

    async def script(socket: Socket, _request: web.Request) -> None:
        await socket.ping(b"x")
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.PONG, b"x")
        answered.set()

    async with live_upstream(script, autoping=False) as upstream:
        started = await proxy(upstream.url)
        async with connected(started.url), asyncio.timeout(PATIENCE):
            assert await answered.wait()


async def test_a_silent_client_is_pinged_and_lives_on_by_its_pongs(proxy: StartProxy) -> None:
    quick = {"heartbeat_seconds": 0.01, "send_timeout_seconds": 5.0}
    async with between(proxy, echo, client=quick) as (client, _, _):
        for _ in range(5):
            message = await received(client)
            assert message.type is WSMsgType.PING
            await client.pong(message.data)
        await client.send_str("still here")
        while (message := await received(client)).type is not TEXT:
            pass

    assert message.data == "still here"


async def test_a_client_that_answers_no_ping_is_gone(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    quick = {"heartbeat_seconds": 0.01, "send_timeout_seconds": 0.05}
    async with live_upstream(silent) as upstream:
        started = await proxy(upstream.url, client=quick)
        async with started.connect() as connection:
            await connection.send(LIVE, b"", HANDSHAKE, "GET")
            await connection.head()
            line = await access_log.line()

        assert (line["ended"], line["ended_by"]) == ("silent", "client")
        assert await upstream.closed() == (1001, "The client is gone.")


async def test_an_upstream_that_answers_no_ping_is_lost(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    over = asyncio.Event()

    async def script(_socket: Socket, _request: web.Request) -> None:
        await over.wait()

    quick = {"heartbeat_seconds": 0.01, "send_timeout_seconds": 0.2}
    async with between(proxy, script, client=quick) as (client, _, _):
        while (message := await received(client)).type is WSMsgType.PING:
            await client.pong(message.data)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
        over.set()
    line = await access_log.line()
    assert (line["ended"], line["ended_by"]) == ("silent", "upstream")


async def test_a_client_that_does_not_read_holds_the_upstream_back_and_is_cut(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async def flood(socket: Socket, _request: web.Request) -> None:
        while True:
            await socket.send_bytes(bytes(64 << 10))

    patience = {"send_timeout_seconds": 0.2}
    async with live_upstream(flood) as upstream:
        started = await proxy(upstream.url, client=patience)
        async with started.connect(receive_buffer=4096) as connection:
            await connection.send(LIVE, b"", HANDSHAKE, "GET")
            await connection.head()
            line = await access_log.line()

    assert (line["ended"], line["ended_by"]) == ("unread", "client")
    assert line["bytes_down"] < 64 * MIB


async def test_an_upstream_that_does_not_read_is_lost(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    over = asyncio.Event()

    async def deaf(_socket: Socket, _request: web.Request) -> None:
        await over.wait()

    async with between(proxy, deaf, client={"send_timeout_seconds": 0.2}) as (client, _, _):

        async def flood() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await client.send_bytes(bytes(64 << 10))

        flooding = asyncio.create_task(flood())
        assert (await received(client)).data == 1011
        over.set()
        flooding.cancel()
        await asyncio.wait({flooding})
    line = await access_log.line()
    assert (line["ended"], line["ended_by"]) == ("unread", "upstream")


async def test_a_slow_client_gets_everything(proxy: StartProxy) -> None:
    async def script(socket: Socket, _request: web.Request) -> None:
        for number in range(200):
            await socket.send_bytes(number.to_bytes(2) * (32 << 10))
        await socket.close()

    async with live_upstream(script) as upstream:
        started = await proxy(upstream.url)
        async with connected(started.url) as client:
            for number in range(200):
                message = await received(client)
                assert message.data == number.to_bytes(2) * (32 << 10)
            assert (await close_of(client))[0] == 1000


async def test_a_line_tells_of_a_session_and_nothing_of_what_was_said(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with live_upstream(echo) as upstream:
        started = await proxy(upstream.url)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{started.url}{LIVE}?key=AQ.canary") as client,
        ):
            await client.send_str("canary")
            await client.send_bytes(b"canary")
            await client.receive()
            await client.receive()
            await client.close(code=4321, message=b"canary")
    line = await access_log.line()

    told = {
        "route": "live",
        "path": LIVE,
        "status": 101,
        "frames_up": 2,
        "bytes_up": 12,
        "frames_down": 2,
        "bytes_down": 12,
        "ended": "closed",
        "ended_by": "client",
        "close_code": 4321,
    }
    assert {name: line[name] for name in told} == told
    assert line["duration_ms"] > 0
    assert "canary" not in str(line)


async def test_a_shutdown_says_1001_to_both(access_log: AccessLog) -> None:
    async with live_upstream(silent) as upstream, running(upstream.url) as started:
        async with connected(started.url) as client:
            draining = asyncio.create_task(started.app[IN_FLIGHT].drain(0))

            assert await close_of(client) == (1001, "The proxy is shutting down.")
            assert await upstream.closed() == (1001, "The proxy is shutting down.")
            await draining
        assert len(started.app[IN_FLIGHT]) == 0
        started.app[IN_FLIGHT].expired = False
    line = await access_log.line()
    assert (line["ended"], line["ended_by"], line["status"]) == ("shutdown", "proxy", 101)


async def test_a_running_session_may_go_on_until_the_drain_is_over(proxy: StartProxy) -> None:
    async with between(proxy, echo) as (client, _, started):
        draining = asyncio.create_task(started.app[IN_FLIGHT].drain(PATIENCE))
        await asyncio.sleep(0)
        await client.send_str("still")
        assert (await received(client)).data == "still"
        await client.close()
        await draining

    assert not started.app[IN_FLIGHT].expired


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts by /proc")
async def test_no_task_and_no_descriptor_outlives_its_session() -> None:
    scripts: tuple[Script, ...] = (closing(1000), closing(1008), dropping, silent, echo)
    for _ in range(2):  # the first round opens what stays: the loop's own, a resolver's
        before = None
        for script in scripts:
            async with live_upstream(script) as upstream, running(upstream.url) as started:
                tasks = len(asyncio.all_tasks())
                async with connected(started.url) as client:
                    if script is dropping:
                        await client.send_str("go")
                    if script in (silent, echo):
                        await client.close()
                    else:
                        await close_of(client)
                await started.app[IN_FLIGHT].drain(PATIENCE)
                assert len(asyncio.all_tasks()) <= tasks + 1  # aiohttp's own for the connection
            if before is None:
                before = descriptors()
            assert descriptors() <= before
