"""Restarts that repeat the answer with a change, and which of them are joined.

A model that restarts the answer may repeat it with small changes and then reach the anchor. If only
a word differs, the text after the anchor continues the delivered text. If a sentence or paragraph
was omitted, doubled or moved, it is another answer with the same line, and joining it would splice
two answers. So as many as possible of the first kind should join, and none of the second.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping

import attrs

from bench.figures import lines_of
from bench.seams.joining import Joined, anchor_of, join
from bench.seams.texts import Rng, prose, sentence
from bench.seams.vocabulary import CHINESE, ENGLISH, GERMAN, SPANISH

CHINESE_SHARE = 0.25
PARAGRAPHS_SHARE = 0.3

KEPT = 80
"""Unchanged characters at the beginning, which make the attempt a certain restart."""

TRIES = 200

Units = list[str]
Change = Callable[[Units, int, Rng], Units]


@attrs.frozen
class Retold:
    """The delivered text, its rest, and the whole text with a change."""

    delivered: str
    rest: str
    attempt: str
    anchor: str


def left_out(units: Units, at: int, _: Rng) -> Units:
    """Omit the unit."""
    return units[:at] + units[at + 1 :]


def doubled(units: Units, at: int, _: Rng) -> Units:
    """Double the unit."""
    return [*units[: at + 1], *units[at:]]


def swapped(units: Units, at: int, _: Rng) -> Units:
    """Move the unit behind the next one."""
    return [*units[:at], *units[at + 1 : at + 2], units[at], *units[at + 2 :]]


def replaced(units: Units, at: int, rng: Rng) -> Units:
    """Replace the unit by another sentence."""
    return [*units[:at], sentence(rng) + ". ", *units[at + 1 :]]


def one_word(units: Units, at: int, rng: Rng) -> Units:
    """Change, omit or add one word of the unit."""
    told = units[at].split(" ")
    place = rng.randrange(len(told))
    word = rng.choice(ENGLISH[:60])
    told[place : place + 1] = rng.choice([[word], [], [told[place], word]])
    return [*units[:at], " ".join(told), *units[at + 1 :]]


LARGE: Mapping[str, Change] = {
    "left out": left_out,
    "told twice": doubled,
    "moved": swapped,
    "replaced": replaced,
}
SMALL: Mapping[str, Change] = {"a word changed": one_word}


def _text(rng: Rng) -> str:
    if rng.random() < CHINESE_SHARE:
        clauses = ["".join(rng.choices(CHINESE, k=rng.randint(6, 18))) for _ in range(60)]
        ends = ["\u3002", "\u3002", "\uff1f", "\u3002\n\n"]
        return "".join(clause + rng.choice(ends) for clause in clauses)
    return " ".join(prose(rng, rng.choice([ENGLISH, GERMAN, SPANISH])) for _ in range(2))


def _units(text: str, *, paragraphs: bool) -> Units:
    """Return the sentences, or the paragraphs, each with the separator after it."""
    ends = r"\n\n" if paragraphs else r"[.?!\u2026\u3002\uff1f]\s*"
    pieces = re.split(f"(?<=({ends}))" if paragraphs else f"({ends})", text)
    if paragraphs:
        return [unit for unit in re.split(r"(?<=\n\n)", text) if unit]
    return ["".join(pair) for pair in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]


def retell(change: Change, rng: Rng, *, paragraphs: bool) -> Retold | None:
    """Return a text with a change before its anchor; None if it allows none."""
    text = _text(rng)
    cut = rng.randint(len(text) // 3, len(text) - 20)
    delivered = text[:cut]
    anchor = anchor_of(delivered)
    if anchor is None:
        return None
    before = delivered[: len(delivered) - len(anchor)]
    units = _units(before, paragraphs=paragraphs)
    starts = [len("".join(units[:at])) for at in range(len(units))]
    places = [at for at, start in enumerate(starts[:-1]) if start >= KEPT]
    if not places:
        return None
    told = "".join(change(units, rng.choice(places), rng))
    if told == before or delivered.startswith(told):
        return None
    return Retold(delivered, text[cut:], told + anchor + text[cut:], anchor)


def draw(change: Change, rng: Rng) -> Retold:
    """Return a restart with the change, of a sentence or of a paragraph."""
    for _ in range(TRIES):
        retold = retell(change, rng, paragraphs=rng.random() < PARAGRAPHS_SHARE)
        if retold is not None:
            return retold
    raise LookupError(change)


def outcome(joined: Joined) -> str:
    """Return "joined", "refused", or "shown" if the whole restart is shown."""
    if joined.text is None:
        return "refused"
    return "joined" if joined.drop else "shown"


def measure(retellings: int, seed: int, changes: Mapping[str, Change]) -> dict[str, Counter[str]]:
    """Return for each change the outcomes of its restarts."""
    found: dict[str, Counter[str]] = {name: Counter() for name in changes}
    names = list(changes)
    for number in range(retellings):
        name = names[number % len(names)]
        retold = draw(changes[name], random.Random(f"{seed}:{number}"))
        joined = join(retold.delivered, retold.attempt, retold.anchor)
        found[name][outcome(joined)] += 1
    return found


def report(found: Mapping[str, Counter[str]]) -> list[str]:
    """Return the table as lines."""
    kinds = ("joined", "refused", "shown")
    rows = [[name, *(str(counter[kind]) for kind in kinds)] for name, counter in found.items()]
    return lines_of([["retellings", *kinds], *rows])
