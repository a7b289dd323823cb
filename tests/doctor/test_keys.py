"""The operator's keys: whether there are any, and what Google says of them."""

import asyncio

import pytest

from gemproxy.__main__ import main
from gemproxy.chaos.projects import parse_project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.doctor.keys import judge
from gemproxy.lending.checking import Finding
from gemproxy.pool.key import Key, fingerprint
from gemproxy.pool.state import Result
from tests.doctor.conftest import STRONG, Doctor

WELL, SICK = "AIza-well", "AIza-canary"


async def test_passthrough_is_said_as_such(doctor: Doctor) -> None:
    report = await doctor()

    assert report.one("keys").status == "ok"
    assert report.one("keys").message.startswith("passthrough: clients bring their own")


async def test_a_pool_without_keys_is_a_fault_that_is_told_once(doctor: Doctor) -> None:
    report = await doctor(GEMPROXY_POOL_MODE="pool", PASSWORD=STRONG)

    assert report.one("keys").status == "fault"
    assert "needs a Gemini key, and there is none" in report.one("keys").message


async def test_a_pool_with_keys_is_silent(doctor: Doctor) -> None:
    report = await doctor(GEMINI_API_KEYS="AIza-one,AIza-two", PASSWORD=STRONG)

    assert report.one("keys").message == "pool: 2 keys of 2 projects"


async def test_keys_that_google_refuses_are_faults(doctor: Doctor) -> None:
    projects = [parse_project(f"lab={WELL}")]
    async with ChaosServer(Script(BUILT_IN["story"]), projects=projects) as fake:
        flags = ("--upstream.url_base", fake.url)
        sick = await doctor(*flags, GEMINI_API_KEYS=f"{WELL},{SICK}", PASSWORD=STRONG)
        well = await doctor(*flags, GEMINI_API_KEYS=WELL, PASSWORD=STRONG)

    assert sick.code == 1
    assert f"Google refuses the key {fingerprint(SICK)}" in sick.one("keys-at-google").message
    assert "canary" not in sick.text
    assert well.one("keys-at-google").message == "Google takes 1 key"
    assert well.code == 0


async def test_a_disabled_key_is_not_asked_about_and_all_of_them_are_a_fault(
    doctor: Doctor,
) -> None:
    projects = [parse_project(f"lab={WELL}")]
    variables = {"GEMINI_API_KEYS": f"{WELL},{SICK}", "PASSWORD": STRONG}
    async with ChaosServer(Script(BUILT_IN["story"]), projects=projects) as fake:
        flags = ("--upstream.url_base", fake.url)
        await doctor(*flags, **variables)  # sets the variables
        await asyncio.to_thread(main, ["keys", "disable", fingerprint(SICK)])
        some = await doctor(*flags, **variables)
        await asyncio.to_thread(main, ["keys", "disable", fingerprint(WELL)])
        none = await doctor(*flags, **variables)

    assert some.one("keys").message == "pool: 2 keys of 2 projects, 1 disabled"
    assert some.one("keys-at-google").message == "Google takes 1 key"
    assert some.code == 0
    assert none.one("keys").status == "fault"
    assert "disabled all keys" in none.one("keys").message


async def test_no_answer_is_no_refusal(doctor: Doctor) -> None:
    flags = ("--upstream.url_base", "http://127.0.0.1:1")
    report = await doctor(*flags, GEMINI_API_KEYS=SICK, PASSWORD=STRONG)

    assert report.one("keys-at-google").status == "warning"
    assert report.one("upstream").status == "fault"
    assert "canary" not in report.text


async def test_offline_nobody_is_asked(doctor: Doctor) -> None:
    report = await doctor(GEMINI_API_KEYS=SICK, PASSWORD=STRONG)

    assert {report.one(name).status for name in ("keys-at-google", "upstream", "clock")} == {
        "skipped"
    }


KEY = Key("AIza-one", "lab", "environment GEMINI_API_KEY")


@pytest.mark.parametrize(
    ("finding", "status", "words"),
    [
        (Finding(KEY, Result.OK), "ok", "Google takes 1 key"),
        (Finding(KEY, Result.LEAKED, "403 x"), "fault", "403 x"),
        (Finding(KEY, Result.NO_ANSWER, "no answer: y"), "warning", "no answer: y"),
        (Finding(KEY, Result.LOCATION, "z"), "fault", "the location"),
    ],
)
def test_what_google_says(finding: Finding, status: str, words: str) -> None:
    (verdict,) = judge([finding], 1)

    assert verdict.status == status
    assert words in verdict.message


def test_many_refused_keys_are_counted() -> None:
    found = [Finding(Key(f"AIza-{n}", "lab"), Result.DENIED, "400") for n in range(40)]

    assert len(judge(found, 40)) == 11
    assert judge(found, 40)[-1].message == "and 30 more"


def test_keys_without_an_answer_in_time_are_counted() -> None:
    (verdict,) = judge([Finding(KEY, Result.OK)], 3)

    assert (verdict.status, verdict.message[:38]) == (
        "warning",
        "there was no answer for 2 keys in 8 se",
    )


async def test_an_access_key_that_is_a_key_of_the_pool_is_a_fault(doctor: Doctor) -> None:
    report = await doctor(GEMINI_API_KEYS=STRONG, PASSWORD=STRONG)

    assert report.code == 1
    assert STRONG not in report.text
