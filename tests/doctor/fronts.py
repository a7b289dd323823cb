"""Reverse proxies of our own, which do to streams what real ones do by their defaults."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web


@contextlib.asynccontextmanager
async def front(
    target: str, *, holds: bool = False, completes: bool = False, version: str = "1.1"
) -> AsyncIterator[str]:
    """Run a reverse proxy in front of ``target``; yield its URL.

    ``holds``: it passes a body on when it is over. ``completes``: it ends a broken body as a whole
    one. ``version`` is that of HTTP which it speaks to the target.
    """
    minor = aiohttp.HttpVersion10 if version == "1.0" else aiohttp.HttpVersion11
    session = aiohttp.ClientSession(version=minor, auto_decompress=False)

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        async with session.get(f"{target}{request.path_qs}", headers=headers) as answer:
            response = web.StreamResponse(status=answer.status)
            response.headers["Content-Type"] = answer.headers["Content-Type"]
            kept = b""
            broken = False
            await response.prepare(request)
            try:
                while piece := await answer.content.readany():
                    kept += piece
                    if not holds:
                        await response.write(piece)
            except aiohttp.ClientError:
                broken = True
            if holds:
                await response.write(kept)
            if broken and not completes:
                assert request.transport is not None
                request.transport.close()
            return response

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site.port}"
    finally:
        await runner.cleanup()
        await session.close()
