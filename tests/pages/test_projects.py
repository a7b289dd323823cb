"""The page of the projects: the heat map is what the API says, with the clocks of the rests."""

import json
import time
from pathlib import Path

from gemproxy.pages.projects import COLUMNS
from gemproxy.pool.key import Limits
from gemproxy.pool.pool import Outcome, Pick, Wish
from gemproxy.web.pooling import POOL
from tests.operating import SECRET, Browser, news, words_of
from tests.pages.test_keys import ADDED, QUOTA, operating, says
from tests.replies import json_reply, replying
from tests.running import StartProxy

EVIL = 'm"><b>'


def end(browser: Browser, model: str, project: str, outcome: Outcome) -> None:
    """Have an attempt end."""
    pool, now = browser.served.app[POOL], time.time()
    pick = pool.pick(Wish(model, project), now)
    assert isinstance(pick, Pick)
    pool.over(pick, outcome, now)


async def test_the_map_has_use_and_rests_with_their_clocks(
    proxy: StartProxy, tmp_path: Path
) -> None:
    limits = {"gemini-3.5-flash": Limits(rpd=4)}
    async with replying() as upstream:
        browser = await operating(proxy, upstream.url, tmp_path, limits=limits)
        await says(browser, "/admin/keys/add", {"key": ADDED, "project": "lab"})
        for _ in range(2):
            end(browser, "gemini-3.5-flash", "lab", Outcome(200))
        end(browser, EVIL, "given", Outcome(200))
        end(browser, "gemini-pro", "given", Outcome(429, QUOTA))
        told = await news(browser, "/admin/projects")
        page = await browser.get("/admin/projects")
        found = await news(browser, "/admin/projects?find=LA")
        headers = {"x-admin-secret": SECRET}
        api = await browser.served.ask("/admin/api/v1/projects", b"", headers, method="GET")

    given, lab = told["lists"]["projects"]
    assert lab["texts"]["use gemini-3.5-flash"] == "2 / 4"
    assert lab["states"]["use gemini-3.5-flash"] == "2"
    assert given["states"]["use gemini-pro"] == "rest"
    assert given["texts"]["rest gemini-pro"].startswith("Quota of the minute until ")
    assert given["texts"]["rest gemini-pro"].endswith("(60 min)")
    assert given["texts"]["keys"] == "1 of 1"
    assert [row["id"] for row in found["lists"]["projects"]] == ["lab"]
    assert "<b>" not in page.body.decode()
    assert "2 / 4" in words_of(page)
    for project in json.loads(api.body)["projects"]:
        for cell in project["models"]:
            row = next(one for one in (given, lab) if one["id"] == project["name"])
            assert row["texts"][f"use {cell['model']}"].startswith(str(cell["requests"]))


async def test_many_models_come_in_pages(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        for number in range(COLUMNS + 2):
            end(browser, f"model-{number:02}", "given", Outcome(200))
        first = await browser.get("/admin/projects")
        second = await browser.get(f"/admin/projects?model={COLUMNS}")
        wrong = await browser.get("/admin/projects?model=x")

    assert "model-00" in words_of(first)
    assert "model-13" not in words_of(first)
    assert "More models" in words_of(first)
    assert "model-13" in words_of(second)
    assert "Models before" in words_of(second)
    assert "model-00" in words_of(wrong)


async def test_the_keys_of_a_project_are_checked(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying(json_reply({"models": []})) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        notice = await says(browser, "/admin/projects/given/check", {})

    assert notice == "Checked: 1 well, 0 sick, 0 unknown."
