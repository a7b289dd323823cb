"""The runner: one finding for each case of each model, whatever happens."""

from collections.abc import Callable

import pytest

from gemproxy.chaos.server import ChaosServer
from gemproxy.core.answer.usage import Billed
from gemproxy.probe.bench import Bench, Case, Outcome
from gemproxy.probe.gemini import CannotTell, Gemini, Rejection, Unavailable
from gemproxy.probe.judging import Seam
from gemproxy.probe.report import Excerpt, Finding, Judgement, Report
from gemproxy.probe.runner import Runner
from tests.probe.fake import fake_gemini

Connect = Callable[[ChaosServer], Gemini]
REFUSAL = b'{"error": {"status": "INVALID_ARGUMENT", "message": "No model turn."}}'


def case(name: str, outcome: Outcome | Exception) -> Case:
    async def trial(_: Bench) -> Outcome:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Case(name, "for a test", 1, trial)


FINE = case("fine", Outcome(None, "it holds", {"frames": 3}, Seam("a b", " c", "a b c", 3)))


async def run(connect: Connect, *cases: Case, models: tuple[str, ...] = ("one",)) -> Report:
    report = Report("a server", 0)
    noted: list[Finding] = []
    async with fake_gemini() as server:
        await Runner(connect(server), report, noted.append).run(models, cases)
    assert noted == report.findings
    return report


@pytest.mark.parametrize(
    ("outcome", "verdict", "reason"),
    [
        (Outcome(None, "it holds", {}), Judgement.HOLDS, "it holds"),
        (Outcome("it does not", "it holds", {}), Judgement.FAILS, "it does not"),
        (CannotTell("no place"), Judgement.SKIPPED, "no place"),
        (TimeoutError(), Judgement.SKIPPED, "no end within 30 s"),
        (Rejection(400, REFUSAL), Judgement.REFUSED, "400 INVALID_ARGUMENT: No model turn."),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_every_way_to_end_has_its_verdict_and_the_next_case_is_tried(
    connect: Connect, outcome: Outcome | Exception, verdict: Judgement, reason: str
) -> None:
    report = await run(connect, case("tried", outcome), FINE)

    first, second = report.findings
    assert (first.verdict, first.reason) == (verdict, reason)
    assert second.verdict is Judgement.HOLDS
    assert report.complete


async def test_a_finding_has_figures_and_both_sides_of_the_seam(connect: Connect) -> None:
    (finding,) = (await run(connect, FINE)).findings

    assert finding.figures == {"frames": 3}
    assert finding.excerpt == Excerpt("a b", " c")


async def test_a_model_that_is_gone_has_its_other_cases_skipped_and_the_next_one_its_turn(
    connect: Connect,
) -> None:
    gone = case("gone", Unavailable("no quota"))

    report = await run(connect, FINE, gone, FINE, models=("one", "two"))

    verdicts = [finding.verdict for finding in report.findings]
    assert verdicts == [Judgement.HOLDS, Judgement.SKIPPED, Judgement.SKIPPED] * 2
    assert {finding.reason for finding in report.findings[1:3]} == {"no quota"}


async def test_what_was_spent_is_in_the_report(connect: Connect) -> None:
    async def spend(bench: Bench) -> Outcome:
        bench.gemini.meter.count()
        bench.gemini.meter.add(Billed(1, 2, 3, 6))
        return Outcome(None, "it holds", {})

    report = await run(connect, Case("spends", "tokens", 1, spend))

    assert (report.requests, report.tokens) == (1, Billed(1, 2, 3, 6))


async def test_an_error_of_the_probe_itself_is_not_hidden(connect: Connect) -> None:
    with pytest.raises(ZeroDivisionError):
        await run(connect, case("bug", ZeroDivisionError()))
