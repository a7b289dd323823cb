"""The command's check says which keys are sick and why, and records it."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yarl import URL

from gemproxy.chaos.projects import parse_project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.keys.checking import changes_of, check
from gemproxy.keys.site import Site
from gemproxy.lending.checking import Finding
from gemproxy.pool.key import Key, fingerprint
from gemproxy.pool.state import Result, Sickness, Why
from tests.keys.conftest import RunKeys

KEY = Key("AIza-canary", "lab")
NOW = 1_795_000_000.0


def test_what_was_found_is_learnt() -> None:
    known = [
        Sickness("aaaaaaaa", Why.INVALID, NOW - 9, again_at=NOW, times=2),
        Sickness("bbbbbbbb", None, NOW - 9),
    ]

    def found(name: str, result: Result) -> Finding:
        key = Key(name, "lab")
        object.__setattr__(key, "name", name)
        return Finding(key, result)

    learnt = changes_of(
        [
            found("aaaaaaaa", Result.OK),
            found("bbbbbbbb", Result.OK),
            found("cccccccc", Result.LEAKED),
            found("dddddddd", Result.SERVICE),
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
