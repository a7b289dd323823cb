"""Random joins: a text cut anywhere, an attempt made from its rest, and a known right join.

A text of a random kind is cut at a random place. The attempt is made from the text after the cut in
one of several manners: it simply continues, echoes the anchor exactly or with additions, repeats
more or less than asked, restarts, or gives another answer. So the right join is known by
construction. For each manner we count

    lost      characters of the answer are missing: the worst
    doubled   delivered text came again, or a lead or mark was shown
    loud      the attempt was refused although it could have been joined
    held      characters read before the seam decided

Some attempts have two readings that the text does not decide between: an unrequested repetition of
a passage that the text repeats anyway, or a text that continues with its whole anchor. These are
counted separately, in the rows that end with "(undecidable)". The criterion does not use the seam's
own code.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor

import attrs

from bench.figures import lines_of
from bench.seams.joining import Joined, anchor_of, join, shown_of
from bench.seams.texts import KINDS, Rng, clause, words
from bench.seams.vocabulary import ENGLISH

REPEATS = 12
"""Characters of a repetition that are searched elsewhere in the text."""

TWICE = 80
"""A whole line or sentence with fewer characters may come twice."""

LEADS = (
    "Sure, here is the continuation:\n\n",
    "Certainly! Continuing from where I left off...\n\n",
    "Here\u2019s the rest: ",
    "好的，接着上文：\n",
    "...",
    "\u2026 ",
    "\n\n",
)
GOING_ON = (
    "Sure, continuing from where I left off:\n\n",
    "Here is the continuation:\n",
    "好的，接着上文继续：\n",
    "以下は続きです：\n\n",
    "Hier geht es weiter:\n\n",
    "Continúo desde donde lo dejé:\n",
)
"""Lines that only announce a continuation."""

MARKS = (
    *(('"', '"'), ("\u201c", "\u201d"), ("`", "`"), ("\u00ab", "\u00bb"), ("\u300c", "\u300d")),
    *(("<<<", ">>>"), ("<<", ">>"), ("[[[", "]]]")),
)


@attrs.frozen
class Case:
    """A text cut in two: ``delivered`` and ``rest``, and the ``anchor`` in the notice."""

    kind: str
    delivered: str
    rest: str
    anchor: str | None


@attrs.frozen
class Made:
    """An attempt; ``right`` is the right final text, None if the attempt must not be joined.

    ``unasked`` is an unrequested repetition of the delivered text's end.
    """

    attempt: str
    right: str | None
    unasked: str = ""


Manner = Callable[[Case, Rng], Made | None]


def draw(rng: Rng) -> Case:
    """Return a text of a random kind, cut at a random place."""
    kind = rng.choice(list(KINDS))
    text = KINDS[kind](rng)
    cut = rng.randint(1, len(text) - 1)
    return Case(kind, text[:cut], text[cut:], anchor_of(text[:cut]))


def goes_on(case: Case, _: Rng) -> Made:
    """Continue without any addition."""
    return Made(case.rest, case.delivered + case.rest)


def goes_on_with_the_blank(case: Case, _: Rng) -> Made | None:
    """Continue with the blanks that the client has, because a model's words begin with one."""
    text = case.delivered.rstrip(" ")
    blanks = case.delivered[len(text) :]
    if not blanks or not text or text[-1].isspace() or case.rest[0].isspace():
        return None
    return Made(blanks + case.rest, case.delivered + case.rest)


def echoes(case: Case, _: Rng) -> Made | None:
    """Repeat the anchor and continue."""
    if case.anchor is None:
        return None
    return Made(case.anchor + case.rest, case.delivered + case.rest)


def echoes_respaced(case: Case, rng: Rng) -> Made | None:
    """Repeat the anchor with other whitespace inside, and continue."""
    if case.anchor is None or case.anchor.strip() != case.anchor:
        return None
    spaced = re.sub(r"\s+", lambda _: rng.choice([" ", "\n", "  "]), case.anchor)
    return Made(spaced + case.rest, case.delivered + case.rest)


def echoes_behind_a_lead(case: Case, rng: Rng) -> Made | None:
    """Write a polite line, or dots, then repeat the anchor."""
    if case.anchor is None or len(case.anchor.strip()) < REPEATS:
        return None
    return Made(rng.choice(LEADS) + case.anchor + case.rest, case.delivered + case.rest)


def echoes_in_marks(case: Case, rng: Rng) -> Made | None:
    """Repeat the anchor between quotation marks or our own marks."""
    if case.anchor is None or len(case.anchor.strip()) < REPEATS:
        return None
    opening, closing = rng.choice(MARKS)
    attempt = f"{opening}{case.anchor}{closing}{case.rest}"
    return Made(attempt, case.delivered + case.rest)


def echoes_with_a_mark_behind(case: Case, rng: Rng) -> Made | None:
    """Repeat the anchor and its closing mark, as the notice shows them.

    The notice omits the blanks at the end of the text; the model's next word begins with them.
    """
    if case.anchor is None or len(case.anchor.strip()) < REPEATS:
        return None
    anchor, closing = shown_of(case.delivered, case.anchor)
    if not closing or set("<>") & set(case.delivered + case.rest[:1]):
        return None
    marks = closing[0] * rng.randint(2, 4)
    attempt = anchor + marks + case.anchor[len(anchor) :] + case.rest
    return Made(attempt, case.delivered + case.rest)


def echoes_more(case: Case, rng: Rng) -> Made | None:
    """Repeat the anchor with some characters before it."""
    if case.anchor is None or len(case.anchor) + 5 > len(case.delivered):
        return None
    size = rng.randint(len(case.anchor) + 1, min(len(case.delivered) - 1, 400))
    return _repeat(case, size)


def echoes_less(case: Case, rng: Rng) -> Made | None:
    """Repeat only an end of the anchor."""
    if case.anchor is None or len(case.anchor) <= REPEATS:
        return None
    return _repeat(case, rng.randint(REPEATS, len(case.anchor) - 1))


def _repeat(case: Case, size: int) -> Made | None:
    end = case.delivered[-size:].lstrip()
    if len(end.strip()) < REPEATS:
        return None
    return Made(end + case.rest, case.delivered + case.rest, unasked=end)


def begins_again(case: Case, _: Rng) -> Made | None:
    """Repeat the whole answer from its beginning."""
    if len(case.delivered.strip()) < REPEATS:
        return None
    whole = case.delivered + case.rest
    return Made(whole, whole, unasked=case.delivered)


def begins_again_otherwise(case: Case, rng: Rng) -> Made | None:
    """Repeat the whole answer with one word changed."""
    found = list(re.finditer(r"\w+", case.delivered))
    if len(case.delivered) < 2 * TWICE or not found:
        return None
    word = rng.choice(found)
    other = rng.choice([given for given in ENGLISH[:50] if given != word[0]])
    told = case.delivered[: word.start()] + other + case.delivered[word.end() :]
    return Made(told + case.rest, case.delivered + case.rest)


def only_speaks_of_going_on(case: Case, rng: Rng) -> Made | None:
    """Announce the continuation, and continue after a cut inside a sentence, without an echo."""
    inside = case.delivered[-1].isalpha() and case.rest[0].isalpha()
    if case.anchor is None or not case.kind.endswith("prose") or not inside:
        return None
    return Made(rng.choice(GOING_ON) + case.rest, None)


def tells_another_answer(case: Case, rng: Rng) -> Made | None:
    """Begin like the answer, and continue with other words; no join is right."""
    if len(case.delivered) < 2 * TWICE:
        return None
    head = case.delivered[: rng.randint(TWICE, len(case.delivered) - TWICE)]
    other = " ".join([*words(rng, ENGLISH[::-1], 12), clause(rng, least=20, most=60)])
    return Made(f"{head} {other}", None)


MANNERS: Mapping[str, Manner] = {
    "goes on": goes_on,
    "goes on, its blank again": goes_on_with_the_blank,
    "echo": echoes,
    "echo, other whitespace": echoes_respaced,
    "echo behind a lead": echoes_behind_a_lead,
    "echo in marks": echoes_in_marks,
    "echo, our mark behind": echoes_with_a_mark_behind,
    "echo of more": echoes_more,
    "echo of less": echoes_less,
    "begins again": begins_again,
    "begins again, a word changed": begins_again_otherwise,
    "only a line about going on": only_speaks_of_going_on,
    "another answer": tells_another_answer,
}


def is_undecidable(case: Case, made: Made) -> bool:
    """Return whether the attempt has another possible reading than the one of its manner.

    A continuation has one if it begins with the whole anchor, like an echo. An unrequested
    repetition has one if its beginning occurs elsewhere in the text, if it is a whole short line or
    sentence, which may come twice, or if the text is very short.
    """
    if made.attempt == case.rest:
        asked = squeezed(case.anchor or case.delivered)
        return bool(asked) and squeezed(case.rest).startswith(asked)
    if not made.unasked:
        return False
    unasked, delivered = squeezed(made.unasked), squeezed(case.delivered)
    if unasked == squeezed(case.anchor or ""):
        return False
    elsewhere = delivered.count(unasked[:REPEATS]) > 1
    short = len(case.delivered) < TWICE // 2
    return elsewhere or short or _is_whole(case.delivered, made.unasked)


def _is_whole(delivered: str, repeated: str) -> bool:
    """Return whether ``repeated`` is a line, a sentence, or a few words with such an end."""
    ends = re.compile(r"(^|[\n.!?,;:\u2026。！？，、][\"'\u201d)*\]]*)\s*$")
    before = delivered[: len(delivered) - len(repeated)]
    return len(repeated) < TWICE and bool(ends.search(before))


def squeezed(text: str) -> str:
    """Return the text with every run of whitespace as one space, none around it."""
    return " ".join(text.split())


def verdict(made: Made, joined: Joined) -> str:
    """Return "exact", "lost", "doubled" or "loud" for the outcome of an attempt."""
    if joined.text == made.right:
        return "exact"
    if joined.text is None:
        return "loud"
    if made.right is None:
        return "lost" if joined.drop else "doubled"
    return "lost" if len(joined.text) < len(made.right) else "doubled"


@attrs.define
class Tally:
    """The verdicts of one row, and the held characters of each join."""

    verdicts: Counter[str] = attrs.field(factory=Counter)
    held: Counter[int] = attrs.field(factory=Counter)

    def add(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        self.verdicts.update(other.verdicts)
        self.held.update(other.held)

    def count(self, found: str, held: int) -> None:
        """Count one join."""
        self.verdicts[found] += 1
        self.held[held] += 1

    @property
    def joins(self) -> int:
        """How many joins were counted."""
        return self.verdicts.total()

    def percentile(self, share: int) -> int:
        """Return the percentile ``share`` of the held characters."""
        wanted, seen = self.joins * share / 100, 0
        for held in sorted(self.held):
            seen += self.held[held]
            if seen >= wanted:
                return held
        return 0


Tallies = dict[str, Tally]


def measure(seeds: Iterable[str]) -> tuple[Tallies, Tallies]:
    """Return the tallies of a join for each seed: by manner, and by kind of text."""
    by_manner: Tallies = {}
    by_kind: Tallies = {}
    for seed in seeds:
        rng = random.Random(seed)
        case, name = draw(rng), rng.choice(list(MANNERS))
        made = MANNERS[name](case, rng)
        if made is None:
            name, made = "goes on", goes_on(case, rng)
        joined = join(case.delivered, made.attempt, case.anchor)
        found = verdict(made, joined)
        if is_undecidable(case, made):
            name += " (undecidable)"
        else:
            by_kind.setdefault(case.kind, Tally()).count(found, joined.held)
        by_manner.setdefault(name, Tally()).count(found, joined.held)
    return by_manner, by_kind


def run(joins: int, seed: int, processes: int) -> tuple[Tallies, Tallies]:
    """Return the tallies of ``joins`` joins; ``processes`` do not change the figures."""
    size = 500
    blocks = [
        [f"{seed}:{number}" for number in range(start, min(start + size, joins))]
        for start in range(0, joins, size)
    ]
    totals: tuple[Tallies, Tallies] = ({}, {})
    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(measure, blocks):
            for total, part in zip(totals, found, strict=True):
                for name, tally in part.items():
                    total.setdefault(name, Tally()).add(tally)
    return totals


def report(by_manner: Tallies, by_kind: Tallies) -> list[str]:
    """Return the two tables as lines."""
    ordered = [
        name + suffix
        for suffix in ("", " (undecidable)")
        for name in MANNERS
        if name + suffix in by_manner
    ]
    everything = Tally()
    for name in ordered:
        if name in MANNERS:
            everything.add(by_manner[name])
    manners = [*((name, by_manner[name]) for name in ordered), ("all decidable", everything)]
    kinds = [(name, by_kind[name]) for name in KINDS if name in by_kind]
    return [*_table("random joins", manners), "", *_table("by kind of text", kinds)]


def _table(title: str, rows: Iterable[tuple[str, Tally]]) -> list[str]:
    verdicts = ("exact", "lost", "doubled", "loud")
    head = [title, "joins", *verdicts, "held p50", "p99"]
    return lines_of(
        [
            head,
            *(
                [
                    name,
                    f"{tally.joins:,}",
                    *(f"{tally.verdicts[found]:,}" for found in verdicts),
                    str(tally.percentile(50)),
                    str(tally.percentile(99)),
                ]
                for name, tally in rows
            ),
        ]
    )
