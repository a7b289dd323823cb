"""Every route that is not repaired: bytes in, bytes out, streamed both ways.

Method, path, body, status and headers pass as they come, redirects included. What changes is
what a hop has to change: the hop-by-hop headers, and the place of the credential.
"""

from aiohttp import web

from gemproxy.core.errors import GemproxyError, NoFirstByte, Unreachable, UpstreamFailure
from gemproxy.core.events import How
from gemproxy.keys import ACCOUNT, BASE_URL, FIRST_BYTE_TIMEOUT, SEND_TIMEOUT, UPSTREAM
from gemproxy.relay.dialects import STANDARD
from gemproxy.relay.downstream import ClientSink, cut
from gemproxy.relay.headers import (
    choose_credential,
    downstream_headers,
    target,
    upstream_headers,
)
from gemproxy.relay.upstream import Attempt, AttemptFailed


async def handle(request: web.Request) -> web.StreamResponse:
    """Send the request up and the answer down."""
    goal = target(request.app[BASE_URL], request.rel_url.raw_path_qs)
    sent = choose_credential(request.headers, goal.credential)
    if sent is not None:
        sent = sent.for_path(goal.url.raw_path)
    headers = upstream_headers(request.headers, sent, identity=False)
    if request.body_exists and "Content-Length" in request.headers:
        headers["Content-Length"] = request.headers["Content-Length"]
    send_timeout = request.app[SEND_TIMEOUT]
    sink = ClientSink(request, STANDARD, send_timeout, web.StreamResponse())
    try:
        async with request.app[UPSTREAM].forward(
            request.method,
            goal.url,
            headers,
            request.content if request.body_exists else None,
            request.app[FIRST_BYTE_TIMEOUT],
        ) as attempt:
            await _answer(attempt, sink)
    except AttemptFailed as failure:
        request[ACCOUNT]["upstream"] = failure.how.value
        if not sink.committed:
            raise _error(failure) from failure
        cut(request, send_timeout)
    return sink.response


async def _answer(attempt: Attempt, sink: ClientSink) -> None:
    await sink.open(attempt.status, downstream_headers(attempt.headers, rewritten=False))
    while data := await attempt.read():
        await sink.emit(data)
    await sink.finish()


def _error(failure: AttemptFailed) -> GemproxyError:
    """Return what the client is told when there is no answer to pass on."""
    if failure.how is How.UNREACHABLE:
        return Unreachable("The upstream cannot be reached.")
    if failure.how is How.NO_FIRST_BYTE:
        return NoFirstByte("The upstream did not answer in time.")
    return UpstreamFailure("The upstream closed the connection without an answer.")
