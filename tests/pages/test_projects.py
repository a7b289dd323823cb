"""The page of the projects: the heat map is what the API says, with the clocks of the rests."""

import json
import time
from pathlib import Path

from gemproxy.pages.projects import COLUMNS, PAGE, fields_of
from gemproxy.pool.key import Limits
from gemproxy.pool.pool import Outcome, Pick, Wish
from gemproxy.web.pooling import POOL
from tests.operating import SECRET, Browser, news, words_of
from tests.pages.test_keys import ADDED, QUOTA, operating, says
from tests.replies import json_reply, replying
from tests.running import StartProxy

EVIL = 'm"><b>'


LIGHT = 75_000
"""Bytes of a page with all that can stand in it."""


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
    assert lab["texts"][fields_of("gemini-3.5-flash")[0]] == "2 / 4"
    assert lab["states"][fields_of("gemini-3.5-flash")[0]] == "2"
    assert given["states"][fields_of("gemini-pro")[0]] == "rest"
    assert given["texts"][fields_of("gemini-pro")[1]].startswith("Quota of the minute until ")
    assert given["texts"][fields_of("gemini-pro")[1]].endswith("(60 min)")
    assert given["texts"]["keys"] == "1 of 1"
    assert [row["id"] for row in found["lists"]["projects"]] == ["lab"]
    assert "<b>" not in page.body.decode()
    assert "2 / 4" in words_of(page)
    for project in json.loads(api.body)["projects"]:
        for cell in project["models"]:
            row = next(one for one in (given, lab) if one["id"] == project["name"])
            assert row["texts"][fields_of(cell["model"])[0]].startswith(str(cell["requests"]))


async def test_many_models_come_in_pages(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        for number in range(COLUMNS + 2):
            end(browser, f"model-{number:02}", "given", Outcome(200))
        first = await browser.get("/admin/projects")
        second = await browser.get(f"/admin/projects?model={COLUMNS}")
        wrong = await browser.get("/admin/projects?model=x")

    assert "model-00" in words_of(first)
    assert f"model-{COLUMNS + 1}" not in words_of(first)
    assert "More models" in words_of(first)
    assert f"model-{COLUMNS + 1}" in words_of(second)
    assert "Models before" in words_of(second)
    assert "model-00" in words_of(wrong)


async def test_the_keys_of_a_project_are_checked(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying(json_reply({"models": []})) as upstream:
        browser = await operating(proxy, upstream.url, tmp_path)
        notice = await says(browser, "/admin/projects/given/check", {})

    assert notice == "Checked: 1 well, 0 sick, 0 unknown."


async def test_a_page_of_many_projects_and_models_is_light(
    proxy: StartProxy, tmp_path: Path
) -> None:
    keys = ",".join(f"AIzaSyMany{number:03}" for number in range(PAGE + 5))
    async with replying() as upstream:
        browser = await operating(proxy, upstream.url, tmp_path, keys=keys)
        projects = [one.name for one in browser.served.app[POOL].projects]
        for number in range(COLUMNS):
            for project in projects:
                end(browser, f"gemini-2.5-flash-lite-{number:03}", project, Outcome(429, QUOTA))
        page = await browser.get("/admin/projects")

    assert page.body.count(b"<tr data-row=") == PAGE + 1
    assert len(page.body) < LIGHT
