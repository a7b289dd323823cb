"""The pages of access keys over sockets: making, limits and their use, changing, ending."""

import re
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest

from gemproxy.pool.key import Key
from tests.gemini import BODY, chunk, sse
from tests.operating import Browser, signed_in, target_of, told, words_of
from tests.replies import replying, sse_reply
from tests.running import StartProxy
from tests.wire import STREAM, Answer

WHOLE = sse(chunk("All of it.", finish="STOP"))
KEY = re.compile(r"gp-[\w-]{20,}")


async def browsing(proxy: StartProxy, url: str, **sections: Any) -> Browser:
    pool = {"keys": (Key("AIzaSyPool", "P"),)}
    access = {"keys": {"lab": "Qe5Rt8Yu1Io4Pa7Sd0Fg3Hj6"}}
    return await signed_in(
        proxy, url, pool=pool, access=access, ledger={"enabled": True}, **sections
    )


def limit(row: int, kind: str, amount: str, model: str = "", **more: str) -> dict[str, str]:
    """Return the fields of a row of limits."""
    fields = {"kind": kind, "amount": amount, "model": model, **more}
    return {f"limit.{row}.{name}": value for name, value in fields.items()}


def key_of(answer: Answer) -> str:
    found = KEY.search(answer.body.decode())
    assert found is not None
    return found[0]


async def opens(browser: Browser, key: str) -> int:
    return (await browser.served.ask(STREAM, BODY, {"x-goog-api-key": key})).status


async def test_a_made_key_is_shown_once_and_opens(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        browser = await browsing(proxy, upstream.url)
        form = {"name": "ann b", "models": "gemini-*\n", **limit(1, "rpd", "2")}
        form |= limit(2, "usd_per_day", "1.50", "gemini-2.5-pro", shadow="on") | limit(3, "", "")
        made = await browser.post("/admin/users", form)
        key = key_of(made)
        again = await browser.post("/admin/users", form)
        status = await opens(browser, key)
        pages = [await browser.get(path) for path in ("/admin/users", "/admin/users/ann%20b")]
        known = await told(browser, "/users/ann%20b")

    assert made.headers["Cache-Control"] == "no-store"
    assert status == 200
    assert "names are never used again" in words_of(again)
    assert 'value="ann b"' in again.body.decode()
    assert not any(KEY.search(page.body.decode()) for page in (again, *pages))
    assert known["models"] == ["gemini-*"]
    assert [
        (one["kind"], one["amount"], one["used"], one["shadow"]) for one in known["limits"]
    ] == [
        ("rpd", 2, 1, False),
        ("usd_per_day", "1.50", "0.00", True),
    ]
    for page in pages:
        assert "1 of 2" in words_of(page)
        assert "$0.00 of $1.50" in words_of(page)
        assert re.search(r'<meter min="0" max="2.0"[^>]* value="1.0"', page.body.decode())


async def test_a_wrong_value_is_told_beside_its_field_and_all_is_kept(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        for field, wrong in (
            ("limits", limit(1, "rpm", "many")),
            ("expires", {"expires": "soon"}),
            ("models", {"models": "a b"}),
            ("name", {"name": "a/b"}),
        ):
            form = {"name": "ann", "models": "gemini-x", "expires": "2027-01-31", **wrong}
            page = (await browser.post("/admin/users", form)).body.decode()
            assert f'id="wrong-{field}"' in page
            assert f'aria-describedby="wrong-{field}"' in page
            assert all(value in page for value in form.values())
        assert (await told(browser, "/users"))["total"] == 1


async def test_only_what_a_form_changes_is_changed(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        form = {"name": "ann", "expires": "2099-01-31", **limit(1, "rpm", "5")}
        await browser.post("/admin/users", {**form, **limit(2, "tpm", "900")})
        page = (await browser.get("/admin/users/ann")).body.decode()
        expires = re.search(r'name="expires" value="([^"]+)"', page)
        assert expires is not None
        same = {"expires": expires[1], **limit(1, "rpm", "5"), **limit(2, "tpm", "900")}
        nothing = await browser.post("/admin/users/ann", same)
        changed = await browser.post("/admin/users/ann", same | limit(2, "tpm", ""))
        state = await told(browser, "/users/ann")
        entry = (await told(browser, "/audit"))["entries"][0]

    assert "Nothing is to be changed" in words_of(nothing)
    assert target_of("/admin/users/ann", changed) == "/admin/users/ann"
    assert [(one["kind"], one["amount"]) for one in state["limits"]] == [("rpm", 5)]
    assert entry["action"] == "users.change"
    assert list(entry["detail"]) == ["limits"]


async def test_a_rotation_is_made_once_however_often_its_form_is_sent(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        browser = await browsing(proxy, upstream.url)
        old = key_of(await browser.post("/admin/users", {"name": "ann"}))
        change = str((await told(browser, "/users/ann"))["change"])
        form = {"grace": "3600", "change": change}
        new = key_of(await browser.post("/admin/users/ann/rotate", form))
        again = await browser.post("/admin/users/ann/rotate", form)
        statuses = [await opens(browser, key) for key in (old, new)]

    assert again.status == 409
    assert statuses == [200, 200]


async def test_a_key_is_revoked_after_a_question(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        browser = await browsing(proxy, upstream.url)
        key = key_of(await browser.post("/admin/users", {"name": "ann"}))
        question = await browser.get("/admin/users/ann/revoke")
        before = await opens(browser, key)
        done = await browser.post("/admin/users/ann/revoke", {})
        page = await browser.get(target_of("/admin/users/ann/revoke", done))
        after = await opens(browser, key)

    assert "Revoke the access key of ann?" in words_of(question)
    assert (before, after) == (200, 401)
    assert "ann is revoked, for good." in words_of(page)
    assert "/revoke" not in page.body.decode()


async def test_many_keys_come_in_pages_and_are_searched(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        for count in range(52):
            await browser.post("/admin/users", {"name": f"user {count:02}"})
        seen: list[str] = []
        path = "/admin/users"
        while path:
            page = (await browser.get(path)).body.decode()
            seen += re.findall(r'<tr data-row="[^"]*">\s*<th scope="row"><a href="([^"]+)"', page)
            found = re.search(r'rel="next" href="([^"]+)"', page)
            path = urljoin("/admin/users", unescape(found[1])) if found else ""
        search = words_of(await browser.get("/admin/users?search=USER+5"))
        listed = await told(browser, "/users?search=USER+5")

    assert len(seen) == len(set(seen)) == 53
    assert "2 access keys found" in search
    assert [one["name"] for one in listed["users"]] == ["user 50", "user 51"]


async def test_the_menu_leads_to_the_same_pages_from_everywhere(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        menus = []
        for path in ("/admin/", "/admin/users", "/admin/users/lab", "/admin/users/lab/revoke"):
            menu = (await browser.get(path)).body.decode().partition("</nav>")[0]
            menus.append([urljoin(path, one) for one in re.findall(r'<li><a href="([^"]+)"', menu)])

    assert "/admin/users" in menus[0]
    assert menus[1:] == menus[:1] * 3


async def test_a_key_of_the_settings_has_no_forms(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        page = await browser.get("/admin/users/lab")
        refused = await browser.post("/admin/users/lab/revoke", {})

    assert "one of the settings" in words_of(page)
    assert "Revoke" not in words_of(page)
    assert refused.status == 409


@pytest.mark.parametrize("path", ["/admin/users/nobody", "/admin/users/nobody/revoke"])
async def test_an_unknown_name_is_no_page(proxy: StartProxy, path: str) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        assert (await browser.get(path)).status == 404


async def test_without_a_pool_the_page_says_what_to_do(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        page = await browser.get("/admin/users")

    assert page.status == 200
    assert "GEMINI_API_KEYS" in words_of(page)


async def test_a_row_has_a_few_limits_and_the_key_has_all(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        form = {"name": "ann"}
        for number in range(1, 7):
            form |= limit(number, "rpm", "5", f"gemini-{number}")
        await browser.post("/admin/users", form)
        row = words_of(await browser.get("/admin/users"))
        page = words_of(await browser.get("/admin/users/ann"))

    assert (row.count("0 of 5"), page.count("0 of 5")) == (3, 6)
    assert "and 3 more" in row
