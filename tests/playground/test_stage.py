"""The stage: the operator's requests reach a fake of their own, and no other request does."""

import asyncio

import pytest

from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.playground.stage import Stage
from gemproxy.playground.wish import HEADER
from gemproxy.routes.parts import DISPATCHER
from tests.operating import SECRET, Browser, signed_in
from tests.pooled.house import ANN, access
from tests.replies import json_reply, replying
from tests.running import PATIENCE, StartProxy
from tests.wire import KEY, STREAM, Answer, Ending

CUT_TWICE = "answer=story&cut=clean%40900&cut=rst%40event%3A7"


def headers_of(
    browser: Browser, wish: str, credential: dict[str, str] | None = None
) -> dict[str, str]:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return {**(credential or KEY), HEADER: wish, "Cookie": cookie}


async def played(browser: Browser, wish: str, credential: dict[str, str] | None = None) -> Answer:
    return await browser.served.ask(STREAM, headers=headers_of(browser, wish, credential))


def stage_of(browser: Browser) -> Stage:
    stage = browser.served.app[DISPATCHER].source
    assert isinstance(stage, Stage)
    return stage


async def until_no_fake(browser: Browser) -> None:
    stage = stage_of(browser)
    async with asyncio.timeout(PATIENCE):
        while stage.fakes:  # noqa: ASYNC110 (nobody announces it)
            await asyncio.sleep(0.005)


async def test_a_fake_is_cut_and_repaired_while_the_upstream_hears_nothing(
    proxy: StartProxy,
) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        answers = [await played(browser, CUT_TWICE) for _ in range(2)]
        await until_no_fake(browser)

    assert [answer.text for answer in answers] == [BUILT_IN["story"].text] * 2
    assert [answer.ending for answer in answers] == [Ending.COMPLETE] * 2
    assert upstream.seen == []


async def test_a_fake_serves_an_access_key_and_takes_no_key_of_the_pool(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(
            proxy,
            upstream.url,
            pool={"keys": "one-key-of-the-pool"},
            access={"keys": {"ann": ANN}},
            upstream={"proxy": "http://127.0.0.1:1"},
        )
        answer = await played(browser, CUT_TWICE, access())
        stranger = await played(browser, CUT_TWICE)

    assert answer.text == BUILT_IN["story"].text
    assert stranger.status == 401
    assert upstream.seen == []


async def test_a_request_without_a_session_is_refused_and_goes_nowhere(proxy: StartProxy) -> None:
    async with replying(json_reply({})) as upstream:
        browser = Browser(await proxy(upstream.url, admin={"secret": SECRET}))
        answers = [await played(browser, "")]
        await browser.sign_in()
        await browser.get("/admin/")
        kept = dict(browser.cookies)
        await browser.post("/admin/sign-out", {})
        browser.cookies = kept
        answers.append(await played(browser, ""))
        answers.append(await played(Browser(await proxy(upstream.url)), ""))

    assert [answer.status for answer in answers] == [403] * 3
    assert "signed in" in answers[0].error["message"]
    assert upstream.seen == []


async def test_a_wrong_wish_is_a_wrong_request(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        answer = await played(browser, "cut=bang")

    assert answer.status == 400
    assert "bang" in answer.error["message"]


async def test_a_fake_that_cannot_be_reached_at_first_is_the_same_one_later(
    proxy: StartProxy,
) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        answer = await played(browser, "cut=rst%40headers&cut=rst%40headers&cut=clean%40event%3A3")
        await until_no_fake(browser)

    assert answer.text == BUILT_IN["story"].text


async def test_a_client_who_leaves_ends_the_fake(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        async with browser.served.connect() as connection:
            await connection.send(STREAM, headers=headers_of(browser, "cut=stall%40event%3A2"))
            await connection.head()
            await connection.chunk()
            assert stage_of(browser).fakes == 1
        await until_no_fake(browser)


async def test_only_a_fake_that_is_idle_makes_room(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemproxy.playground.stage.MOST", 1)
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url, repair={"enabled": False})
        async with browser.served.connect() as connection:
            await connection.send(STREAM, headers=headers_of(browser, "cut=stall%40event%3A2"))
            await connection.head()
            refused = await played(browser, "")
        await until_no_fake(browser)
        unopened = await played(browser, "cut=rst%40headers")
        idle = stage_of(browser).fakes
        answer = await played(browser, "")

    assert "Too many" in refused.error["message"]
    assert "Too many" not in unopened.error["message"]
    assert idle == 1
    assert answer.text == BUILT_IN["story"].text
