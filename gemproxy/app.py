"""The composition root: settings in, a wired application out, and nothing else."""

import os
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web
from yarl import URL

from gemproxy.core.machine import Patience
from gemproxy.core.policy import Policy
from gemproxy.core.verdict import FinishTable, Verdict
from gemproxy.inflight import InFlight
from gemproxy.keys import BASE_URL, FIRST_BYTE_TIMEOUT, IN_FLIGHT, SEND_TIMEOUT, UPSTREAM
from gemproxy.middlewares import MIDDLEWARES, stamp
from gemproxy.relay.bodies import Bodies
from gemproxy.relay.pacing import Budget
from gemproxy.relay.upstream import Upstream, open_upstream, resolve_proxy
from gemproxy.relay.watch import Timing
from gemproxy.routes import ROUTES
from gemproxy.routes.stream import STREAMING, Streaming
from gemproxy.settings import Settings


def create_app(settings: Settings) -> web.Application:
    """Return the application that serves ``settings``; it connects nowhere before startup."""
    app = web.Application(client_max_size=settings.server.max_body_bytes, middlewares=MIDDLEWARES)
    app[IN_FLIGHT] = InFlight(settings.server.max_connections)
    app[BASE_URL] = URL(settings.upstream.url_base)
    app[FIRST_BYTE_TIMEOUT] = settings.upstream.first_byte_timeout_seconds
    app[SEND_TIMEOUT] = settings.client.send_timeout_seconds
    app.cleanup_ctx.append(partial(_connect, settings))
    app.on_response_prepare.append(stamp)
    app.add_routes(ROUTES)
    return app


async def _connect(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep the upstream session open between startup and cleanup."""
    proxy = resolve_proxy(settings.upstream.proxy, app[BASE_URL], os.environ)
    async with open_upstream(
        connect_timeout=settings.upstream.connect_timeout_seconds, proxy=proxy
    ) as upstream:
        app[UPSTREAM] = upstream
        app[STREAMING] = _streaming(settings, upstream, app[BASE_URL])
        yield


def _streaming(settings: Settings, upstream: Upstream, base: URL) -> Streaming:
    repair = settings.repair
    return Streaming(
        upstream=upstream,
        base=base,
        bodies=Bodies(
            each=repair.keep_body_bytes,
            total=repair.keep_total_bytes,
            limit=settings.server.max_body_bytes,
        ),
        timing=_timing(settings),
        policy=_policy(settings),
        budget=Budget(
            max_consecutive_retries=repair.max_consecutive_retries,
            retry_delay_ms=repair.retry_delay_ms,
            max_delay_ms=repair.max_delay_ms,
            max_resumes=repair.max_resumes,
            max_seconds=repair.max_seconds,
            retry_after_limit=repair.retry_after_limit_seconds,
        ),
        send_timeout=settings.client.send_timeout_seconds,
        max_frame=repair.max_frame_bytes,
    )


def _timing(settings: Settings) -> Timing:
    upstream = settings.upstream
    return Timing(
        patience={
            Patience.FIRST_BYTE: upstream.first_byte_timeout_seconds,
            Patience.THINKING: upstream.thinking_timeout_seconds,
            Patience.CHUNK: upstream.chunk_timeout_seconds,
            Patience.FINISH: upstream.finish_grace_seconds,
            Patience.TOOL_FINISH: upstream.tool_finish_grace_seconds,
        },
        heartbeat=settings.client.heartbeat_seconds,
        headers_after=settings.client.headers_after_seconds,
    )


def _policy(settings: Settings) -> Policy:
    repair = settings.repair
    return Policy(
        repair=repair.enabled,
        finish=FinishTable(
            {reason: Verdict(ending) for reason, ending in settings.finish_reasons.items()}
        ),
        swallow_thoughts=repair.swallow_thoughts_after_retry,
        hold_calls=repair.hold_function_calls,
        empty_stop_retries=repair.empty_stop_retries,
        retry_after_limit=repair.retry_after_limit_seconds,
        max_extra_tokens=repair.max_extra_tokens or None,
    )
