"""The pages of keys: what they show is what the API says, and what their forms do."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from gemproxy.config.keyring import projects_of
from gemproxy.pages.keys import PAGE
from gemproxy.pool.key import fingerprint
from tests.gemini import chunk, sse
from tests.operating import SECRET, Browser, news, signed_in, target_of, words_of
from tests.replies import json_reply, replying, sse_reply
from tests.running import StartProxy

ANN = "gp-7Kq2mXv9TzRw4Lp8"
GIVEN, ADDED = "AIzaSyGiven", "AIzaSyAdded"
NAME, OTHER = fingerprint(GIVEN), fingerprint(ADDED)
EVIL = "<script>alert(1)</script>"
LEAKED = {"code": 403, "status": "PERMISSION_DENIED", "message": f"{EVIL} was leaked"}
QUOTA = {
    "code": 429,
    "status": "RESOURCE_EXHAUSTED",
    "message": "quota",
    "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3600s"}],
}


async def operating(proxy: StartProxy, url: str, folder: Path, **pool: Any) -> Browser:
    return await signed_in(
        proxy,
        url,
        ledger={"enabled": True},
        server={"data_dir": str(folder)},
        pool={"projects": projects_of({"given": [GIVEN]}), **pool},
        access={"keys": {"ann": ANN}},
    )


async def says(browser: Browser, path: str, fields: dict[str, Any]) -> str:
    """Send a form and return the notice on the page to which it leads."""
    answer = await browser.post(path, fields)
    assert answer.status == 303, words_of(answer)
    page = await browser.get(target_of(path, answer))
    (notice,) = re.findall(r'<p class="notice" role="status">(.*?)</p>', page.body.decode())
    return unescape(notice)


async def shown(browser: Browser, path: str = "/admin/keys") -> dict[str, dict[str, Any]]:
    """Return the rows of the list by fingerprint, as the page's stream has them."""
    rows = (await news(browser, path))["lists"]["keys"]
    return {row["id"]: row for row in rows}


async def test_a_key_is_added_disabled_enabled_and_removed(
    proxy: StartProxy, tmp_path: Path
) -> None:
    async with replying(sse_reply(sse(chunk("All.", finish="STOP")))) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        first = await browser.get("/admin/keys")
        added = await says(browser, "/admin/keys/add", {"key": f" {ADDED} ", "project": "lab"})
        off = await says(browser, f"/admin/keys/{NAME}/disable", {"back": f"/admin/keys/{NAME}"})
        detail = await browser.get(f"/admin/keys/{NAME}")
        served = await browser.get(f"/admin/requests?key={NAME}")
        await browser.served.ask(headers={"x-goog-api-key": ANN})
        rows = await shown(browser)
        on = await says(browser, f"/admin/keys/{NAME}/enable", {})
        gone = await says(browser, f"/admin/keys/{OTHER}/remove", {})
        stays = await browser.post(f"/admin/keys/{NAME}/remove", {})
        last = await browser.get("/admin/keys")

    assert NAME in words_of(first)
    assert added == f"The key {OTHER} was added to the project lab."
    assert off == f"The key {NAME} is disabled."
    assert "A disabled key serves nothing new" in words_of(detail)
    assert f'href="../requests?key={NAME}"' in detail.body.decode()
    assert served.status == 200
    assert rows[NAME]["texts"]["kind"] == "Disabled"
    assert rows[NAME]["texts"]["switch"] == "Enable"
    assert rows[NAME]["actions"]["switch"].endswith(f"{NAME}/enable")
    assert (rows[OTHER]["texts"]["kind"], rows[OTHER]["texts"]["result"]) == ("Ready", "Served")
    assert rows[OTHER]["texts"]["at"].startswith("20")
    assert [seen.headers["x-goog-api-key"] for seen in upstream.seen] == [ADDED]
    assert (on, gone) == (f"The key {NAME} is enabled.", f"The key {OTHER} was removed.")
    assert stays.status == 409
    assert OTHER not in words_of(last)
    for page in (first, detail, last):
        assert GIVEN not in page.body.decode()


async def test_the_page_says_what_the_api_says(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying(json_reply({"error": LEAKED}, 403)) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        await says(browser, "/admin/keys/add", {"key": ADDED, "project": "lab"})
        found = await says(
            browser, f"/admin/keys/{OTHER}/check", {"back": "/admin/keys?state=sick"}
        )
        headers = {"x-admin-secret": SECRET}
        api = await browser.served.ask("/admin/api/v1/pool", b"", headers, method="GET")
        told = await news(browser, "/admin/keys?state=sick")
        page = await browser.get("/admin/keys?state=sick")

    assert found == f"The key {OTHER}: Leaked."
    state = json.loads(api.body)
    for name in ("keys", "available", "ready", "resting", "sick", "disabled"):
        assert told["texts"][name] == str(state[name])
        assert f'data-live="{name}">{state[name]}<' in page.body.decode()
    (row,) = told["lists"]["keys"]
    assert (row["id"], row["texts"]["kind"], row["texts"]["why"]) == (OTHER, "Sick", "Leaked")
    assert EVIL not in page.body.decode()


async def test_selected_keys_are_changed_together(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying(json_reply({"models": []})) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        await says(browser, "/admin/keys/add", {"key": ADDED})
        both = {"key": [NAME, OTHER, "00000000"], "back": "/admin/keys?find=0&evil=1#//x"}
        checked = await browser.post("/admin/keys/selected/check", both)
        notices = [
            await says(browser, f"/admin/keys/selected/{deed}", both)
            for deed in ("check", "disable", "enable", "remove")
        ]
        none = await says(browser, "/admin/keys/selected/disable", {})

    assert target_of("/admin/keys/selected/check", checked) == "/admin/keys?find=0"
    assert notices == [
        "Checked: 2 well, 0 sick, 0 unknown.",
        "Keys that are disabled: 2.",
        "Keys that are enabled: 2.",
        "Keys that were removed: 1. Keys of the settings, which stay: 1.",
    ]
    assert none == "Keys that are disabled: 0."


async def test_an_import_says_what_became_of_each_line(proxy: StartProxy, tmp_path: Path) -> None:
    text = f"lab {ADDED}\r\n{EVIL} x y\r\n{GIVEN}\r\n"
    async with replying(json_reply({})) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        empty = await browser.get("/admin/keys/import")
        answer = await browser.post("/admin/keys/import", {"text": text, "project": ""})
        nothing = await browser.post("/admin/keys/import", {"text": "# none"})

    assert empty.status == answer.status == 200
    page = answer.body.decode()
    lines = re.findall(r"<td>(line \d)</td>.*?data-state=\"(\w*)\"", page, re.DOTALL)
    assert lines == [("line 1", "good"), ("line 2", "bad"), ("line 3", "")]
    assert "Keys that were added: 1." in words_of(answer)
    for secret in (ADDED, GIVEN, EVIL):
        assert secret not in page
    assert "There was no key in the text." in words_of(nothing)


async def test_all_keys_are_checked(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying(json_reply({"models": []})) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        notice = await says(browser, "/admin/keys/check", {"back": "/admin/keys?state=ready"})

    assert notice == "Checked: 1 well, 0 sick, 0 unknown."
    assert len(upstream.seen) == 1


async def test_five_hundred_keys_are_shown_in_pages(proxy: StartProxy, tmp_path: Path) -> None:
    keys = [f"AIzaSyMany{number:03}" for number in range(500)]
    async with replying() as upstream:
        browser = await operating(proxy, upstream.url, tmp_path, keys=",".join(keys))
        path, names, sizes = "/admin/keys", [], []
        while path:
            page = (await browser.get(path)).body.decode()
            found = re.findall(r'<tr data-row="(\w{8})"', page)
            names += found
            sizes.append(len(page))
            onward = re.search(r'href="([^"]+)">Next page', page)
            path = urljoin(path, unescape(onward[1])) if onward else ""
        one = await shown(browser, f"/admin/keys?find={names[7]}")

    assert sorted(names) == sorted(map(fingerprint, [*keys, GIVEN]))
    assert len(sizes) == len(names) // PAGE + 1
    assert max(sizes) < 150_000
    assert list(one) == [names[7]]


async def test_chinese_readers_read_chinese(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying(json_reply({"error": LEAKED}, 403)) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        browser.cookies["gemproxy_language"] = "zh"
        notice = await says(browser, f"/admin/keys/{NAME}/check", {})
        page = words_of(await browser.get("/admin/keys"))

    assert notice == f"密钥 {NAME}：已泄露。"
    assert "失效" in page


@pytest.mark.parametrize("path", ["/admin/keys", "/admin/keys/import", "/admin/projects"])
async def test_without_a_pool_the_pages_say_how_to_get_one(proxy: StartProxy, path: str) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        page = await browser.get(path)

    assert page.status == 200
    assert "This proxy has no pool" in words_of(page)
