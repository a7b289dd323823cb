"""Access keys by the admin API over sockets: each change acts on the next request."""

import json
from typing import Any

from gemproxy.pool.key import Key
from tests.gemini import BODY, chunk, sse
from tests.replies import replying, sse_reply
from tests.running import Proxy, StartProxy
from tests.wire import STREAM

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
OPERATOR = {"x-admin-secret": SECRET}
BASE = "/admin/api/v1/users"
WHOLE = sse(chunk("All of it.", finish="STOP"))
GIVEN = "Qe5Rt8Yu1Io4Pa7Sd0Fg3Hj6"


async def started(proxy: StartProxy, url: str, *, pooled: bool = True) -> Proxy:
    pool = {"keys": (Key("AIzaSyPool", "P"),)} if pooled else {}
    access = {"keys": {"lab": GIVEN}} if pooled else {}
    admin, ledger = {"secret": SECRET}, {"enabled": True}
    return await proxy(url, pool=pool, access=access, admin=admin, ledger=ledger)


async def call(
    served: Proxy, method: str, path: str, body: object = None, status: int = 200
) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    answer = await served.ask(path, raw, OPERATOR, method=method)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


async def opens(served: Proxy, key: str) -> int:
    """Return the status of a request with a key."""
    return (await served.ask(STREAM, BODY, {"x-goog-api-key": key})).status


async def test_a_made_key_opens_and_a_revoked_one_does_not(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        limits = [{"kind": "rpd", "amount": 2}]
        made = await call(served, "POST", BASE, {"name": "ann b", "limits": limits})
        opened = await opens(served, made["key"])
        shown = await call(served, "GET", f"{BASE}/ann%20b")
        rotated = await call(served, "POST", f"{BASE}/ann%20b/rotate")
        statuses = [await opens(served, made["key"]), await opens(served, rotated["key"])]
        full = await opens(served, rotated["key"])
        await call(served, "PATCH", f"{BASE}/ann%20b", {"limits": [{"kind": "rpd", "amount": 9}]})
        widened = await opens(served, rotated["key"])
        await call(served, "PATCH", f"{BASE}/ann%20b", {"models": ["another"]})
        forbidden = await opens(served, rotated["key"])
        await call(served, "DELETE", f"{BASE}/ann%20b")
        revoked = await opens(served, rotated["key"])
        listed = await call(served, "GET", BASE)
        audit = await call(served, "GET", "/admin/api/v1/audit")

    assert opened == 200
    assert (shown["limits"][0]["used"], shown["limits"][0]["left"]) == (1, 1)
    assert statuses == [401, 200]
    assert (full, widened, forbidden, revoked) == (429, 200, 403, 401)
    assert [(one["name"], one["origin"], one["state"]) for one in listed["users"]] == [
        ("lab", "settings", "good"),
        ("ann b", "stored", "revoked"),
    ]
    assert [entry["action"] for entry in reversed(audit["entries"])] == [
        "users.add",
        "users.rotate",
        "users.change",
        "users.change",
        "users.revoke",
    ]
    told = json.dumps([shown, listed, audit])
    assert not any(key in told for key in (made["key"], rotated["key"], GIVEN, SECRET))


async def test_scripts_of_earlier_tools_make_a_key(proxy: StartProxy) -> None:
    path = "/admin/config/user-key"
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        made = await call(served, "POST", path, {"name": "ann"})
        opened = await opens(served, made["key"])
        again = await call(served, "POST", path, {"name": "ann"}, 409)
        wrong = await call(served, "POST", path, {"name": "a/b"}, 400)
        empty = await call(served, "POST", path, {}, 400)
        audit = await call(served, "GET", "/admin/api/v1/audit")

    assert made["success"] is True
    assert (made["name"], opened) == ("ann", 200)
    assert "names are never used again" in again["error"]["message"]
    assert "name" in wrong["error"]["message"]
    assert "name" in empty["error"]["message"]
    assert [entry["action"] for entry in audit["entries"]] == ["users.add"]
    assert made["key"] not in json.dumps([again, audit])


async def test_a_key_of_the_settings_does_not_change(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url)
        refused = await call(served, "DELETE", f"{BASE}/lab", None, 409)
        opened = await opens(served, GIVEN)

    assert "settings" in refused["error"]["message"]
    assert opened == 200


async def test_without_a_pool_there_are_no_access_keys(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream.url, pooled=False)
        for method, path, body in (
            ("GET", BASE, None),
            ("POST", BASE, {"name": "ann"}),
            ("POST", "/admin/config/user-key", {"name": "ann"}),
        ):
            answer = await call(served, method, path, body, 404)
            assert "no pool" in answer["error"]["message"]
