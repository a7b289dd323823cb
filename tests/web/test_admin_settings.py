"""Settings by the admin API over sockets: each change acts on the next request."""

import json
from typing import Any

import pytest

from gemproxy.web.tuning import TUNER
from tests.gemini import chunk, sse
from tests.replies import Replies, replying, sse_reply
from tests.running import Proxy, StartProxy

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
OPERATOR = {"x-admin-secret": SECRET, "Content-Type": "application/json"}
BASE = "/admin/api/v1"
WHOLE = sse(chunk("All of it.", finish="STOP"))
PROMPT = "be brief about the blue parrot"


async def started(proxy: StartProxy, url: str, **sections: Any) -> Proxy:
    sections = {"admin": {"secret": SECRET}, "ledger": {"enabled": True}, **sections}
    return await proxy(url, **sections)


async def call(
    served: Proxy, method: str, path: str, body: object = None, status: int = 200
) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    answer = await served.ask(path, raw, OPERATOR, method=method)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


async def sent(upstream: Replies, served: Proxy) -> str:
    """Return the body with which the next request goes up."""
    await served.ask()
    return upstream.seen[-1].body.decode()


async def test_a_setting_is_put_patched_shown_and_reset(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        path = f"{BASE}/settings/injection.content"
        put = await call(served, "PUT", path, {"value": PROMPT})
        values = {"injection.enabled": "yes", "injection.position": "user_suffix"}
        page = await call(served, "PATCH", f"{BASE}/settings", {"values": values})
        body = await sent(upstream, served)
        await call(served, "DELETE", f"{BASE}/settings/injection.enabled")
        without = await sent(upstream, served)
        shown = await call(served, "GET", f"{BASE}/settings/injection.enabled")
        listed = await call(served, "GET", f"{BASE}/settings")
        audit = await call(served, "GET", f"{BASE}/audit?action=settings.change")

    assert (put["value"], put["text"], put["origin"]) == (None, "(30 characters)", "admin")
    assert [one["value"] for one in page["settings"]] == [True, "user_suffix"]
    assert PROMPT in body
    assert PROMPT not in without
    assert (shown["value"], shown["origin"], shown["live"]) == (False, "default", True)
    assert listed["change"] == 3
    assert [entry["target"] for entry in audit["entries"]] == [
        "injection.position",
        "injection.enabled",
        "injection.content",
    ]
    assert PROMPT not in json.dumps([put, page, listed, audit])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("PUT", "thinking.budget", {"value": 99_999}, 400, "thinking.budget"),
        ("PUT", "thinking.budget", {"valeu": 1}, 400, "valeu"),
        ("PUT", "server.port", {"value": 1}, 409, "restart"),
        ("PUT", "server.prot", {"value": 1}, 404, "server.prot"),
        ("DELETE", "server.port", None, 409, "restart"),
        ("GET", "server.prot", None, 404, "server.prot"),
        ("PUT", "pool.strategy", {"value": "weighted", "change": 9}, 409, "changed meanwhile"),
        ("DELETE", "pool.strategy?change=9", None, 409, "changed meanwhile"),
    ],
)
async def test_what_cannot_be_is_refused_in_words(
    proxy: StartProxy, method: str, path: str, body: object, status: int, words: str
) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        answer = await call(served, method, f"{BASE}/settings/{path}", body, status)

    assert words in json.dumps(answer["error"])


async def test_without_a_ledger_settings_are_shown_and_do_not_change(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url, ledger={"enabled": False})
        shown = await call(served, "GET", f"{BASE}/settings/pool.strategy")
        path, body = f"{BASE}/settings/pool.strategy", {"value": "weighted"}
        refused = await call(served, "PUT", path, body, 409)
        earlier = await call(served, "POST", "/admin/config/thinking", {"enabled": True}, 409)

    assert not shown["live"]
    assert "ledger.enabled" in refused["error"]["message"]
    assert "ledger.enabled" in earlier["error"]["message"]


async def test_scripts_of_earlier_tools_change_thinking(proxy: StartProxy) -> None:
    path = "/admin/config/thinking"
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        wish = {"enabled": True, "budget": 1024, "include_thoughts": True}
        answer = await call(served, "POST", path, wish)
        partly = await call(served, "POST", f"{path}?budget=2048")
        wrong = await call(served, "POST", path, {"budget": 32769}, 400)
        typed = await call(served, "POST", path, {"enabled": "perhaps"}, 400)
        empty = await call(served, "POST", path, {}, 400)
        audit = await call(served, "GET", f"{BASE}/audit")

    assert answer["success"] is True
    assert "budget is 1024" in answer["message"]
    assert partly["values"] == {"enabled": "true", "budget": "2048", "include_thoughts": "true"}
    assert "from 1 to 32768" in wrong["error"]["message"]
    assert "is not true or false" in typed["error"]["message"]
    assert "include_thoughts" in empty["error"]["message"]
    assert served.app[TUNER].settings.thinking.budget == 2048
    assert len(audit["entries"]) == 4


async def test_scripts_of_earlier_tools_change_the_prompt(proxy: StartProxy) -> None:
    path = "/admin/config/inject-prompt"
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        lacking = await call(served, "POST", path, {"enabled": True}, 400)
        wish = {"enabled": True, "content": PROMPT, "position": "user_prefix"}
        answer = await call(served, "POST", path, wish)
        body = await sent(upstream, served)
        wrong = await call(served, "POST", path, {"position": "nowhere"}, 400)
        await call(served, "POST", path, {"enabled": False})
        without = await sent(upstream, served)
        audit = await call(served, "GET", f"{BASE}/audit")

    assert "no prompt to inject" in lacking["error"]["message"]
    assert answer["success"] is True
    assert PROMPT in body
    assert "user_prefix" in wrong["error"]["message"]
    assert PROMPT not in without
    assert served.app[TUNER].settings.injection.content == PROMPT
    assert PROMPT not in json.dumps([lacking, answer, wrong, audit])
