"""Every cut of several texts, and the number of exact seams.

A text of each kind is cut after each of its characters. At each cut a model continues, echoes the
anchor, echoes it between marks, or restarts (see joins.py).
"""

import random
from collections.abc import Iterable, Mapping

from bench.figures import lines_of
from bench.seams.joining import anchor_of, join
from bench.seams.joins import MANNERS, Case, Tally, is_undecidable, verdict
from bench.seams.texts import KINDS

MODELS = ("goes on", "echo", "echo in marks", "begins again")
LENGTH = 600
"""Characters of each text."""


def measure(seed: int, kinds: Iterable[str] = KINDS, length: int = LENGTH) -> dict[str, Tally]:
    """Return for each model the verdicts over every cut of a text of each kind."""
    found = {name: Tally() for name in MODELS}
    for kind in kinds:
        rng = random.Random(f"{seed}:{kind}")
        text = KINDS[kind](rng)[:length]
        for cut in range(1, len(text)):
            delivered = text[:cut]
            case = Case(kind, delivered, text[cut:], anchor_of(delivered))
            for name, tally in found.items():
                _take(tally, name, case, rng)
    return found


def _take(tally: Tally, name: str, case: Case, rng: random.Random) -> None:
    made = MANNERS[name](case, rng)
    if made is None:
        return  # no anchor to echo
    joined = join(case.delivered, made.attempt, case.anchor)
    exact = joined.text == made.right
    unclear = not exact and is_undecidable(case, made)
    tally.count("undecidable" if unclear else verdict(made, joined), joined.held)


def report(found: Mapping[str, Tally]) -> list[str]:
    """Return the table as lines."""
    verdicts = ("exact", "lost", "doubled", "loud", "undecidable")
    rows = [
        [name, f"{tally.joins:,}", *(f"{tally.verdicts[kind]:,}" for kind in verdicts)]
        for name, tally in found.items()
    ]
    joins = sum(tally.joins for tally in found.values())
    exact = sum(tally.verdicts["exact"] for tally in found.values())
    share = f"{exact / joins:.2%}" if joins else "-"
    return [*lines_of([["every cut", "seams", *verdicts], *rows]), f"exact: {share}"]
