"""The composition root: every setting reaches the part that it is for."""

import attrs
import pytest
from aiohttp import web
from yarl import URL

from gemproxy.config import sections
from gemproxy.config.settings import Settings
from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.verdict import Verdict
from gemproxy.relay.pacing import Budget
from gemproxy.relay.watch import Timing
from gemproxy.routes.parts import CLIENTS, DISPATCHER, IN_FLIGHT, PRESENT, Clients, Repairing
from gemproxy.web.app import create_app
from tests.sockets import answering, connected, exchange, running, scripted


async def start(values: Settings) -> None:
    """Start an application, and end it."""
    async with running(create_app(values)):
        pass


def repair_of(values: Settings) -> Repairing:
    """Return what the repairs of an application share."""
    return create_app(values)[PRESENT].live.repair


async def test_the_defaults_make_an_application() -> None:
    app = create_app(Settings())

    assert app[CLIENTS].send_timeout == 120
    assert app[IN_FLIGHT].limit == 1000
    async with running(app):
        assert app[DISPATCHER].base == URL("https://generativelanguage.googleapis.com")
        assert app[DISPATCHER].patience == 3600


async def test_the_upstream_is_open_while_the_application_runs() -> None:
    app = create_app(Settings())
    assert DISPATCHER not in app

    async with running(app):
        assert DISPATCHER in app


async def test_repair_settings_reach_the_pacing_and_the_policy() -> None:
    repair = sections.Repair(
        enabled=False,
        max_consecutive_retries=1,
        retry_delay_ms=2,
        max_delay_ms=3,
        max_resumes=4,
        max_seconds=5,
        max_extra_tokens=6,
        swallow_thoughts_after_retry=False,
        hold_function_calls=False,
        empty_stop_retries=7,
        retry_after_limit_seconds=8,
        retries_per_minute=13,
        keep_body_bytes=9,
        keep_total_bytes=10,
        max_frame_bytes=11,
        max_stream_bytes=12,
    )

    shared = repair_of(Settings(repair=repair))

    assert shared.budget == Budget(1, 2, 3, 4, 5)
    assert (shared.bodies.each, shared.bodies.total, shared.max_frame) == (9, 10, 11)
    assert shared.max_stream == 12
    assert shared.retries.floor == 13
    policy = shared.policy
    assert (policy.repair, policy.swallow_thoughts, policy.hold_calls) == (False, False, False)
    assert (policy.max_extra_tokens, policy.empty_stop_retries) == (6, 7)
    assert policy.retry_after_limit == 8


async def test_the_settings_for_unary_calls_reach_their_routes() -> None:
    repair = sections.Repair(keep_answer_bytes=1, unary_via_stream=True)

    shared = repair_of(Settings(repair=repair))

    assert (shared.keep_answer, shared.via_stream) == (1, True)


async def test_no_cap_on_extra_tokens_is_none() -> None:
    assert repair_of(Settings()).policy.max_extra_tokens is None


async def test_the_settings_for_endings_reach_the_table() -> None:
    shared = repair_of(Settings(finish_reasons={"OTHER": "accept", "LANGUAGE": "reroll"}))

    assert shared.policy.finish.of("OTHER") is Verdict.ACCEPT
    assert shared.policy.finish.of("LANGUAGE") is Verdict.REROLL


async def test_timing_settings_reach_the_watch() -> None:
    upstream = sections.Upstream(
        first_byte_timeout_seconds=1,
        thinking_timeout_seconds=2,
        chunk_timeout_seconds=3,
        finish_grace_seconds=4,
        tool_finish_grace_seconds=5,
    )
    client = sections.Client(heartbeat_seconds=6, headers_after_seconds=7, send_timeout_seconds=8)

    app = create_app(Settings(upstream=upstream, client=client))

    patience = {
        Patience.FIRST_BYTE: 1,
        Patience.THINKING: 2,
        Patience.THINKING_ON: 2,
        Patience.CHUNK: 3,
        Patience.FINISH: 4,
        Patience.TOOL_FINISH: 5,
        Patience.EMPTY_FINISH: 2,
    }
    assert app[PRESENT].live.repair.timing == Timing(patience, 6, 7)
    assert app[CLIENTS].send_timeout == 8


async def test_the_settings_for_clients_reach_their_routes() -> None:
    values = Settings(
        upstream=sections.Upstream(first_byte_timeout_seconds=1),
        client=sections.Client(heartbeat_seconds=2, send_timeout_seconds=3),
        server=sections.Server(
            public_url="https://us.example", request_body_timeout=4, request_body_rate=5
        ),
    )
    app = create_app(values)

    assert app[CLIENTS] == Clients("https://us.example", 3, 2, 4, 5)
    async with running(app):
        assert app[DISPATCHER].patience == 1


async def test_the_environments_proxy_is_used_when_the_setting_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example")
    upstream = sections.Upstream(proxy="env")

    with pytest.raises(ValueError, match="proxy"):
        await start(Settings(upstream=upstream))

    await start(Settings(upstream=attrs.evolve(upstream, proxy="")))


async def test_a_larger_body_than_the_settings_allow_is_refused() -> None:
    app = create_app(Settings(server=sections.Server(max_body_bytes=1)))

    assert isinstance(app, web.Application)
    assert app._client_max_size == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1beta/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /v1beta/models/m:streamGenerateContent HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n",
        b"GET /ws/x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
        b"nothing like HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_no_answer_tells_which_releases_serve(raw: bytes) -> None:
    values = Settings(
        upstream=sections.Upstream(url_base="http://127.0.0.1:9"),
        repair=sections.Repair(max_consecutive_retries=0),
    )
    async with running(create_app(values)) as port, connected(port, raw) as client:
        top = (await client.head()).lower()

    assert b"\r\nserver: gemproxy\r\n" in top
    assert b"aiohttp" not in top
    assert b"python" not in top


async def test_the_upstreams_own_server_passes() -> None:
    sent = b"HTTP/1.1 200 OK\r\nServer: scaffolding\r\nContent-Length: 0\r\n\r\n"
    asked = b"GET /v1beta/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    async with scripted(answering(sent)) as url:
        app = create_app(Settings(upstream=sections.Upstream(url_base=str(url))))
        async with running(app) as port:
            top, _ = await exchange(port, asked)

    assert b"\r\nServer: scaffolding\r\n" in top
    assert top.lower().count(b"\r\nserver:") == 1
