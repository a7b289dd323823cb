"""The calls of scripts for an earlier tool, one after the other; they have gained the secret alone.

Each call is made as such scripts make it: with and without a media type, with a slash at the end
where people type one, with HEAD where a monitor asks.
"""

import json
from typing import Any

import pytest

from gemproxy.web.accounting import LEDGER
from tests.gemini import chunk, sse
from tests.replies import replying, sse_reply
from tests.running import Proxy, StartProxy

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
OPERATOR = {"x-admin-secret": SECRET}
KEY = "AIzaSyEarlierEarlierEarlierEarlier0001"
WHOLE = sse_reply(sse(chunk("All of it.", finish="STOP", usage=(3, 2))))
PAGES = ["/docs", "/docs/", "/metrics", "/status", "/health", "/wake", "/debug/info"]
CONFIG = {
    "gemini-key": {"key": KEY},
    "user-key": {"name": "Ann of the lab"},
    "thinking": {"enabled": True, "budget": -1, "include_thoughts": True},
    "inject-prompt": {"enabled": True, "content": "Be brief.", "position": "user_suffix"},
}
CHAT = json.dumps(
    {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Tell."}]}
).encode()
KINDS = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


async def started(proxy: StartProxy, url: str) -> Proxy:
    return await proxy(
        url,
        admin={"secret": SECRET},
        ledger={"enabled": True},
        pool={"keys": "AIzaSyPool"},
        access={"keys": {"lab": "gp-7Kq2mXv9TzRw4Lp8"}},
    )


async def posted(served: Proxy, name: str, document: Any, kind: str = KINDS["json"]) -> Any:
    headers = {**OPERATOR, "Content-Type": kind}
    body = json.dumps(document).encode()
    answer = await served.ask(f"/admin/config/{name}", body, headers)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
async def test_a_script_sets_everything_up_and_reads_what_was_used(
    proxy: StartProxy, kind: str
) -> None:
    async with replying(WHOLE) as upstream:
        served = await started(proxy, upstream.url)
        told = {name: await posted(served, name, wish, kind) for name, wish in CONFIG.items()}
        key = told["user-key"][1]["key"]
        headers = {"Authorization": f"Bearer {key}", "Content-Type": KINDS["json"]}
        answer = await served.ask("/v1/chat/completions", CHAT, headers)
        assert await served.app[LEDGER].flush()
        stats = await served.ask("/admin/stats", b"", OPERATOR, "GET")
        audit = await served.ask("/admin/api/v1/audit", b"", OPERATOR, "GET")

    for status, document in told.values():
        assert status == 200, document
        assert document["success"] is True
        assert document["message"]
    assert answer.status == 200
    (sent,) = upstream.seen
    assert "Be brief." in sent.document["contents"][-1]["parts"][-1]["text"]
    assert sent.document["generationConfig"]["thinkingConfig"]["includeThoughts"] is True
    figures = json.loads(stats.body)["usage_stats"]
    assert figures["gemini-2.5-flash"]["minute"] == {"requests": 1, "tokens": 5}
    assert figures["gemini-2.5-flash"]["day"] == {"requests": 1, "tokens": 5}
    assert figures["gemini-2.5-pro"]["day"] == {"requests": 0, "tokens": 0}
    actions = [entry["action"] for entry in json.loads(audit.body)["entries"]]
    assert {"key.add", "users.add", "settings.change"} == {*actions}
    assert key.encode() not in audit.body + stats.body
    assert KEY.encode() not in audit.body + stats.body


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("gemini-key", {"key": ""}),
        ("gemini-key", {}),
        ("user-key", {"name": ""}),
        ("user-key", {}),
        ("thinking", {"budget": 32769}),
        ("thinking", {"budget": -2}),
        ("inject-prompt", {"enabled": True, "content": "", "position": "system"}),
        ("inject-prompt", {"enabled": True, "content": "x", "position": "above"}),
    ],
)
async def test_a_wrong_value_is_a_400_and_changes_nothing(
    proxy: StartProxy, name: str, wish: dict[str, Any]
) -> None:
    served = await started(proxy, "http://127.0.0.1:9")

    status, document = await posted(served, name, wish)
    audit = await served.ask("/admin/api/v1/audit", b"", OPERATOR, "GET")

    assert status == 400
    assert document["error"]["message"]
    assert json.loads(audit.body)["entries"] == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PAGES)
async def test_the_pages_are_there(proxy: StartProxy, path: str, method: str) -> None:
    served = await started(proxy, "http://127.0.0.1:9")
    async with served.connect() as connection:
        await connection.send(path, b"", OPERATOR, method=method)
        status, headers = await connection.head()

    assert status == 200
    assert headers["Content-Type"].split(";")[0] in {"text/html", "text/plain", "application/json"}


@pytest.mark.parametrize("name", CONFIG)
async def test_without_the_secret_nothing_is_set_up(proxy: StartProxy, name: str) -> None:
    served = await started(proxy, "http://127.0.0.1:9")
    body = json.dumps(CONFIG[name]).encode()

    answer = await served.ask(f"/admin/config/{name}", body, {"Content-Type": KINDS["json"]})

    assert answer.status == 401
    assert answer.error["status"] == "UNAUTHENTICATED"
