"""WebSockets of access keys: the setup decides which project they go to, and what ends them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import WSMsgType, web

from gemproxy.access.door import Mode
from gemproxy.core.repair.blame import Fault
from gemproxy.routes.parts import IN_FLIGHT
from tests.live_upstream import HANDSHAKE, LIVE, LiveUpstream, Socket, live_upstream
from tests.pooling import FakePool, pooled_app
from tests.running import PATIENCE, AccessLog
from tests.sockets import running
from tests.wire import connect

QUOTA = "You exceeded your current quota, please check your plan and billing details."


def setup(**fields: object) -> str:
    return json.dumps({"setup": {"model": "models/m-live", **fields}})


def naming(name: str) -> str:
    """Return a later message of a client that names a file."""
    part = {"fileData": {"fileUri": name}}
    return json.dumps({"clientContent": {"turns": [{"role": "user", "parts": [part]}]}})


@attrs.define(eq=False)
class Google:
    """Sessions that echo; a project can refuse the handshake, or close after the setup.

    A text that asks for a handle gets one, in a binary frame.
    """

    refusals: dict[str, int] = attrs.field(factory=dict)
    closes: dict[str, tuple[int, str]] = attrs.field(factory=dict)
    keys: list[str] = attrs.field(factory=list)
    messages: list[str] = attrs.field(factory=list)

    def refuse(self, request: web.Request) -> web.Response | None:
        project = request.headers.get("x-goog-api-key", "").removeprefix("key-")
        status = self.refusals.get(project)
        error = {"code": status, "message": QUOTA, "status": "RESOURCE_EXHAUSTED"}
        return None if status is None else web.json_response({"error": error}, status=status)

    async def talk(self, socket: Socket, request: web.Request) -> None:
        key = request.headers.get("x-goog-api-key") or request.headers["Authorization"]
        self.keys.append(key)
        async for message in socket:
            text = message.data if message.type is WSMsgType.TEXT else message.data.decode()
            self.messages.append(text)
            close = self.closes.get(key.removeprefix("key-"))
            if close is not None:
                await socket.close(code=close[0], message=close[1].encode())
            elif "handle?" in text:
                handle = {"newHandle": f"handle-of-{key}", "resumable": True}
                await socket.send_bytes(json.dumps({"sessionResumptionUpdate": handle}).encode())
            else:
                await socket.send_frame(text.encode(), message.type)


@attrs.define(eq=False)
class World:
    """The proxy between two access keys and a Live server with three projects."""

    google: Google
    upstream: LiveUpstream
    pool: FakePool
    app: web.Application
    url: str

    @contextlib.asynccontextmanager
    async def opened(
        self,
        who: str = "ann",
        first: str | None = None,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Yield a client's socket, on which its first message was sent."""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self.url}{LIVE}?key={who}", **options) as socket,
        ):
            if first is not None:
                await socket.send_str(first)
            yield socket

    async def ended(self, socket: aiohttp.ClientWebSocketResponse) -> tuple[int, str]:
        """Return the code and the reason with which a socket is closed next."""
        async with asyncio.timeout(PATIENCE):
            message = await socket.receive()
        assert message.type is WSMsgType.CLOSE, message
        return message.data, message.extra or ""

    async def refused(self, who: str, first: str) -> tuple[int, str]:
        """Return how a session ends that begins so."""
        async with self.opened(who, first) as socket:
            return await self.ended(socket)


@contextlib.asynccontextmanager
async def made(mode: Mode = Mode.BOTH, **sections: Mapping[str, Any]) -> AsyncIterator[World]:
    """Yield a world; ``sections`` override the proxy's settings."""
    google, pool = Google(), FakePool()
    async with contextlib.AsyncExitStack() as stack:
        live = live_upstream(google.talk)
        upstream = await stack.enter_async_context(live)
        upstream.refuse = lambda: google.refuse(upstream.seen[-1])
        app = pooled_app(upstream.url, pool, mode, **sections)
        port = await stack.enter_async_context(running(app))
        yield World(google, upstream, pool, app, f"http://127.0.0.1:{port}")
        await app[IN_FLIGHT].drain(PATIENCE)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with made() as a_world:
        yield a_world


async def echoed(socket: aiohttp.ClientWebSocketResponse) -> str:
    return await socket.receive_str(timeout=PATIENCE)


async def test_the_setup_goes_up_as_it_came_with_a_key_of_the_pool(world: World) -> None:
    first = '{ "setup": {"model":\n"models/m-live"} }'
    async with world.opened(first=first) as socket:
        assert await echoed(socket) == first
        await socket.send_str('{"realtimeInput": {}}')
        assert await echoed(socket) == '{"realtimeInput": {}}'

    assert world.google.messages == [first, '{"realtimeInput": {}}']
    assert world.google.keys == ["key-P"]
    assert world.pool.bodies == [first.encode()]
    assert world.pool.callers == [None]
    assert "ann" not in str(world.upstream.seen[0].headers)
    assert world.upstream.seen[0].query_string == ""


async def test_a_binary_setup_stays_binary(world: World) -> None:
    async with world.opened() as socket:
        await socket.send_bytes(setup().encode())
        assert await socket.receive_bytes(timeout=PATIENCE) == setup().encode()


@pytest.mark.parametrize(
    "binds",
    [
        {"cachedContent": "cachedContents/q"},
        {"cached_content": "cachedContents/q"},
        {"systemInstruction": {"parts": [{"fileData": {"fileUri": "files/q"}}]}},
        {"tools": [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/q"]}}]},
    ],
)
async def test_a_name_in_the_setup_decides_the_project(
    world: World, binds: dict[str, object]
) -> None:
    names = ("cachedContents/q", "files/q", "fileSearchStores/q")
    await world.pool.put("ann", "Q", *names)

    async with world.opened(first=setup(**binds)) as socket:
        await echoed(socket)

    assert world.google.keys == ["key-Q"]
    code, reason = await world.refused("bob", setup(**binds))
    assert code == 1008
    assert any(name in reason for name in names)
    assert world.google.keys == ["key-Q"]


async def test_a_handle_goes_back_to_the_project_that_gave_it(world: World) -> None:
    world.pool.sick = {"P"}
    async with world.opened(first=setup()) as socket:
        await echoed(socket)
        await socket.send_str('{"clientContent": "handle?"}')
        update = json.loads(await socket.receive_bytes(timeout=PATIENCE))
    handle = update["sessionResumptionUpdate"]["newHandle"]
    world.pool.sick.clear()

    resumed = setup(sessionResumption={"handle": handle})
    async with world.opened(first=resumed) as socket:
        await echoed(socket)

    assert world.google.keys == ["key-Q", "key-Q"]
    assert handle not in str(world.pool.binding.registry.store)
    assert (await world.refused("bob", resumed))[0] == 1008


async def test_a_later_message_must_stay_with_the_session_s_project(world: World) -> None:
    await world.pool.put("ann", "P", "files/p")
    await world.pool.put("ann", "Q", "files/q")
    await world.pool.put("bob", "P", "files/b")

    for name, code in (("files/q", 1008), ("files/b", 1008)):
        async with world.opened(first=setup()) as socket:
            await echoed(socket)
            await socket.send_str(naming("files/p"))
            assert await echoed(socket) == naming("files/p")
            await socket.send_str(naming(name))
            assert (await world.ended(socket))[0] == code
    assert not any(name in said for said in world.google.messages for name in ("files/q", "/b"))


async def test_a_refused_handshake_goes_to_another_key(world: World) -> None:
    world.google.refusals["P"] = 429

    async with world.opened(first=setup()) as socket:
        await echoed(socket)

    assert [seen.headers["x-goog-api-key"] for seen in world.upstream.seen] == ["key-P", "key-Q"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1011, QUOTA), (1007, "API key not valid. Please pass a valid API key.")],
)
async def test_a_close_that_refuses_the_key_goes_to_another_one(
    world: World, code: int, reason: str
) -> None:
    world.google.closes["P"] = (code, reason)

    async with world.opened(first=setup()) as socket:
        await echoed(socket)

    assert world.google.keys == ["key-P", "key-Q"]
    assert world.google.messages == [setup(), setup()]
    assert [entry.fault for entry in world.pool.over] == [Fault.KEY, None]


async def test_a_close_in_the_middle_teaches_but_ends_the_session(world: World) -> None:
    async with world.opened(first=setup()) as socket:
        await echoed(socket)
        world.google.closes["P"] = (1011, QUOTA)
        await socket.send_str("{}")
        assert await world.ended(socket) == (1011, QUOTA)

    await world.app[IN_FLIGHT].drain(PATIENCE)
    assert [entry.fault for entry in world.pool.over] == [Fault.KEY]
    assert world.google.keys == ["key-P"]


async def test_a_close_for_another_reason_passes_and_teaches_nothing(world: World) -> None:
    world.google.closes["P"] = (1008, "models/m-live is not found")

    assert await world.refused("ann", setup()) == (1008, "models/m-live is not found")
    await world.app[IN_FLIGHT].drain(PATIENCE)
    assert [entry.fault for entry in world.pool.over] == [None]


async def test_a_bound_session_never_changes_its_key(world: World) -> None:
    await world.pool.put("ann", "Q", "files/q")
    world.google.closes["Q"] = (1011, QUOTA)
    part = {"fileData": {"fileUri": "files/q"}}

    ended = await world.refused("ann", setup(systemInstruction={"parts": [part]}))

    assert ended == (1011, QUOTA)
    assert world.google.keys == ["key-Q"]


async def test_a_pool_that_rests_says_for_how_long(world: World, access_log: AccessLog) -> None:
    world.pool.resting = {"P"}

    assert await world.refused("ann", setup()) == (1013, "All keys rest. Retry in 7 s.")
    line = await access_log.line()
    assert (line["ended"], line["ended_by"], line["close_code"]) == ("refused", "proxy", 1013)
    assert (line["frames_up"], line["frames_down"]) == (1, 0)


async def test_all_keys_sick_is_said_once(world: World) -> None:
    world.google.closes = dict.fromkeys("PQR", (1011, QUOTA))

    assert await world.refused("ann", setup()) == (1013, "All keys are sick.")
    assert world.google.keys == ["key-P", "key-Q", "key-R"]


async def test_an_upstream_that_refuses_is_told_without_its_words(world: World) -> None:
    world.google.refusals["P"] = 404

    code, reason = await world.refused("ann", setup())

    assert code == 1008
    assert "404" in reason
    assert "quota" not in reason


@pytest.mark.parametrize("first", ["not json", "{'setup': {}}"])
async def test_a_setup_that_cannot_be_read_goes_nowhere(world: World, first: str) -> None:
    assert (await world.refused("ann", first))[0] == 1008
    assert world.google.keys == []


async def test_a_setup_has_a_bounded_size(world: World) -> None:
    code, reason = await world.refused("ann", setup(x="x" * (4 << 20)))

    assert (code, reason) == (1009, "The first message of the session is too large.")
    assert world.google.keys == []


async def test_a_setup_has_a_bounded_time() -> None:
    async with made(server={"request_body_timeout": 0.05}) as world, world.opened() as socket:
        code, reason = await world.ended(socket)

    assert code == 1008
    assert "in time" in reason


async def test_pings_are_answered_before_the_setup(world: World) -> None:
    async with world.opened(autoping=False) as socket:
        await socket.ping(b"x")
        message = await socket.receive(timeout=PATIENCE)
        assert (message.type, message.data) == (WSMsgType.PONG, b"x")
        await socket.send_str(setup())
        await echoed(socket)


async def test_a_client_that_closes_before_its_setup_costs_no_key(
    world: World, access_log: AccessLog
) -> None:
    async with world.opened() as socket:
        await socket.close(code=4000)
        assert socket.close_code == 4000

    line = await access_log.line()
    assert (line["ended"], line["ended_by"], line["close_code"]) == ("closed", "client", 4000)
    assert world.google.keys == []


async def test_a_client_that_is_lost_is_logged_with_what_it_had(
    world: World, access_log: AccessLog
) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{world.url}{LIVE}?key=ann")
        await socket.send_str(setup())
        await echoed(socket)

    line = await access_log.line()
    assert (line["ended"], line["ended_by"]) == ("lost", "client")
    assert (line["frames_up"], line["frames_down"]) == (1, 1)


@pytest.mark.parametrize("first", [None, setup()])
async def test_a_shutdown_is_told_before_the_setup_and_after_it(
    world: World, first: str | None
) -> None:
    async with world.opened(first=first) as socket:
        if first is not None:
            await echoed(socket)
        await world.app[IN_FLIGHT].drain(0)

        assert await world.ended(socket) == (1001, "The proxy is shutting down.")


async def test_the_log_has_the_model_of_the_setup(world: World, access_log: AccessLog) -> None:
    async with world.opened(first=setup()) as socket:
        await echoed(socket)

    line = await access_log.line()
    assert (line["model"], line["frames_up"], line["frames_down"]) == ("m-live", 1, 1)


async def test_a_browser_gets_a_subprotocol_and_the_upstream_none(world: World) -> None:
    async with world.opened(first=setup(), protocols=("a", "b")) as socket:
        assert socket.protocol == "a"
        await echoed(socket)

    assert "Sec-WebSocket-Protocol" not in world.upstream.seen[0].headers


TOKEN = "auth_tokens/t1"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (f"?access_token={TOKEN}", {}),
        ("?access_token=auth_tokens%2Ft1", {}),
        (f"?key={TOKEN}", {}),
        ("", {"Authorization": f"Token {TOKEN}"}),
        ("", {"Authorization": f"Token {TOKEN}", "x-goog-api-key": TOKEN}),
    ],
)
async def test_a_token_that_was_made_here_opens_a_session_of_its_maker_s_project(
    world: World, query: str, headers: dict[str, str]
) -> None:
    await world.pool.put("ann", "Q", TOKEN, "files/q")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{world.url}{LIVE}Constrained{query}", headers=headers) as socket,
    ):
        await socket.send_str(setup(handle="handle?"))
        await socket.receive_bytes(timeout=PATIENCE)
        await socket.send_str(naming("files/q"))
        await echoed(socket)

    assert world.google.keys == [f"Token {TOKEN}"]
    recorded = await world.pool.binding.registry.made_by("ann", "sessionHandles")
    assert [owner.project for owner in recorded] == ["Q"]


async def test_a_token_of_a_client_s_own_project_is_passed_on(world: World) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{world.url}{LIVE}?access_token={TOKEN}") as socket,
    ):
        await socket.send_str("unread")
        await echoed(socket)

    assert world.google.keys == [f"Token {TOKEN}"]
    assert world.pool.bodies == []


@pytest.mark.parametrize("path", [LIVE, "/v1beta/files", "/v1beta/models/m:generateContent"])
async def test_a_token_opens_sessions_alone_and_only_if_it_was_made_here(path: str) -> None:
    async with made(Mode.POOL) as world:
        if path != LIVE:
            await world.pool.put("ann", "Q", TOKEN)
        async with connect(world.url) as connection:
            headers = HANDSHAKE if path == LIVE else {}
            answer = await connection.ask(f"{path}?access_token={TOKEN}", b"", headers, "GET")

    assert (answer.status, answer.error["status"]) == (401, "UNAUTHENTICATED")
    assert world.google.keys == []
