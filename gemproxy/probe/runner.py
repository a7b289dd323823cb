"""Runs the cases of every model, one request at a time, and records their findings.

A problem of one case (an accident, an answer that does not fit) skips that case. A problem of all
further cases (no quota, no network) skips the rest of the model.
"""

from collections.abc import Callable, Iterable, Sequence

import attrs

from gemproxy.probe.bench import Bench, Case, Outcome
from gemproxy.probe.gemini import CannotTell, Gemini, Rejection, Unavailable
from gemproxy.probe.report import Excerpt, Finding, Judgement, Report


@attrs.define(eq=False)
class Runner:
    """Fills ``report``; ``noted`` is called after each finding, to show and to save it."""

    gemini: Gemini
    report: Report
    noted: Callable[[Finding], object]

    async def run(self, models: Iterable[str], cases: Sequence[Case]) -> None:
        """Run all cases with all models."""
        for model in models:
            await self._probe(Bench(self.gemini, model, self.report.seed), cases)
        self.report.complete = True

    async def _probe(self, bench: Bench, cases: Sequence[Case]) -> None:
        remaining = iter(cases)
        for case in remaining:
            try:
                self._note(await self._try(bench, case))
            except Unavailable as reason:
                for skipped in (case, *remaining):
                    self._note(_skipped(bench, skipped, str(reason)))

    async def _try(self, bench: Bench, case: Case) -> Finding:
        """Return the finding of one case. Raises Unavailable."""
        try:
            return _found(bench, case, await case.trial(bench))
        except Unavailable:
            raise
        except CannotTell as reason:
            return _skipped(bench, case, str(reason))
        except TimeoutError:
            return _skipped(bench, case, f"no end within {self.gemini.timeout:g} s")
        except Rejection as rejection:
            return _refused(bench, case, rejection)

    def _note(self, finding: Finding) -> None:
        self.report.findings.append(finding)
        self.report.requests = self.gemini.meter.requests
        self.report.tokens = self.gemini.meter.tokens
        self.noted(finding)


def _found(bench: Bench, case: Case, outcome: Outcome) -> Finding:
    verdict = Judgement.FAILS if outcome.problem else Judgement.HOLDS
    reason = outcome.problem or outcome.success
    excerpt = None if outcome.seam is None else Excerpt.of(outcome.seam)
    return Finding(
        bench.model, case.name, case.relied_on, verdict, reason, outcome.figures, excerpt
    )


def _refused(bench: Bench, case: Case, rejection: Rejection) -> Finding:
    figures = {"status": rejection.status}
    return Finding(
        bench.model, case.name, case.relied_on, Judgement.REFUSED, str(rejection), figures
    )


def _skipped(bench: Bench, case: Case, reason: str) -> Finding:
    return Finding(bench.model, case.name, case.relied_on, Judgement.SKIPPED, reason)
