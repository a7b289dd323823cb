"""Classes of a model's reaction to the request for the anchor, and of the client's result."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

import attrs

from bench.figures import lines_of
from bench.seams.real.adapter import Attempt
from bench.seams.real.conversations import Case
from gemproxy.probe.judging import Seam, flaw_of

FIRST = ("exact", "in marks", "altered", "restart", "notice", "apology", "preamble", "other")
"""The classes of a first attempt, in the order of their tests."""

ALIKE = 0.75
"""Share of common characters of an altered anchor and the true one."""

RESTART = 30
_APOLOGY = re.compile(
    r"\s*(?:I'm sorry|I am sorry|Sorry|I apologi|My apologies|Apologies|Unfortunately)"
)
_PREAMBLE = re.compile(r"\s*(?:Sure|Certainly|Of course|Okay|OK|Here is|Here's|Continu|这是|好的)")
_NOTICE = re.compile(
    r"connection broke|did not get the end|last characters|reply_so_far|last message|连接中断"
)
_END = re.compile(r"[.!?\u3002\uff01\uff1f][\"'\u201d)]*\s*$")


def class_of(case: Case, attempt: Attempt) -> str:
    """Return the class of the model's text."""
    anchor = (attempt.asked.anchor or "").strip()
    text = attempt.text.lstrip()
    bare = text.lstrip("<[\u27e6\"'\u201c`\n ")
    if anchor and text.startswith(anchor):
        return "exact"
    if anchor and bare.startswith(anchor):
        return "in marks"
    if bare.startswith(case.delivered.lstrip()[:RESTART]):
        return "restart"
    if anchor and _share(bare[: len(anchor)], anchor) >= ALIKE:
        return "altered"
    for name, pattern in (("apology", _APOLOGY), ("notice", _NOTICE), ("preamble", _PREAMBLE)):
        if pattern.search(text[:200]) if name == "notice" else pattern.match(text):
            return name
    return "other"


def _share(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


@attrs.frozen
class Outcome:
    """One case: the attempts, gemproxy's joins, and the client's result.

    ``joints`` are the kinds that gemproxy logged, ``received`` is the client's text, ``whole``
    means that the stream ended with STOP.
    """

    case: Case
    attempts: Sequence[Attempt]
    joints: Sequence[str]
    received: str
    whole: bool

    @property
    def after(self) -> str:
        """The client's text after the delivered text."""
        return self.received[len(self.case.delivered) :]

    @property
    def flaw(self) -> str | None:
        """The flaw of the seam by the rules of ``gemproxy probe``; None without a seam."""
        return flaw_of(Seam(self.case.delivered, self.case.ahead, self.after))

    @property
    def verdict(self) -> str:
        """The class of the client's result."""
        if not self.whole:
            return "loud"
        new = self.after.strip(" \n.>]\u27e7")
        if not new and not _END.search(self.case.delivered):
            return "STOP with nothing new"
        return "reads on" if self.flaw is None else "flawed"


MADE = ("echo", "overlap", "restart", "plain", "none")
ENDED = ("reads on", "flawed", "loud", "STOP with nothing new")


def report(found: Iterable[tuple[str, Sequence[Outcome]]]) -> list[str]:
    """Return the tables of some wordings as lines."""
    runs = list(found)
    firsts = [_row(name, FIRST, map(_first, outcomes)) for name, outcomes in runs]
    joints = [_row(name, MADE, map(_joint, outcomes)) for name, outcomes in runs]
    ends = [
        [*_row(name, ENDED, (outcome.verdict for outcome in outcomes)), str(_attempts(outcomes))]
        for name, outcomes in runs
    ]
    places = [["reads on, by place", "n", "reads on"], *_by_place(runs)]
    return [
        *lines_of([["first attempt", "n", *FIRST], *firsts]),
        "",
        *lines_of([["first joint", "n", *MADE], *joints]),
        "",
        *lines_of([["for the client", "n", *ENDED, "attempts"], *ends]),
        "",
        *lines_of(places),
    ]


def _row(name: str, columns: Sequence[str], values: Iterable[str]) -> list[str]:
    counted = Counter(values)
    return [name, str(counted.total()), *(str(counted[column]) for column in columns)]


def _first(outcome: Outcome) -> str:
    return class_of(outcome.case, outcome.attempts[0]) if outcome.attempts else "other"


def _joint(outcome: Outcome) -> str:
    return outcome.joints[0] if outcome.joints else "none"


def _attempts(outcomes: Sequence[Outcome]) -> int:
    return sum(len(outcome.attempts) for outcome in outcomes)


def _by_place(runs: Sequence[tuple[str, Sequence[Outcome]]]) -> Iterable[list[str]]:
    for name, outcomes in runs:
        for place in dict.fromkeys(outcome.case.place for outcome in outcomes):
            verdicts = [outcome.verdict for outcome in outcomes if outcome.case.place == place]
            yield [f"{name}: {place}", str(len(verdicts)), str(verdicts.count("reads on"))]
