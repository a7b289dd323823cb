"""Streams, requests and the story of one: drawn while an upstream breaks, and equal to the API."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any
from urllib.parse import quote, urljoin

import attrs
import pytest

from gemproxy.pages.streams import SHOWN
from tests.faults.upstreams import SSE_HEAD, request
from tests.gemini import chunk as answer_of
from tests.gemini import sse
from tests.metered.house import ledger_of, rows_of
from tests.operating import SECRET, Browser, news, signed_in, target_of, words_of
from tests.running import StartProxy
from tests.sockets import END, Reader, Writer, chunk, scripted
from tests.wire import KEY, STREAM, Connection, Ending, body_of

BEGUN = "The keeper of the lighthouse counted the ships on the water."
REST = " Then he wrote all of their names down in his book."
EVIL = "<img src=x onerror=alert(1)>"
STREAMS, REQUESTS, STORY = "/admin/streams", "/admin/requests", "/admin/requests/mine"
API = "/admin/api/v1"


@attrs.define
class Broken:
    """An upstream that breaks off, refuses, and goes on when it may."""

    asked: int = 0
    waits: asyncio.Event = attrs.field(factory=asyncio.Event)
    may: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        while True:
            await request(reader)
            self.asked += 1
            if self.asked == 1:
                writer.write(SSE_HEAD + chunk(sse(answer_of(BEGUN, usage=(10, 5)))))
                await writer.drain()
                writer.transport.abort()
                return
            if self.asked == 2:
                writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                continue
            self.waits.set()
            await self.may.wait()
            last = answer_of(REST, finish="STOP", usage=(16, 4), response_id="second")
            writer.write(SSE_HEAD + chunk(sse(last)) + END)


@asynccontextmanager
async def asking(
    browser: Browser, name: str = "mine", target: str = STREAM
) -> AsyncIterator[Connection]:
    """Yield a client that waits for its answer."""
    async with browser.served.connect() as client:
        await client.send(target, body_of("Tell."), {**KEY, "X-Request-Id": name})
        yield client


async def asked(browser: Browser, path: str) -> Any:
    """Return what the API answers."""
    answer = await browser.served.ask(f"{API}{path}", b"", {"x-admin-secret": SECRET}, method="GET")
    assert answer.status == 200
    return json.loads(answer.body)


async def begun(proxy: StartProxy, url: str, **sections: Any) -> Browser:
    return await signed_in(proxy, url, ledger={"enabled": True}, **sections)


def fields(rows: list[dict[str, Any]], name: str) -> list[str]:
    return [row["texts"][name] for row in rows]


async def test_a_stream_is_cut_and_repaired_while_the_pages_say_so(proxy: StartProxy) -> None:
    upstream = Broken()
    async with scripted(upstream) as url:
        browser = await begun(proxy, str(url))
        async with asking(browser) as client:
            await upstream.waits.wait()
            streams = await news(browser, STREAMS)
            drawn = words_of(await browser.get(STREAMS))
            story = await news(browser, STORY)
            told = words_of(await browser.get(STORY))
            upstream.may.set()
            answer = await client.answer()
        (row,) = await rows_of(browser.served)
        over = await news(browser, STORY)
        after = words_of(await browser.get(STORY))
        (kept,) = (await asked(browser, "/requests/mine"))["requests"]
        listed = words_of(await browser.get(REQUESTS))

    assert answer.text == BEGUN + REST
    (shown,) = streams["lists"]["streams"]
    assert shown["texts"]["condition"] == "Repairing"
    assert shown["texts"]["doing"].startswith("attempt 3 is made")
    assert (shown["texts"]["attempts"], shown["texts"]["characters"]) == ("3", str(len(BEGUN)))
    assert streams["texts"]["count repairing"] == streams["texts"]["count all"] == "1"
    assert all(text in drawn for text in ("Repairing", "attempt 3 is made", "gemini-test"))

    ends = fields(story["lists"]["attempts"], "end")
    assert ends[0] == (
        f"The connection broke, cut at character {len(BEGUN)}: "
        "the stream ended before the answer did"
    )
    assert ends[1:] == ["Refused with status 503", "It runs"]
    assert all(text in told for text in ends)
    assert (story["running"], over["running"]) == (True, False)

    attempts = kept["attempts"]
    assert [one["cause"] for one in attempts] == ["drop", "status", None]
    assert [one["form"] for one in attempts][2] == "echo"
    assert f"to begin with the last {attempts[2]['anchor']} characters" in after
    assert [one["characters"] for one in attempts] == [len(BEGUN), 0, len(REST)]
    assert sum(one["characters"] for one in attempts) == kept["request"]["characters"]
    assert "at its first new character, after" in after
    assert (row.attempts, row.repairs) == (3, 1)
    assert "Repaired" in listed


async def test_the_story_and_the_api_have_the_same_totals(proxy: StartProxy) -> None:
    upstream = Broken()
    upstream.may.set()
    async with scripted(upstream) as url:
        browser = await begun(proxy, str(url))
        async with asking(browser) as client:
            await client.answer()
        await rows_of(browser.served)
        page = (await browser.get(STORY)).body.decode()
        (kept,) = (await asked(browser, "/requests/mine"))["requests"]

    one, attempts = kept["request"], kept["attempts"]
    own, extra = sums_of(page)
    names = ("input_tokens", "output_tokens", "thought_tokens")
    assert own[:3] == [f"{one[name]:,}" for name in names]
    assert extra[:2] == [f"{one['extra_input_tokens']:,}", f"{one['extra_output_tokens']:,}"]
    assert (
        sum(each["prompt_tokens"] for each in attempts)
        == one["input_tokens"] + one["extra_input_tokens"]
        == 26
    )


def sums_of(page: str) -> list[list[str]]:
    """Return the cells of the table that says who pays, without its heads."""
    table = page[page.index("Who pays") :]
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


async def test_a_stream_is_ended_from_its_page(proxy: StartProxy) -> None:
    upstream = Broken()
    async with scripted(upstream) as url:
        browser = await begun(proxy, str(url))
        async with asking(browser) as client:
            await upstream.waits.wait()
            page = (await browser.get(STREAMS)).body.decode()
            (place,) = set(re.findall(r'action="(./streams/mine/cancel[^"]*)"', page))
            assert "data-sure=" in page
            gone = await browser.post(
                urljoin(STREAMS, unescape(place)), {"back": f"{STREAMS}?model=x"}
            )
            answer = await client.answer()
        notice = words_of(await browser.get(target_of("/admin/streams/mine/cancel", gone)))
        again = await browser.post("/admin/streams/mine/cancel", {})

    assert target_of("/admin/streams/mine/cancel", gone) == f"{STREAMS}?model=x"
    assert "The request mine was ended." in notice
    assert answer.ending is not Ending.COMPLETE
    assert again.status == 404


@pytest.mark.parametrize(
    "text",
    [
        "mine",
        '{"level": "INFO", "logger": "gemproxy.access", "request_id": "mine", "status": 200}',
        "2026-11-29 10:00:00.000 INFO     gemproxy.access [mine] request status=200",
    ],
)
async def test_a_request_is_found_by_what_somebody_pastes(proxy: StartProxy, text: str) -> None:
    upstream = Broken(asked=2)
    upstream.may.set()
    async with scripted(upstream) as url:
        browser = await begun(proxy, str(url))
        async with asking(browser) as client:
            await client.answer()
        await rows_of(browser.served)
        await browser.get(REQUESTS)
        found = await browser.post(f"{REQUESTS}/find", {"text": text})
        nothing = await browser.post(f"{REQUESTS}/find", {"text": "no id here"})
        other = await browser.post(f"{REQUESTS}/find", {"text": f"request_id={EVIL}theirs"})
        story = words_of(await browser.get(STORY))

    assert target_of(f"{REQUESTS}/find", found) == STORY
    assert "There is no request id in this text." in words_of(nothing)
    assert other.status == 200
    assert "The body ended in order" in story


async def test_a_list_has_pages_and_filters(proxy: StartProxy) -> None:
    upstream = Broken(asked=2)
    upstream.may.set()
    async with scripted(upstream) as url:
        browser = await begun(proxy, str(url))
        for number in range(3):
            async with asking(browser, f"r{number}") as client:
                await client.answer()
        await rows_of(browser.served)
        monkey = pytest.MonkeyPatch()
        monkey.setattr("gemproxy.pages.requests.SHOWN", 2)
        with monkey.context():
            first = await browser.get(REQUESTS)
            older = await browser.get(_place(first, "next"))
            newer = await browser.get(_place(older, "prev"))
        monkey.undo()
        none = await browser.get(f"{REQUESTS}?model=other")
        cause = await browser.get(f"{REQUESTS}?cause=drop&interrupted=true&ending=done")
        wrong = await browser.get(f"{REQUESTS}?from=yesterday")

    assert [_ids(one) for one in (first, older, newer)] == [["r2", "r1"], ["r0"], ["r2", "r1"]]
    assert _ids(none) == _ids(cause) == _ids(wrong) == []
    assert "No request is like this." in words_of(none)
    assert 'role="alert"' in wrong.body.decode()


def _place(answer: Any, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', answer.body.decode())
    assert found is not None
    return urljoin(REQUESTS, unescape(found[1]))


def _ids(answer: Any) -> list[str]:
    return re.findall(r"<code>(r\d)</code>", answer.body.decode())


@pytest.mark.parametrize("path", [STREAMS, REQUESTS, STORY])
async def test_what_clients_write_stays_text(proxy: StartProxy, path: str) -> None:
    upstream = Broken()
    target = f"/v1beta/models/{quote(EVIL, safe='')}:streamGenerateContent?alt=sse"
    async with scripted(upstream) as url:
        browser = await begun(proxy, str(url))
        async with asking(browser, target=target):
            await upstream.waits.wait()
            assert await ledger_of(browser.served).flush()
            page = (await browser.get(path)).body.decode()
            named = (await browser.get(f"{path}?model={quote(EVIL)}&user={quote(EVIL)}")).body

    assert EVIL not in page
    assert EVIL not in named.decode()
    assert EVIL in unescape(page)


async def test_many_streams_are_capped_and_counted(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemproxy.pages.streams.SHOWN", 1)
    upstream = Broken(asked=2)
    async with scripted(upstream) as url:
        browser = await begun(proxy, str(url))
        async with asking(browser, "first"), asking(browser, "second"):
            while upstream.asked < 4:
                await upstream.waits.wait()
                await asyncio.sleep(0)
            found = await news(browser, STREAMS)
            page = words_of(await browser.get(STREAMS))
            slow = await news(browser, f"{STREAMS}?condition=slow")

    assert SHOWN == 200
    assert fields(found["lists"]["streams"], "id") == ["first"]
    assert found["texts"]["more"].startswith("1 more run")
    assert found["texts"]["more"] in page
    assert slow["lists"]["streams"] == []
    assert slow["texts"]["count all"] == "2"


async def test_without_a_ledger_what_runs_is_told_and_nothing_else(proxy: StartProxy) -> None:
    upstream = Broken()
    async with scripted(upstream) as url:
        browser = await signed_in(proxy, str(url))
        async with asking(browser):
            await upstream.waits.wait()
            running = await browser.get(STORY)
            listed = words_of(await browser.get(REQUESTS))
        gone = await browser.get("/admin/requests/none")

    assert running.status == 200
    assert "keeps no ledger" in listed
    assert gone.status == 404
