"""The operator's keys by the admin API over sockets: added, listed, removed; never shown."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gemproxy.admin.desk import Desk
from gemproxy.admin.keys import GeminiKey, KeysQuery, NewKey, keys
from gemproxy.admin.route import NOTHING, Call
from gemproxy.config.keyring import projects_of
from gemproxy.core.errors import Unrouted
from gemproxy.pool.key import fingerprint
from gemproxy.pool.pool import Outcome, Pick, Wish
from gemproxy.web.pooling import POOL
from tests.gemini import chunk, sse
from tests.replies import Replies, Reply, json_reply, replying, sse_reply
from tests.running import Proxy, running

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
ANN = "gp-7Kq2mXv9TzRw4Lp8"
PLAIN = "plain-password-of-all"
OPERATOR = {"x-admin-secret": SECRET, "Content-Type": "application/json"}
BASE = "/admin/api/v1"
GIVEN, CANARY, THIRD = (f"AIzaSy{name:A<33}" for name in ("Given", "Canary", "Third"))
WHOLE = sse(chunk("All of it.", finish="STOP"))


@contextlib.asynccontextmanager
async def served(
    folder: Path, *replies: Reply, **pool: Any
) -> AsyncIterator[tuple[Proxy, Replies]]:
    async with (
        replying(*(replies or (sse_reply(WHOLE),))) as upstream,
        running(
            upstream.url,
            admin={"secret": SECRET},
            ledger={"enabled": True},
            server={"data_dir": str(folder)},
            pool={"projects": projects_of({"given": [GIVEN]}), **pool},
            access={"keys": {"ann": ANN}, "password": PLAIN},
        ) as proxy,
    ):
        yield proxy, upstream


async def ask(proxy: Proxy, method: str, path: str, body: object = None, status: int = 200) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    answer = await proxy.ask(path, raw, OPERATOR, method=method)
    assert answer.status == status, answer.body
    for secret in (GIVEN, CANARY, THIRD, SECRET, ANN):
        assert secret.encode() not in answer.body
    return json.loads(answer.body)


async def test_a_key_is_added_serves_and_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    name = fingerprint(CANARY)
    async with served(tmp_path) as (proxy, upstream):
        made = await ask(proxy, "POST", f"{BASE}/keys", {"key": CANARY, "project": "added"}, 201)
        page = await ask(proxy, "GET", f"{BASE}/keys")
        projects = await ask(proxy, "GET", f"{BASE}/projects")
        for _ in range(2):
            await proxy.ask(headers={"x-goog-api-key": ANN})
        again = await ask(proxy, "POST", f"{BASE}/keys", {"key": CANARY}, 409)
        gone = await ask(proxy, "DELETE", f"{BASE}/keys/{name}")
        twice = await ask(proxy, "DELETE", f"{BASE}/keys/{name}", status=404)
        left = await ask(proxy, "GET", f"{BASE}/keys")
        audit = await ask(proxy, "GET", f"{BASE}/audit")

    assert made == {"fingerprint": name, "project": "added", "result": "added", "why": ""}
    rows = [(one["project"], one["origin"], one["state"]) for one in page["keys"]]
    assert rows == [("added", "stored", "well"), ("given", "settings", "well")]
    assert [one["name"] for one in projects["projects"]] == ["added", "given"]
    assert {seen.headers["x-goog-api-key"] for seen in upstream.seen} == {GIVEN, CANARY}
    assert "is there already" in again["error"]["message"]
    assert gone == {"fingerprint": name, "project": "added"}
    assert twice["error"]["status"] == "NOT_FOUND"
    assert [one["project"] for one in left["keys"]] == ["given"]
    noted = [(one["action"], one["target"], one["detail"]) for one in audit["entries"]]
    assert noted == [
        ("key.remove", name, {"project": "added"}),
        ("key.add", name, {"project": "added"}),
    ]
    assert CANARY not in caplog.text


async def test_several_keys_are_imported_with_a_result_for_each(tmp_path: Path) -> None:
    body = {"keys": [{"key": one} for one in (CANARY, "a b", THIRD, ANN, PLAIN, SECRET, GIVEN)]}
    async with served(tmp_path) as (proxy, _):
        answer = await ask(proxy, "POST", f"{BASE}/keys/import", body)
        audit = await ask(proxy, "GET", f"{BASE}/audit?action=key.import")
        first = await ask(proxy, "GET", f"{BASE}/keys?limit=2")
        rest = await ask(proxy, "GET", f"{BASE}/keys?limit=2&cursor={first['next']}")
        one = await ask(proxy, "GET", f"{BASE}/keys?project=given")

    assert [one["result"] for one in answer["results"]] == [
        *("added", "refused", "added", "refused", "refused", "refused", "known")
    ]
    assert answer["added"] == 2
    assert all(one["why"] for one in answer["results"] if one["result"] != "added")
    assert [one["place"] for one in answer["results"]] == [f"item {n}" for n in range(1, 8)]
    assert audit["entries"][0]["detail"] == {"added": [fingerprint(CANARY), fingerprint(THIRD)]}
    assert len({one["fingerprint"] for one in first["keys"] + rest["keys"]}) == 3
    assert rest["next"] is None
    assert [key["fingerprint"] for key in one["keys"]] == [fingerprint(GIVEN)]


async def test_a_text_with_keys_is_imported_line_by_line(tmp_path: Path) -> None:
    text = f"# ours\nlab {CANARY}\n\n{THIRD}\na b c\n{GIVEN}\nKEYS={CANARY},two words\n"
    async with served(tmp_path) as (proxy, _):
        answer = await ask(proxy, "POST", f"{BASE}/keys/import", {"text": text, "project": "rest"})
        listed = await ask(proxy, "GET", f"{BASE}/keys")
        both = {"text": "{", "keys": [{"key": THIRD}]}
        broken = await ask(proxy, "POST", f"{BASE}/keys/import", both)
        bad: list[dict[str, object]] = [{}, {"keys": []}, {"text": 1}]
        for body in bad:
            await ask(proxy, "POST", f"{BASE}/keys/import", body, 400)

    assert [(one["place"], one["result"], one["project"]) for one in answer["results"]] == [
        ("line 2", "added", "lab"),
        ("line 4", "added", "rest"),
        ("line 5", "refused", ""),
        ("line 6", "known", "given"),
        ("line 7", "known", "lab"),
        ("line 7", "refused", ""),
    ]
    assert answer["added"] == 2
    assert {one["project"] for one in listed["keys"]} == {"given", "lab", "rest"}
    assert [(one["place"], one["result"]) for one in broken["results"]] == [
        ("item 1", "known"),
        ("text", "refused"),
    ]


async def test_a_disabled_key_serves_nothing_new_also_after_a_restart(tmp_path: Path) -> None:
    name, ann = fingerprint(GIVEN), {"x-goog-api-key": ANN}
    async with served(tmp_path) as (proxy, _):
        path = f"{BASE}/keys/{name}"
        shown = await ask(proxy, "PATCH", path, {"enabled": False})
        again = await ask(proxy, "PATCH", path, {"enabled": False})
        refused = await proxy.ask(headers=ann)
        health = await proxy.ask("/health", method="GET")
        unknown = await ask(proxy, "PATCH", f"{BASE}/keys/00000000", {"enabled": True}, 404)
        await ask(proxy, "PATCH", path, {}, 400)
        await ask(proxy, "PATCH", path, {"enabled": "no"}, 400)
    async with served(tmp_path) as (proxy, upstream):
        still = await ask(proxy, "GET", path)
        assert upstream.seen == []
        on = await ask(proxy, "PATCH", path, {"enabled": True})
        answered = await proxy.ask(headers=ann)
        audit = await ask(proxy, "GET", f"{BASE}/audit")
        used = await ask(proxy, "GET", path)

    assert (shown["state"], shown["enabled"], shown["origin"]) == ("disabled", False, "settings")
    assert again == still == shown
    assert refused.status == 503
    assert b"The operator has disabled all keys of the pool." in refused.body
    assert json.loads(health.body)["available_keys"] == 0
    assert "No key has this fingerprint" in unknown["error"]["message"]
    assert (on["state"], answered.status) == ("well", 200)
    assert (on["last_used_at"], on["last_result"]) == (None, None)
    assert used["last_result"] == "ok"
    assert used["last_used_at"].startswith("20")
    noted = [(one["action"], one["target"]) for one in audit["entries"]]
    assert noted == [("key.enable", name), ("key.disable", name)]


async def test_what_is_bound_to_a_disabled_project_says_so(tmp_path: Path) -> None:
    made, ann = {"name": "cachedContents/abc"}, {"x-goog-api-key": ANN}
    cache = "/v1beta/cachedContents/abc"
    async with served(tmp_path, json_reply(made)) as (proxy, upstream):
        await proxy.ask("/v1beta/cachedContents", b"{}", ann)
        await ask(proxy, "POST", f"{BASE}/keys", {"key": CANARY, "project": "other"}, 201)
        await ask(proxy, "PATCH", f"{BASE}/keys/{fingerprint(GIVEN)}", {"enabled": False})
        bound = await proxy.ask(cache, headers=ann, method="GET")
        free = await proxy.ask(headers=ann)
        await ask(proxy, "PATCH", f"{BASE}/keys/{fingerprint(GIVEN)}", {"enabled": True})
        again = await proxy.ask(cache, headers=ann, method="GET")

    error = json.loads(bound.body)["error"]
    assert (bound.status, error["status"]) == (503, "UNAVAILABLE")
    assert error["message"] == (
        "The operator has disabled all keys of the project that has what the request names."
    )
    assert (free.status, again.status) == (200, 200)
    served_by = [seen.headers["x-goog-api-key"] for seen in upstream.seen]
    assert served_by == [GIVEN, CANARY, GIVEN]


async def test_keys_are_found_by_state_and_text(tmp_path: Path) -> None:
    async with served(tmp_path) as (proxy, _):
        await ask(proxy, "POST", f"{BASE}/keys", {"key": CANARY, "project": "Lab-7"}, 201)
        await ask(proxy, "PATCH", f"{BASE}/keys/{fingerprint(GIVEN)}", {"enabled": False})

        async def names(query: str) -> list[str]:
            page = await ask(proxy, "GET", f"{BASE}/keys?{query}")
            return [one["project"] for one in page["keys"]]

        assert await names("state=disabled") == ["given"]
        assert await names("state=well") == await names("state=ready") == ["Lab-7"]
        assert await names("state=resting") == []
        assert await names("find=LAB-") == ["Lab-7"]
        assert await names(f"find={fingerprint(GIVEN)[2:]}") == ["given"]
        await ask(proxy, "GET", f"{BASE}/keys?state=ill", status=400)


async def test_a_key_of_the_settings_stays(tmp_path: Path) -> None:
    async with served(tmp_path) as (proxy, _):
        path = f"{BASE}/keys/{fingerprint(GIVEN)}"
        answer = await ask(proxy, "DELETE", path, status=409)

    assert "is in the settings" in answer["error"]["message"]


async def test_scripts_of_earlier_tools_add_a_key(tmp_path: Path) -> None:
    path = "/admin/config/gemini-key"
    async with served(tmp_path) as (proxy, _):
        done = await ask(proxy, "POST", path, {"key": CANARY})
        page = await ask(proxy, "GET", f"{BASE}/keys")
        for key in ("", "two words", SECRET, PLAIN):
            await ask(proxy, "POST", path, {"key": key}, 400)
        await ask(proxy, "POST", path, {}, 400)

    assert done["success"] is True
    assert fingerprint(CANARY) in done["message"]
    assert len(page["keys"]) == 2


async def test_rests_and_sicknesses_are_shown_with_their_times(tmp_path: Path) -> None:
    refused = {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid."}
    refused["details"] = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    ]
    quota = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota"}
    async with served(tmp_path) as (proxy, _):
        pool, now = proxy.app[POOL], 4_000_000_000.0
        for status, error in ((429, quota), (400, refused)):
            pick = pool.pick(Wish("m" if status == 429 else "n"), now)
            assert isinstance(pick, Pick)
            pool.over(pick, Outcome(status, error), now)
        (shown,) = (await ask(proxy, "GET", f"{BASE}/keys"))["keys"]
        (project,) = (await ask(proxy, "GET", f"{BASE}/projects"))["projects"]

    assert (shown["state"], project["well"]) == ("sick", 0)
    assert shown["why"]
    assert shown["check_at"].startswith("2096-")
    assert [rest["model"] for rest in shown["rests"]] == ["m"]
    assert shown["rests"] == project["rests"]
    assert shown["rests"][0]["until"].startswith("2096-")


async def test_a_proxy_without_a_pool_says_so() -> None:
    with pytest.raises(Unrouted, match="no pool of keys"):
        await keys(Call(Desk(), {}, KeysQuery(), NOTHING, "operator", "127.0.0.1"))


def test_no_key_is_in_the_text_of_a_form() -> None:
    assert CANARY not in repr([NewKey(key=CANARY), GeminiKey(key=CANARY)])
