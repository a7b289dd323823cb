"""A check says which keys are sick and why, and records it."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from gemproxy.chaos.projects import parse_project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.keys.checking import Finding, changes_of, check, judged
from gemproxy.keys.site import Site
from gemproxy.pool.key import Key, fingerprint
from gemproxy.pool.state import Sickness, Why
from tests.keys.conftest import RunKeys

KEY = Key("AIza-canary", "lab")
NOW = 1_795_000_000.0


def refusal(code: int, message: str, status: str, reason: str = "") -> bytes:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    details = [{"@type": kind, "reason": reason}] if reason else []
    error = {"code": code, "message": message, "status": status, "details": details}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "body", "well", "why"),
    [
        (200, b'{"models": []}', True, None),
        (200, b"<html>", None, None),
        (400, refusal(400, "API key not valid.", "INVALID_ARGUMENT"), False, Why.INVALID),
        (400, refusal(400, "x", "INVALID_ARGUMENT", "API_KEY_INVALID"), False, Why.INVALID),
        (403, refusal(403, "Your API key was leaked", "PERMISSION_DENIED"), False, Why.LEAKED),
        (403, refusal(403, "x", "PERMISSION_DENIED", "CONSUMER_SUSPENDED"), False, Why.SUSPENDED),
        (403, refusal(403, "x", "PERMISSION_DENIED", "SERVICE_DISABLED"), False, Why.DISABLED),
        (401, refusal(401, "x", "UNAUTHENTICATED"), False, Why.INVALID),
        (429, refusal(429, "x", "RESOURCE_EXHAUSTED"), True, None),
        (400, refusal(400, "bad pageSize", "INVALID_ARGUMENT"), None, None),
        (500, refusal(500, "x", "INTERNAL"), None, None),
        (404, b"not found", None, None),
    ],
)
def test_what_an_answer_says(status: int, body: bytes, well: bool | None, why: Why | None) -> None:
    finding = judged(KEY, status, body)

    assert (finding.well, finding.why, finding.elsewhere) == (well, why, False)


def test_a_refused_location_says_nothing_against_the_key() -> None:
    message = "User location is not supported for the API use."
    finding = judged(KEY, 400, refusal(400, message, "FAILED_PRECONDITION"))

    assert (finding.well, finding.elsewhere) == (True, True)
    assert "the location is refused" in finding.words


def test_an_answer_that_repeats_the_key_is_told_without() -> None:
    finding = judged(KEY, 403, refusal(403, f"{KEY.secret} \n is bad", "PERMISSION_DENIED"))

    assert finding.words == "403 *** is bad"


def test_what_was_found_is_learnt() -> None:
    known = [
        Sickness("aaaaaaaa", Why.INVALID, NOW - 9, again_at=NOW, times=2),
        Sickness("bbbbbbbb", None, NOW - 9),
    ]

    def found(name: str, *, well: bool | None, why: Why | None = None) -> Finding:
        key = Key(name, "lab")
        object.__setattr__(key, "name", name)
        return Finding(key, well, why=why)

    learnt = changes_of(
        [
            found("aaaaaaaa", well=True),
            found("bbbbbbbb", well=True),
            found("cccccccc", well=False, why=Why.LEAKED),
            found("dddddddd", well=None),
        ],
        known,
        NOW,
    )

    assert [(type(one), getattr(one, "key", ""), getattr(one, "why", "")) for one in learnt] == [
        (Sickness, "aaaaaaaa", None),
        (Sickness, "cccccccc", Why.LEAKED),
    ]


def site(base: str, tmp_path: Path, **more: Any) -> Site:
    values: Mapping[str, Any] = {"keys": (), "proxies": {}, "proxy": None, **more}
    return Site(tmp_path, "", base=URL(base), connect_seconds=5.0, **values)


async def test_a_server_that_cannot_be_reached_says_nothing(tmp_path: Path) -> None:
    told: list[Finding] = []
    findings = await check(site("http://127.0.0.1:1", tmp_path), [KEY], told.append)

    assert findings == told
    assert findings[0].well is None
    assert findings[0].words.startswith("no answer")


async def test_a_check_is_told_and_recorded(keys: RunKeys) -> None:
    projects = [parse_project("lab=AIza-well"), parse_project("home=AIza-other")]
    async with ChaosServer(Script(BUILT_IN["story"]), projects=projects) as fake:
        flags = ("--upstream.url_base", fake.url)
        keys("add", "--project", "lab", given="AIza-well\nAIza-canary")
        done = await asyncio.to_thread(keys, "check", *flags)
        one = await asyncio.to_thread(keys, "check", fingerprint("AIza-well"), "--json", *flags)

    well, sick = sorted(done.out.splitlines(), key=len)
    assert done.code == 1
    assert well == f"{fingerprint('AIza-well')} of lab is well"
    assert sick.startswith(f"{fingerprint('AIza-canary')} of lab is sick (invalid): 400 ")
    assert one.code == 0
    assert json.loads(one.out)["state"] == "well"
    rows = {row["fingerprint"]: row for row in json.loads(keys("list", "--json").out)}
    assert rows[fingerprint("AIza-canary")]["why"] == "invalid"
    assert rows[fingerprint("AIza-canary")]["check_at"] > time.strftime("%Y")
    assert rows[fingerprint("AIza-well")]["state"] == "well"
    assert "canary" not in done.out + done.err
