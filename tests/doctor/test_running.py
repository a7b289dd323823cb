"""How checks are run: side by side, in time, and in order."""

import asyncio

from gemproxy.config.settings import Settings, catalogue
from gemproxy.doctor.case import Case, Problem
from gemproxy.doctor.finding import Verdicts, ok, warning
from gemproxy.doctor.running import run
from gemproxy.doctor.table import CHECKS, Check, teller


def case(*problems: Problem) -> Case:
    return Case(settings=Settings(), origins={}, problems=problems)


async def fine(_: Case) -> Verdicts:
    return [ok("fine")]


async def hangs(_: Case) -> Verdicts:
    await asyncio.Event().wait()
    return []


async def breaks(_: Case) -> Verdicts:
    raise RuntimeError("canary")


async def test_the_order_is_that_of_the_table() -> None:
    met = asyncio.Barrier(2)

    async def meets(_: Case) -> Verdicts:
        await met.wait()
        return [ok("met")]

    checks = [Check("a", "", meets), Check("b", "", fine), Check("c", "", meets)]

    assert [one.check for one in await run(case(), checks)] == ["a", "b", "c"]


async def test_a_check_that_hangs_is_a_fault_and_holds_nobody_up() -> None:
    found = await run(case(), [Check("a", "", hangs), Check("b", "", fine)], seconds=0.01)

    assert [(one.check, one.status) for one in found] == [("a", "fault"), ("b", "ok")]
    assert "no result in 0.01 seconds" in found[0].message


async def test_a_check_that_fails_is_told_without_what_it_said() -> None:
    (found,) = await run(case(), [Check("a", "", breaks)])

    assert (found.status, "RuntimeError" in found.message) == ("fault", True)
    assert "canary" not in found.message


async def test_a_refusal_of_the_start_takes_the_place_of_an_ok() -> None:
    async def warns(_: Case) -> Verdicts:
        return [ok("fine"), warning("also", "do it")]

    problem = Problem.of("access.keys: none is set, so x. Set one (from default)")
    found = await run(case(problem), [Check("access", "", warns, tells=("access.keys",))])

    assert [(one.status, one.message, one.advice) for one in found] == [
        ("fault", "access.keys: none is set, so x", "set one"),
        ("warning", "also", "do it"),
    ]


def test_a_line_of_the_start_is_taken_apart() -> None:
    assert Problem.of("server.port: 'x: y' is bad (from environment PORT)") == Problem(
        "server.port", "'x: y' is bad", "environment PORT"
    )
    assert Problem.of("no colon") == Problem("", "no colon", "")


def test_every_setting_that_a_check_names_exists_and_has_one_teller() -> None:
    options = set(catalogue().options)
    sections = {f"{path.partition('.')[0]}." for path in options}
    for check in CHECKS:
        assert set(check.needs) <= options, check.name
        assert set(check.tells) <= options | sections, check.name
        assert all(teller(path) == check.name for path in check.tells), check.name
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert teller("openai.default_model") == "settings"
