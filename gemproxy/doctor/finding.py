"""What a check says: one verdict for each thing that it found."""

from collections.abc import Sequence
from typing import Literal

import attrs

Status = Literal["ok", "warning", "fault", "skipped"]


@attrs.frozen
class Verdict:
    """One thing that a check found, in a sentence, and what the operator can do about it."""

    status: Status
    message: str
    advice: str = ""


Verdicts = Sequence[Verdict]


@attrs.frozen
class Finding:
    """A verdict with the name of its check. The fields are those of ``--json``."""

    check: str
    status: Status
    message: str
    advice: str


def ok(message: str) -> Verdict:
    """Return that all is well."""
    return Verdict("ok", message)


def warning(message: str, advice: str) -> Verdict:
    """Return what the proxy runs with, but should not."""
    return Verdict("warning", message, advice)


def fault(message: str, advice: str) -> Verdict:
    """Return what keeps the proxy, or a part of it, from working."""
    return Verdict("fault", message, advice)


def skipped(message: str, advice: str = "") -> Verdict:
    """Return why something was not looked at."""
    return Verdict("skipped", message, advice)
