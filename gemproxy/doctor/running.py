"""Runs the checks side by side, within a time limit, and tells their findings in order."""

import asyncio
import re
from collections.abc import Iterator, Sequence

from gemproxy.doctor.case import Case, Problem
from gemproxy.doctor.finding import Finding, Verdict, fault, skipped
from gemproxy.doctor.table import CHECKS, Check, teller

SECONDS = 10.0
"""Seconds for all checks together."""

_ADVICE = re.compile(r"(?:\. (?=[A-Z])|: (?=(?:set|add|make|give|install|pip) ))")
"""What stands in a refusal between the fault and what to do about it."""


async def run(
    case: Case, checks: Sequence[Check] = CHECKS, seconds: float = SECONDS
) -> list[Finding]:
    """Return the findings of ``checks``, each at least one, in the order of the table."""
    tasks = [asyncio.create_task(_run(check, case)) for check in checks]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await case.close()
    return [
        Finding(check.name, verdict.status, verdict.message, verdict.advice)
        for check, task in zip(checks, tasks, strict=True)
        for verdict in [*told(check, case), *_verdicts(check, task, seconds, case)]
    ]


def told(check: Check, case: Case) -> Iterator[Verdict]:
    """Yield the refusals of a start that ``check`` reports."""
    for problem in case.problems:
        if teller(problem.setting) == check.name:
            yield _refusal(problem)


def _refusal(problem: Problem) -> Verdict:
    why, *rest = _ADVICE.split(problem.why, maxsplit=1)
    words = f"{problem.setting}: {why}" if problem.setting else why
    if rest:
        return fault(words, f"{rest[0][0].lower()}{rest[0][1:]}")
    unset = problem.origin in {"", "default"}
    return fault(words, f"set {problem.setting}" if unset else f"correct it in {problem.origin}")


def _verdicts(
    check: Check, task: "asyncio.Task[Sequence[Verdict]]", seconds: float, case: Case
) -> Sequence[Verdict]:
    if task.cancelled():
        words = f"no result in {seconds:g} seconds"
        return [fault(words, "look at what this check asks; it hangs")]
    error = task.exception()
    if error is not None:
        words = f"the check itself failed ({type(error).__name__})"
        return [fault(words, "report this as a fault of gemproxy")]
    verdicts = task.result()
    if any(told(check, case)):
        return [verdict for verdict in verdicts if verdict.status in {"warning", "fault"}]
    return verdicts


async def _run(check: Check, case: Case) -> Sequence[Verdict]:
    wrong = [path for path in check.needs if path in case.wrong]
    if wrong:
        return [skipped(f"depends on {', '.join(wrong)}, which cannot be used")]
    if check.network and case.offline:
        return [skipped("--offline: nobody was asked")]
    return await check.run(case)
