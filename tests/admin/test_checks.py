"""Checks by the admin API over sockets: what is said of a key, and what the pool learns."""

import json
from pathlib import Path
from typing import Any

from gemproxy.pool.key import fingerprint
from tests.admin.test_keys import ANN, BASE, CANARY, GIVEN, WHOLE, ask, served
from tests.replies import Reply, json_reply, sse_reply

NAME = fingerprint(GIVEN)


def refusal(status: int, message: str, word: str, reason: str = "") -> Reply:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    error: dict[str, Any] = {"code": status, "message": message, "status": word}
    error["details"] = [{"@type": kind, "reason": reason}] if reason else []
    return json_reply({"error": error}, status)


LEAKED = refusal(403, f"Your API key {GIVEN} was reported as leaked.", "PERMISSION_DENIED")


async def test_a_check_takes_a_key_out_and_brings_it_back(tmp_path: Path) -> None:
    ann = {"x-goog-api-key": ANN}
    replies = (LEAKED, json_reply({"models": []}), sse_reply(WHOLE))
    async with served(tmp_path, *replies) as (proxy, upstream):
        bad = await ask(proxy, "POST", f"{BASE}/keys/{NAME}/check")
        sick = await ask(proxy, "GET", f"{BASE}/keys/{NAME}")
        refused = await proxy.ask(headers=ann)
        good = await ask(proxy, "POST", f"{BASE}/keys/{NAME.upper()}/check")
        well = await ask(proxy, "GET", f"{BASE}/keys/{NAME}")
        answered = await proxy.ask(headers=ann)
        audit = await ask(proxy, "GET", f"{BASE}/audit?action=key.check")
        await ask(proxy, "POST", f"{BASE}/keys/00000000/check", status=404)

    of_key = {"fingerprint": NAME, "project": "given"}
    assert bad == {**of_key, "state": "sick", "result": "leaked", "status": 403}
    assert good == {**of_key, "state": "well", "result": "ok", "status": 200}
    assert (sick["state"], sick["why"], sick["last_result"]) == ("sick", "leaked", None)
    assert well["state"] == "well"
    assert (refused.status, answered.status) == (503, 200)
    assert [seen.method for seen in upstream.seen] == ["GET", "GET", "POST"]
    assert [one["detail"] for one in audit["entries"]] == [
        {"state": "well", "result": "ok"},
        {"state": "sick", "result": "leaked"},
    ]
    assert GIVEN not in json.dumps(audit)


async def test_all_keys_are_checked_and_counted(tmp_path: Path) -> None:
    async with served(tmp_path, json_reply({"models": []}), LEAKED) as (proxy, upstream):
        await ask(proxy, "POST", f"{BASE}/keys", {"key": CANARY, "project": "added"}, 201)
        found = await ask(proxy, "POST", f"{BASE}/keys/check")
        one = await ask(proxy, "POST", f"{BASE}/keys/check?project=given")
        await ask(proxy, "POST", f"{BASE}/keys/check?project=nobodys", status=404)

    assert [check["fingerprint"] for check in found["checks"]] == [fingerprint(CANARY), NAME]
    assert (found["well"], found["sick"], found["unknown"]) == (1, 1, 0)
    assert [check["project"] for check in one["checks"]] == ["given"]
    assert {seen.headers["x-goog-api-key"] for seen in upstream.seen} == {GIVEN, CANARY}


async def test_an_upstream_that_says_nothing_changes_nothing(tmp_path: Path) -> None:
    overloaded = refusal(503, "The model is overloaded.", "UNAVAILABLE")
    replies = (overloaded, json_reply([]), Reply(b"", closes=True))
    async with served(tmp_path, *replies) as (proxy, _):
        found = [await ask(proxy, "POST", f"{BASE}/keys/{NAME}/check") for _ in range(3)]
        shown = await ask(proxy, "GET", f"{BASE}/keys/{NAME}")

    assert [(one["state"], one["result"], one["status"]) for one in found] == [
        ("unknown", "service", 503),
        ("unknown", "not_gemini", None),
        ("unknown", "no_answer", None),
    ]
    assert shown["state"] == "well"


async def test_keys_that_could_not_be_asked_about_in_time_are_said(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("gemproxy.lending.ring.CHECK_SECONDS", 0.0)
    async with served(tmp_path, Reply(b"", stalls=True)) as (proxy, _):
        found = await ask(proxy, "POST", f"{BASE}/keys/check")

    assert [(one["state"], one["result"]) for one in found["checks"]] == [("unknown", "not_asked")]
    assert found["unknown"] == 1
