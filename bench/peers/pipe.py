"""The bound for aiohttp: a proxy on uvloop that hands on bytes without a look at them.

    python bench/peers/pipe.py --port N --upstream URL

It uses aiohttp's server and client as gemproxy does. No repair, no log, no limits.
"""

import argparse
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web
from yarl import URL

UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", aiohttp.ClientSession)
HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


async def pipe(request: web.Request) -> web.StreamResponse:
    """Send the request up and the bytes of the answer down, one write for each read."""
    url = URL(request.app[UPSTREAM] + request.rel_url.raw_path_qs, encoded=True)
    headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
    if request.content_length is not None:
        headers["Content-Length"] = str(request.content_length)
    async with request.app[SESSION].request(
        request.method, url, headers=headers, data=request.content
    ) as upstream:
        response = web.StreamResponse(status=upstream.status)
        response.headers["Content-Type"] = upstream.headers.get("Content-Type", "text/plain")
        response.content_length = upstream.content_length
        await response.prepare(request)
        async for data in upstream.content.iter_any():
            await response.write(data)
        await response.write_eof()
    return response


async def connect(app: web.Application) -> AsyncIterator[None]:
    """Keep a session that adds nothing of its own to a request."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:
        app[SESSION] = session
        yield


def main() -> None:
    """Serve on the loopback until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    options = parser.parse_args()
    app = web.Application()
    app[UPSTREAM] = options.upstream
    app.cleanup_ctx.append(connect)
    app.router.add_route("*", "/{path:.*}", pipe)
    web.run_app(
        app,
        host="127.0.0.1",
        port=options.port,
        access_log=None,
        handler_cancellation=True,
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
