"""How findings are shown: aligned lines with marks for people, or JSON."""

import json
import textwrap
from collections.abc import Sequence

import attrs

from gemproxy.doctor.finding import Finding, Status

_MARKS: dict[Status, str] = {
    "ok": "ok",
    "warning": "WARNING",
    "fault": "FAULT",
    "skipped": "skipped",
}
_COLOURS: dict[Status, str] = {"ok": "32", "warning": "33", "fault": "31", "skipped": "2"}
_WIDTH = max(map(len, _MARKS.values()))
_LEAST_WIDTH = 30


def document(findings: Sequence[Finding]) -> str:
    """Return the findings as JSON."""
    return json.dumps([attrs.asdict(finding) for finding in findings], indent=2)


def page(findings: Sequence[Finding], *, width: int, colour: bool) -> str:
    """Return the findings for people, in lines of ``width`` characters."""
    names = max(len(finding.check) for finding in findings)
    indent = " " * (_WIDTH + names + 4)
    room = max(_LEAST_WIDTH, width - len(indent))
    lines = []
    for finding in findings:
        mark = _MARKS[finding.status].ljust(_WIDTH)
        if colour:
            mark = f"\x1b[{_COLOURS[finding.status]}m{mark}\x1b[0m"
        first, *more = _wrapped(finding.message, room)
        lines += [f"{mark}  {finding.check.ljust(names)}  {first}"]
        lines += [f"{indent}{line}" for line in more]
        if finding.advice:
            first, *more = _wrapped(finding.advice, room - 3)
            lines += [f"{indent}-> {first}", *(f"{indent}   {line}" for line in more)]
    return "\n".join([*lines, "", summary(findings)])


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def summary(findings: Sequence[Finding]) -> str:
    """Return the number of faults and warnings in words."""
    numbers = {status: sum(one.status == status for one in findings) for status in _MARKS}
    parts = [
        f"{numbers[status]} {status}{'s' if numbers[status] > 1 else ''}"
        for status in ("fault", "warning")
        if numbers[status]
    ]
    skipped = f"; {numbers['skipped']} skipped" if numbers["skipped"] else ""
    return f"{' and '.join(parts) or 'no fault was found'}{skipped}"
