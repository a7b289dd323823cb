"""The pages of settings over sockets: values as the API has them, changing, resetting."""

import re
from html import unescape

import attrs
import pytest

from gemproxy.web.tuning import TUNER
from tests.gemini import chunk, sse
from tests.operating import SECRET, Browser, signed_in, target_of, told, words_of
from tests.replies import replying, sse_reply
from tests.running import StartProxy

WHOLE = sse(chunk("All of it.", finish="STOP"))
PROMPT = "be brief about the blue parrot"


async def browsing(proxy: StartProxy, url: str) -> Browser:
    return await signed_in(proxy, url, ledger={"enabled": True})


def row(number: int, name: str, **cells: str) -> dict[str, str]:
    return {f"value.{number}.{column}": cell for column, cell in {"name": name, **cells}.items()}


async def test_every_setting_is_there_with_its_value_and_origin(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        await browser.post("/admin/settings/pool.strategy", {"value": "weighted"})
        live = (await browser.get("/admin/settings")).body.decode()
        every = (await browser.get("/admin/settings?all=1")).body.decode()
        found = words_of(await browser.get("/admin/settings?search=POOL.STRAT"))
        known = (await told(browser, "/settings"))["settings"]

    def row_of(page: str, path: str) -> str:
        start = page.find(f'settings/{path}"')
        return page[start : page.index("</tr>", start)] if start >= 0 else ""

    for setting in known:
        assert setting["text"] in row_of(every, setting["path"]) or not setting["text"].isalnum()
        assert bool(row_of(live, setting["path"])) == setting["live"]
    assert "weighted" in row_of(live, "pool.strategy")
    assert "this page" in row_of(live, "pool.strategy")
    assert SECRET not in every
    assert "pool.strategy" in found
    assert "pool.weights" not in found


@pytest.mark.parametrize(
    ("path", "fields", "value"),
    [
        ("pool.strategy", {"value": "round_robin"}, "round_robin"),
        ("repair.enabled", {"value": "false"}, False),
        ("thinking.enabled", {"value": "true"}, True),
        ("repair.max_stream_bytes", {"value": "2MiB"}, 2 << 20),
        ("upstream.chunk_timeout_seconds", {"value": "1.5m"}, 90.0),
        ("openai.default_model", {"value": "gemini-x"}, "gemini-x"),
        ("images.models", {"value": "one\r\ntwo*\r\n\r\n"}, ["one", "two*"]),
        (
            "openai.aliases",
            {**row(1, "gpt-5", value="gemini-x"), **row(2, "", value="")},
            {"gpt-5": "gemini-x"},
        ),
        (
            "pool.limits",
            {**row(1, "gemini-x", rpm="5", rpd=""), **row(4, "gemini-y", tpm="9")},
            {
                "gemini-x": {"rpm": 5, "tpm": 0, "rpd": 0},
                "gemini-y": {"rpm": 0, "tpm": 9, "rpd": 0},
            },
        ),
        (
            "thinking.models",
            row(1, "gemini-x", enabled="true", budget="64", level="", include_thoughts="false"),
            {"gemini-x": {"enabled": True, "budget": 64, "include_thoughts": False}},
        ),
    ],
)
async def test_each_shape_of_value_has_a_form(
    proxy: StartProxy, path: str, fields: dict[str, str], value: object
) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        page = f"/admin/settings/{path}"
        form = (await browser.get(page)).body.decode()
        done = await browser.post(page, fields)
        after = (await browser.get(page)).body.decode()
        first = await told(browser, f"/settings/{path}")
        same = await browser.post(page, _filled(after))
        again = await told(browser, f"/settings/{path}")
        await browser.post(f"{page}/reset", {})
        reset = await told(browser, f"/settings/{path}")

    for name in fields:
        assert f'name="{re.sub("[0-9]+", "1", name)}"' in form
    assert target_of(page, done) == page
    assert f"{path} is changed" in after
    assert (first["value"], first["origin"]) == (value, "admin")
    assert same.status == 303
    assert again["value"] == value
    assert reset["origin"] == "default"


def _filled(page: str) -> dict[str, str]:
    """Return the fields of the form as the page fills them."""
    page = page[page.index('name="change"') : page.index("</form>", page.index('name="change"'))]
    fields = dict(re.findall(r'<input (?:id="value" )?name="(value[^"]*)" value="([^"]*)"', page))
    fields |= dict(re.findall(r'<textarea id="value" name="(value)"[^>]*>([^<]*)<', page))
    for chosen in re.findall(r'<option value="([^"]*)" selected>', page):
        fields["value"] = chosen
    return {name: unescape(value) for name, value in fields.items()}


@pytest.mark.parametrize(
    ("path", "fields", "typed", "why"),
    [
        ("repair.max_resumes", {"value": "many"}, 'value="many"', "is not a whole number"),
        (
            "pool.limits",
            row(2, "gemini-x", rpm="few"),
            'value="few"',
            "a value of rpm that is not a whole number",
        ),
        (
            "openai.aliases",
            {**row(1, "a", value="b"), **row(2, "a", value="c")},
            'value="c"',
            "has a name in two rows",
        ),
        ("images.models", {"value": "good\nb ad"}, "b ad</textarea>", "has a model without a name"),
    ],
)
async def test_a_wrong_value_is_told_beside_its_field_and_stays(
    proxy: StartProxy, path: str, fields: dict[str, str], typed: str, why: str
) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        before = await told(browser, f"/settings/{path}")
        answer = await browser.post(f"/admin/settings/{path}", fields)
        page = answer.body.decode()
        after = await told(browser, f"/settings/{path}")

    wrong = page[page.index('id="wrong"') :].partition("</p>")[0]
    assert why in wrong
    assert 'aria-describedby="hint wrong" aria-invalid="true"' in page
    assert typed in page
    assert before == after


async def test_a_setting_that_a_flag_pins_says_so_and_has_no_form(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        tuner = browser.served.app[TUNER]
        origins = {**tuner.base.origins, "pool.strategy": "flag --pool.strategy"}
        tuner.base = tuner.loaded = attrs.evolve(tuner.base, origins=origins)
        page = await browser.get("/admin/settings/pool.strategy")
        listed = words_of(await browser.get("/admin/settings"))
        refused = await browser.post("/admin/settings/pool.strategy", {"value": "weighted"})
        known = await told(browser, "/settings/pool.strategy")

    assert "pinned by the command line (flag --pool.strategy)" in words_of(page)
    assert 'name="value"' not in page.body.decode()
    assert "pinned by a flag" in listed
    assert "pinned by the command line" in words_of(refused)
    assert (known["live"], known["pinned"], known["value"]) == (False, True, "least_used")


async def test_a_change_acts_and_a_secret_is_never_shown(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        browser = await browsing(proxy, upstream.url)
        await browser.post("/admin/settings/injection.content", {"value": PROMPT})
        await browser.post("/admin/settings/injection.enabled", {"value": "true"})
        await browser.served.ask()
        pages = [
            await browser.get(path)
            for path in ("/admin/settings?all=1", "/admin/settings/injection.content")
        ]

    assert PROMPT in upstream.seen[-1].body.decode()
    assert all(PROMPT not in page.body.decode() for page in pages)
    assert "(30 characters)" in words_of(pages[1])


async def test_a_change_of_somebody_else_is_not_overwritten(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        await browser.get("/admin/settings/repair.max_resumes")
        path = "/admin/settings/repair.max_resumes"
        await browser.post(path, {"value": "3", "change": "0"})
        late = await browser.post(path, {"value": "4", "change": "0"})
        known = await told(browser, "/settings/repair.max_resumes")

    assert "changed meanwhile" in words_of(late)
    assert 'value="4"' in late.body.decode()
    assert known["value"] == 3


async def test_a_reset_spares_a_change_of_somebody_else(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        path = "/admin/settings/repair.max_resumes"
        await browser.post(path, {"value": "3", "change": "0"})
        page = (await browser.get(path)).body.decode()
        await browser.post(path, {"value": "4"})
        late = await browser.post(f"{path}/reset", {"change": "1"})
        kept = await told(browser, "/settings/repair.max_resumes")
        lost = await browser.post("/admin/settings/no.setting/reset", {})

    assert page.count('name="change" value="1"') == 2
    assert late.status == 409
    assert (kept["value"], kept["origin"]) == (4, "admin")
    assert lost.status == 404


async def test_without_a_ledger_the_page_says_what_to_do(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        page = await browser.get("/admin/settings")

    assert "ledger.enabled" in words_of(page)
