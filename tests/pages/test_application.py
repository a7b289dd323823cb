"""The pages over sockets: who gets in, what a form needs, and what a browser is told."""

import pytest

from gemproxy.pages.application import Pages
from tests.operating import HTML, SECRET, Browser, news, signed_in, target_of, words_of
from tests.replies import json_reply, replying
from tests.running import StartProxy

ANN = "gp-7Kq2mXv9TzRw4Lp8"
POLICY = "default-src 'none'"


async def test_without_a_secret_in_the_settings_the_pages_are_off(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url)
        for path in ("/admin/", "/admin/sign-in", "/admin/anything"):
            answer = await served.ask(path, b"", HTML, method="GET")
            assert answer.status == 403
            assert "admin.secret" in words_of(answer)
            assert answer.headers["X-Request-Id"] in words_of(answer)

    assert upstream.seen == []


async def test_who_has_not_signed_in_is_sent_there_and_comes_back(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = Browser(await proxy(upstream.url, admin={"secret": SECRET}))
        first = await browser.get("/admin/?days=7")
        there = target_of("/admin/", first)
        after = await browser.sign_in(path=there)

    assert there == "/admin/sign-in?next=%2Fadmin%2F%3Fdays%3D7"
    assert target_of("/admin/sign-in", after) == "/admin/?days=7"


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example", "/v1beta/models", ""]
)
async def test_nobody_is_sent_elsewhere(proxy: StartProxy, wanted: str) -> None:
    async with replying() as upstream:
        browser = Browser(await proxy(upstream.url, admin={"secret": SECRET}))
        answer = await browser.sign_in(path=f"/admin/sign-in?next={wanted}")

    assert target_of("/admin/sign-in", answer) == "/admin/"


async def test_a_wrong_secret_is_told_and_attempts_are_limited(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = Browser(
            await proxy(
                upstream.url,
                admin={"secret": SECRET},
                pool={"keys": "k"},
                access={"keys": {"ann": ANN}},
            )
        )
        assert (await browser.sign_in(ANN)).status == 403
        answers = [await browser.sign_in("wrong") for _ in range(11)]
        right = await browser.sign_in()

    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert right.status == 429
    assert browser.cookies == {}
    assert 'role="alert"' in answers[0].body.decode()
    assert "This is not the operator’s secret." in words_of(answers[0])
    assert "Bearer" not in words_of(answers[0])


async def test_a_session_opens_the_pages_and_nothing_else(proxy: StartProxy) -> None:
    async with replying(json_reply({"models": []})) as upstream:
        browser = await signed_in(proxy, upstream.url)
        page = await browser.get("/admin/")
        api = await browser.get("/admin/api/v1/streams")
        proxied = await browser.get("/v1beta/models", {"x-goog-api-key": "k"})
        lost = await browser.get("/admin/lost")
        (seen,) = upstream.seen

    assert page.status == 200
    assert page.headers["Content-Security-Policy"].startswith(POLICY)
    assert page.headers["Cache-Control"] == "no-store"
    assert (api.status, proxied.status, lost.status) == (401, 200, 404)
    assert "Cookie" not in seen.headers


async def test_the_cookie_is_for_this_host_alone(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url, admin={"secret": SECRET})
        plain, secure = Browser(served), Browser(served, {"X-Forwarded-Proto": "https"})
        answers = [await plain.sign_in(), await secure.sign_in()]

    (first, second) = (answer.headers["Set-Cookie"] for answer in answers)
    for flag in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert flag in first
        assert flag in second
    assert first.startswith("gemproxy_session=")
    assert "Secure" not in first
    assert second.startswith("__Host-gemproxy_session=")
    assert "Secure" in second
    assert (await secure.get("/admin/")).status == 200


async def test_a_signed_out_session_is_over(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        kept = dict(browser.cookies)
        out = await browser.post("/admin/sign-out", {})
        assert browser.cookies == {}
        browser.cookies = kept
        again = await browser.get("/admin/")

    assert target_of("/admin/sign-out", out) == "/admin/sign-in"
    assert again.status == 303


@pytest.mark.parametrize("token", ["", "0" * 64])
async def test_a_form_needs_the_token_of_its_session(proxy: StartProxy, token: str) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        other = Browser(browser.served)
        await other.sign_in()
        answers = [
            await browser.post("/admin/sign-out", {}, token),
            await browser.post("/admin/sign-out", {}, other.form_token),
        ]
        assert (await browser.get("/admin/")).status == 200

    assert [answer.status for answer in answers] == [403, 403]


async def test_pages_of_other_sites_send_no_forms(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            browser.headers = headers
            assert (await browser.post("/admin/sign-out", {})).status == 403
        browser.headers = {"Host": "evil.example"}
        assert (await browser.get("/admin/")).status == 421


async def test_who_is_no_browser_gets_an_error_as_json(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url, admin={"secret": SECRET})
        none = await served.ask("/admin/", b"", {}, method="GET")
        key = await served.ask("/admin/", b"", {"x-admin-secret": SECRET}, method="GET")
        lost = await served.ask("/admin/lost", b"", {"x-admin-secret": SECRET}, method="GET")

    assert (none.status, key.status, lost.status) == (401, 401, 404)
    assert none.headers["Content-Type"].startswith("application/json")


async def test_files_are_kept_by_browsers_and_no_other_file_is_served(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = Browser(await proxy(upstream.url, admin={"secret": SECRET}))
        style = await browser.get("/admin/static/pages.css")
        lost = await browser.get("/admin/static/..%2fpage.py")

    assert style.status == 200
    assert "immutable" in style.headers["Cache-Control"]
    assert lost.status != 200


async def test_a_reader_has_their_language_theme_and_zone(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        chosen = {"language": "zh", "theme": "dark", "zone": "Asia/Shanghai", "page": "/admin/"}
        answer = await browser.post("/admin/preferences", chosen)
        page = await browser.get("/admin/")
        await browser.post("/admin/preferences", {"zone": "Nowhere/At-all", "theme": "pink"})
        same = await browser.get("/admin/")

    assert target_of("/admin/preferences", answer) == "/admin/"
    assert "所有时间均为 Asia/Shanghai 时区" in words_of(page)
    assert 'data-theme="dark"' in page.body.decode()
    assert words_of(same) == words_of(page)


async def test_an_open_page_is_told_what_runs(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        first = await news(browser, "/admin/")

    assert first["texts"]["streams"] == "0"


async def test_a_path_of_the_proxy_stays_its_own_for_a_browser(proxy: StartProxy) -> None:
    async with replying(json_reply({"models": []})) as upstream:
        served = await proxy(upstream.url, admin={"secret": SECRET})
        headers = {"x-goog-api-key": "k", **HTML}
        answer = await served.ask("/v1beta/files/admin", b"", headers, method="GET")

    assert answer.status == 200
    assert len(upstream.seen) == 1


async def test_a_fault_of_ours_is_a_page_with_the_request_id(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: object, request: object, session: object) -> None:
        raise RuntimeError("with a secret in it")

    monkeypatch.setattr(Pages, "_show", fails)
    async with replying() as upstream:
        browser = Browser(await proxy(upstream.url, admin={"secret": SECRET}))
        await browser.sign_in()
        answer = await browser.get("/admin/")

    assert answer.status == 500
    assert answer.headers["X-Request-Id"] in words_of(answer)
    assert "with a secret in it" not in answer.body.decode()


async def test_an_origin_at_another_port_of_this_machine_is_another_one(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        browser.headers = {"Origin": "http://127.0.0.1:9"}
        elsewhere = await browser.post("/admin/sign-out", {})
        browser.headers = {"Origin": browser.served.url}
        here = await browser.post("/admin/sign-out", {})

    assert (elsewhere.status, here.status) == (403, 303)
