"""Sends ``gemproxy doctor`` a stream that breaks on purpose: it finds what a client gets of it.

It has the head, the pace and the loud end of a stream that cannot be repaired, and nothing of
anybody's. Through the address of the clients it shows whether the reverse proxy in front holds
events back, and whether it completes a body that is broken. The first event says in which version
of HTTP the request came, because a body in HTTP/1.0 has no end mark.

Only who has a proof of the admin secret gets it (``access.selftest``).
"""

import asyncio
import json
import time

from aiohttp import web

from gemproxy.access.selftest import HEADER, is_proof
from gemproxy.core.errors import Forbidden
from gemproxy.relay.downstream import EventStream
from gemproxy.relay.headers import keep_unbuffered
from gemproxy.relay.parting import cut
from gemproxy.routes.parts import ADMIN_SECRET, CLIENTS

EVENTS = 4
PAUSE_SECONDS = 0.3
"""Seconds between two events."""

LAST_WORDS = b'data: {"error":"the end of the self-test"}\r\n\r\n'


async def stream(request: web.Request) -> web.StreamResponse:
    """Answer with a few events and a loud end. Raises Forbidden without a proof."""
    secret = request.app[ADMIN_SECRET]
    if not secret:
        raise Forbidden("The self-test needs admin.secret, which is not set.")
    if not is_proof(request.headers.get(HEADER, ""), secret, time.time()):
        raise Forbidden("The self-test is for gemproxy doctor, with the same admin.secret.")
    response = EventStream(request.app[CLIENTS].send_timeout)
    response.headers["Cache-Control"] = "no-cache"
    keep_unbuffered(response.headers)
    await response.prepare(request)
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    for number in range(EVENTS):
        if number:
            await asyncio.sleep(PAUSE_SECONDS)
        event = {"selftest": number, "version": version}
        await response.write(b"data: " + json.dumps(event).encode() + b"\r\n\r\n")
    cut(request, LAST_WORDS)
    return response
