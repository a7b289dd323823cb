"""Live pages: readers of one URL share a reading, and a stream ends when it should."""

import asyncio
from typing import Any

from gemproxy.pages.live import Live
from tests.operating import SECRET, Browser, news, signed_in
from tests.replies import replying
from tests.running import StartProxy


async def test_a_session_that_ends_ends_its_stream(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        async with browser.served.connect() as connection:
            cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            headers = {"Accept": "text/event-stream", "Cookie": cookie}
            await connection.send("/admin/", b"", headers, method="GET")
            await connection.head()
            await browser.post("/admin/sign-out", {})
            ended = await connection.until(b"\r\n0\r\n\r\n")

    assert ended.startswith(b"data: ", 4)


async def test_readers_share_a_reading_and_what_is_the_same_is_not_sent_twice() -> None:
    taken: list[int] = []

    async def read() -> dict[str, Any]:
        taken.append(1)
        await asyncio.sleep(0)
        return {"texts": {}}

    now = [0.0]
    live = Live(lambda: False, clock=lambda: now[0])
    with live._joined("url") as one, live._joined("url") as other:
        texts = await asyncio.gather(*(live._reading(it, read, 2.0) for it in (one, other)))
        assert live.open == 2
        now[0] = 2.0
        await live._reading(one, read, 2.0)

    assert texts == ['{"texts": {}}'] * 2
    assert len(taken) == 2
    assert live.open == 0


async def test_a_stream_needs_a_session(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = Browser(await proxy(upstream.url, admin={"secret": SECRET}))
        answer = await browser.get("/admin/", {"Accept": "text/event-stream"})

    assert answer.status == 401


async def test_a_shutdown_does_not_wait_for_open_pages(proxy: StartProxy) -> None:
    """The fixture's end drains the proxy, and fails if a request had to be cancelled."""
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        assert await news(browser, "/admin/")
