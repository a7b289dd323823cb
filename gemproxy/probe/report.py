"""The findings, as JSON that a user can send us and as a table for the terminal.

The report contains figures, Google's messages when it refuses a form, and, unless the user turns
that off, at most 80 characters of model text around a seam. It never contains the key or any data
of the user: the prompts are the probe's own.
"""

import enum
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import attrs

from gemproxy import __version__
from gemproxy.core.answer.usage import Billed
from gemproxy.probe.judging import Seam

Json = dict[str, Any]
Figures = Mapping[str, str | int | bool | None]

FORMAT = 1
"""Version of the prompts, cases and fields; reports with the same one can be compared."""

_EXCERPT = 40


class Judgement(enum.Enum):
    """The verdict on an assumption."""

    HOLDS = "holds"
    FAILS = "fails"
    REFUSED = "refused"  # the API answers the form with 400
    SKIPPED = "skipped"


@attrs.frozen
class Excerpt:
    """The characters on both sides of a seam."""

    before: str
    after: str

    @classmethod
    def of(cls, seam: Seam) -> "Excerpt":
        """Return the part of a seam that a report may show."""
        return cls(seam.delivered[-_EXCERPT:], seam.after[:_EXCERPT])


@attrs.frozen
class Finding:
    """The verdict on one case with one model; ``relied_on``: gemproxy needs it to hold."""

    model: str
    case: str
    relied_on: bool
    verdict: Judgement
    reason: str = ""
    figures: Figures = attrs.field(factory=dict)
    excerpt: Excerpt | None = None

    @property
    def disappoints(self) -> bool:
        """Whether an assumption that gemproxy relies on does not hold."""
        return self.relied_on and self.verdict in (Judgement.FAILS, Judgement.REFUSED)


@attrs.define
class Report:
    """All findings of a run; ``complete``: every case was run."""

    server: str
    seed: int
    excerpts: bool = True
    began: datetime = attrs.field(factory=lambda: datetime.now(UTC))
    findings: list[Finding] = attrs.field(factory=list)
    requests: int = 0
    tokens: Billed = attrs.field(factory=Billed)
    complete: bool = False

    @property
    def holds(self) -> bool:
        """Whether at least one assumption holds, and none that gemproxy relies on fails."""
        held = any(finding.verdict is Judgement.HOLDS for finding in self.findings)
        return held and not any(finding.disappoints for finding in self.findings)

    def dumps(self) -> str:
        """Return the report as JSON text."""
        document = {
            "format": FORMAT,
            "gemproxy": __version__,
            "python": platform.python_version(),
            "platform": platform.system(),
            "aiohttp": aiohttp.__version__,
            "date": self.began.isoformat(timespec="seconds"),
            "server": self.server,
            "seed": self.seed,
            "complete": self.complete,
            "holds": self.holds,
            "requests": self.requests,
            "tokens": self.tokens.report(),
            "findings": [self._finding(finding) for finding in self.findings],
        }
        return json.dumps(document, indent=2) + "\n"

    def _finding(self, finding: Finding) -> Json:
        document = attrs.asdict(finding)
        document["verdict"] = finding.verdict.value
        if not self.excerpts or finding.excerpt is None:
            del document["excerpt"]
        return document

    def table(self) -> str:
        """Return the verdicts by case and model, with the reasons of failures."""
        models = _distinct(finding.model for finding in self.findings)
        verdicts = {(f.case, f.model): f for f in self.findings}
        rows = [["case", *models]]
        for case in _distinct(finding.case for finding in self.findings):
            cells = [verdicts.get((case, model)) for model in models]
            rows.append([case, *map(_cell, cells)])
        return "\n".join([*_aligned(rows), *self._reasons()])

    def _reasons(self) -> list[str]:
        notable = [f for f in self.findings if f.verdict is not Judgement.HOLDS]
        lines = [f"{f.model}, {f.case}: {_cell(f)}: {f.reason}" for f in notable]
        note = "* nothing that gemproxy relies on; for information"
        starred = any(_cell(f).endswith("*") for f in notable)
        return ["", *lines, *([note] if starred else [])] if lines else []


def _cell(finding: Finding | None) -> str:
    if finding is None:
        return "-"
    informs = not finding.relied_on and finding.verdict in (Judgement.FAILS, Judgement.REFUSED)
    return finding.verdict.value + ("*" if informs else "")


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
