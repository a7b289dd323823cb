"""What the operator sees: ``gemproxy keys list --json`` beside a server that met refusals (C30)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.projects import Project
from gemproxy.chaos.refusals import (
    BAD_ARGUMENT,
    BILLING,
    DISABLED,
    EXPIRED,
    INVALID,
    LEAKED,
    LOCATION,
    OVERLOADED,
    WRONG_TOKEN,
    Refusal,
    absent,
    quota,
    requests_by_day,
    requests_by_minute,
    suspended,
)
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.pool.key import fingerprint
from tests.pooled.house import K1, K2, K3, MODEL, access, projects, stream_of
from tests.pooled.program import program
from tests.running import PATIENCE
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

Shown = dict[str, Any]


def state(shown: Shown) -> tuple[str, Any]:
    return shown["state"], shown["why"]


def rests(shown: Shown) -> list[tuple[str, str]]:
    return [(rest["model"], rest["why"]) for rest in shown["rests"]]


async def listed_after(
    folder: Path, of: list[Project], refusal: Refusal, holds: Callable[[dict[str, Shown]], bool]
) -> dict[str, Shown]:
    """Have P1 refuse some requests; return the list of keys, by fingerprint, once ``holds``."""
    installed = program(folder, of)
    async with (
        ChaosServer(Script(Answer("Well.")), projects=of) as fake,
        installed.serving(fake) as process,
    ):
        fake.cloud.refuse("P1", refusal)
        for number in range(6):
            await process.ask(stream_of(), body_of(f"Prompt {number}"), access())
        async with asyncio.timeout(PATIENCE):
            while not holds(shown := {one["fingerprint"]: one for one in await installed.listed()}):
                continue  # each look is a process; the store writes behind, and announces nothing
        return shown


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (INVALID, "invalid"),
        (EXPIRED, "invalid"),
        (WRONG_TOKEN, "invalid"),
        (suspended(K1), "suspended"),
        (LEAKED, "leaked"),
        (DISABLED, "disabled"),
    ],
    ids=["invalid", "expired", "wrong token", "suspended", "leaked", "disabled"],
)
async def test_a_sick_key_is_shown_with_its_reason(
    tmp_path: Path, refusal: Refusal, why: str
) -> None:
    of = [Project("P1", (K1,)), Project("P2", (K2,))]
    first, second = fingerprint(K1), fingerprint(K2)
    shown = await listed_after(tmp_path, of, refusal, lambda it: it[first]["state"] == "sick")

    assert state(shown[first]) == ("sick", why)
    assert shown[first]["check_at"] is not None
    assert state(shown[second]) == ("well", None)


async def test_missing_billing_is_shown_for_the_whole_project(tmp_path: Path) -> None:
    names = [fingerprint(key) for key in (K1, K2, K3)]
    shown = await listed_after(
        tmp_path, projects(), BILLING, lambda it: it[names[0]]["state"] == "sick"
    )

    assert [state(shown[name]) for name in names] == [
        ("sick", "billing"),
        ("sick", "billing"),
        ("well", None),
    ]
    assert all(one["location_refused_at"] is None for one in shown.values())


async def test_a_refused_location_is_shown_and_makes_no_key_sick(tmp_path: Path) -> None:
    shown = await listed_after(
        tmp_path,
        [Project("P1", (K1,))],
        LOCATION,
        lambda it: it[fingerprint(K1)]["location_refused_at"] is not None,
    )

    assert state(shown[fingerprint(K1)]) == ("well", None)


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (quota(requests_by_minute(MODEL), delay=500), "minute"),
        (quota(requests_by_day(MODEL), delay=36), "day"),
        (absent(MODEL), "absent"),
    ],
    ids=["minute", "day", "absent"],
)
async def test_a_rest_is_shown_with_its_model(tmp_path: Path, refusal: Refusal, why: str) -> None:
    first = fingerprint(K1)
    shown = await listed_after(tmp_path, projects(), refusal, lambda it: bool(it[first]["rests"]))

    assert rests(shown[first]) == rests(shown[fingerprint(K2)]) == [(MODEL, why)]
    assert rests(shown[fingerprint(K3)]) == []
    assert {state(one) for one in shown.values()} == {("well", None)}


@pytest.mark.parametrize("refusal", [BAD_ARGUMENT, OVERLOADED], ids=["argument", "overload"])
async def test_what_is_no_keys_fault_leaves_no_trace(tmp_path: Path, refusal: Refusal) -> None:
    shown = await listed_after(tmp_path, projects(), refusal, bool)

    assert {state(one) for one in shown.values()} == {("well", None)}
    assert all(one["rests"] == [] for one in shown.values())
