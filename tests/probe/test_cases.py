"""The list of cases: consistent in itself, and selected by name."""

import json
from collections.abc import Callable

import pytest

from gemproxy.chaos.server import ChaosServer
from gemproxy.probe.bench import Bench
from gemproxy.probe.cases import CASES, selected
from gemproxy.probe.gemini import CannotTell
from tests.probe.fake import fake_gemini, generations

NAMES = [case.name for case in CASES]


def test_names_are_distinct() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_what_a_case_needs_comes_before_it() -> None:
    for position, case in enumerate(CASES):
        assert set(case.needs) <= set(NAMES[:position])


async def test_no_case_makes_more_requests_than_it_says_and_no_two_ask_the_same(
    bench_at: Callable[[ChaosServer], Bench],
) -> None:
    asked: dict[str, str] = {}
    async with fake_gemini() as server:
        bench = bench_at(server)
        for case in CASES:
            before = generations(server)
            try:
                await case.trial(bench)
            except CannotTell:
                assert case.name == "native"
            assert generations(server) - before <= case.requests
            for request in server.requests[before:]:
                prompt = json.dumps(request.document["contents"][0])
                asked.setdefault(prompt, case.needs[0] if case.needs else case.name)
                assert asked[prompt] in (case.name, *case.needs)


def test_all_cases_are_selected_when_none_is_named() -> None:
    assert selected([]) == [*CASES]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["prefill"], ["prefill"]),
        (["native"], ["wire", "native"]),
        (["signatures", "wire"], ["wire", "tools", "signatures"]),
        (["plain"], ["plain-before-space", "plain-after-space", "plain-mid-word"]),
    ],
)
def test_cases_are_selected_by_name_with_what_they_need(
    wanted: list[str], names: list[str]
) -> None:
    assert [case.name for case in selected(wanted)] == names


def test_a_name_that_fits_no_case_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no such case; there are wire, echo-before-space"):
        selected(["ech"])
