"""Answers told again with a change, and which of them are joined.

A model that begins the whole answer again may tell it a little differently and then come
through the anchor. Where only a word differs, what follows the anchor goes on from the
delivered text. Where a sentence or paragraph was left out, told twice or moved, it is another
answer that happens to have the same line, and joining it would splice two answers. So of
the first kind as many as possible should join, of the second none may.
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
"""Characters at the beginning that are told as before: the retelling is certainly one."""

TRIES = 200

Units = list[str]
Change = Callable[[Units, int, Rng], Units]


@attrs.frozen
class Retold:
    """The delivered text, its rest, and the text from its beginning with a change."""

    delivered: str
    rest: str
    attempt: str
    anchor: str


def left_out(units: Units, at: int, _: Rng) -> Units:
    """Leave the unit out."""
    return units[:at] + units[at + 1 :]


def doubled(units: Units, at: int, _: Rng) -> Units:
    """Tell the unit twice."""
    return [*units[: at + 1], *units[at:]]


def swapped(units: Units, at: int, _: Rng) -> Units:
    """Tell the unit behind the next one."""
    return [*units[:at], *units[at + 1 : at + 2], units[at], *units[at + 2 :]]


def replaced(units: Units, at: int, rng: Rng) -> Units:
    """Tell another sentence in its place."""
    return [*units[:at], sentence(rng) + ". ", *units[at + 1 :]]


def one_word(units: Units, at: int, rng: Rng) -> Units:
    """Change, leave out or add one word of the unit."""
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
    """Return the sentences, or the paragraphs, each with what follows it."""
    ends = r"\n\n" if paragraphs else r"[.?!\u2026\u3002\uff1f]\s*"
    pieces = re.split(f"(?<=({ends}))" if paragraphs else f"({ends})", text)
    if paragraphs:
        return [unit for unit in re.split(r"(?<=\n\n)", text) if unit]
    return ["".join(pair) for pair in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]


def retell(change: Change, rng: Rng, *, paragraphs: bool) -> Retold | None:
    """Return a text with a change before its anchor; None where it allows none."""
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
    """Return a retelling with the change, of a sentence or of a paragraph."""
    for _ in range(TRIES):
        retold = retell(change, rng, paragraphs=rng.random() < PARAGRAPHS_SHARE)
        if retold is not None:
            return retold
    raise LookupError(change)


def outcome(joined: Joined) -> str:
    """Return "joined", "refused", or "shown" where the whole retelling is shown again."""
    if joined.text is None:
        return "refused"
    return "joined" if joined.drop else "shown"


def measure(retellings: int, seed: int, changes: Mapping[str, Change]) -> dict[str, Counter[str]]:
    """Return for each change what came of its retellings."""
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
