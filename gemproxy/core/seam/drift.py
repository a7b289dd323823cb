"""A restart that tells the answer with some words changed, and then comes to where it stopped.

Small models tell the same text again with a word left out or another one ("pulled down over",
"pulled over"): of 126 restarts that went astray 48 later passed through the whole anchor. What
follows the anchor can be joined, if the retelling is the same text up to there. It is when

* the last ``ANCHOR`` characters of the delivered text occur once in it, and now for the first
  time in the retelling, letter for letter, at about the same distance from the beginning;
* nearly all of the delivered text came, in order, in stretches of at least ``SHINGLE`` equal
  characters, and between these only a few words were changed: no whole sentence, no number, no
  end of a sentence or line, and no two places with their words exchanged. A sentence left out,
  told twice or elsewhere has an end that does not fit;
* neither has a fence, a table or a list.
"""

import re
from collections.abc import Iterator

import attrs

from gemproxy.core.seam.folding import folded
from gemproxy.core.seam.structure import has_fence, has_like_lines

ANCHOR = 30
SHINGLE = 16
CHANGE_MAX = 24
"""Characters that may be left out or put in at one place."""

WORDS_MAX = 3
"""Words that may be."""

COVERED = 0.9
"""The share of the delivered text's shingles that must have come."""

BOUND = 1.25
"""How much longer than the delivered text a retelling may become before the anchor comes."""

DISTANCE = 0.15
"""The share of the delivered text's length by which the place of the anchor may differ."""

REACH = 200
"""Characters around a change in which its sentence is looked for."""

LENGTH_MAX = 50_000
"""Characters of a text for which a retelling is compared: the loop must not wait for more."""

_WORD_BEGUN = re.compile(r"[^\W\d_\u2e80-\uffff]+$")
_WORD_LEFT = re.compile(r"^[^\W\d_\u2e80-\uffff]+")  # scripts without spaces apart
_NOT_WORDS = re.compile(r"[\d.!?\u2026\u3002\uff01\uff1f\n]")


@attrs.define
class Drift:
    """Swallows a retelling of the ``delivered`` text until the anchor comes.

    What was told is kept raw from where it went another way on, and as delivered up to there.
    """

    delivered: str
    _pieces: list[str]
    _length: int
    _near: str

    @classmethod
    def of(cls, delivered: str, agreed: int, other: str) -> "Drift | None":
        """Return the drift of a restart from the ``delivered`` text; None where none may join.

        ``agreed`` folded characters of it came again, and then ``other`` ones.
        """
        text = delivered.strip()
        anchor = text[-ANCHOR:]
        if len(text) < 2 * ANCHOR or len(text) > LENGTH_MAX or text.count(anchor) != 1:
            return None
        if has_fence(text) or has_like_lines(text):
            return None
        told = text[: folded(text)[1][agreed]] + other
        return cls(text, [told], len(told), told[-ANCHOR:])

    def feed(self, char: str) -> bool:
        """Take the next character of the attempt; return whether the anchor ends with it."""
        self._pieces.append(char)
        self._length += 1
        self._near = self._near[1 - ANCHOR :] + char
        return self._near == self.delivered[-ANCHOR:]

    @property
    def too_long(self) -> bool:
        """Whether the anchor should have come by now."""
        return self._length > BOUND * len(self.delivered)

    def joins(self) -> bool:
        """Return whether what was told up to the anchor is the delivered text, but for words."""
        one, other = self.delivered, "".join(self._pieces)
        if abs(len(one) - len(other)) > DISTANCE * len(one) or self.too_long:
            return False
        if has_fence(other) or has_like_lines(other):
            return False
        lost_max = (1 - COVERED) * (len(one) - SHINGLE + 1)
        lost, gone, come = 0, set[str](), set[str]()
        for at, left_out, put_in in _changes(one, other):
            lost += len(left_out) + SHINGLE - 1
            before, behind = one[:at], one[at + len(left_out) :]
            if lost > lost_max or not (_are_words(left_out) and _are_words(put_in)):
                return False
            old, new = _in_whole_words(before[-REACH:], left_out, put_in, behind[:REACH])
            if _rules_its_sentence(before[-REACH:], behind[:REACH], max(len(old), len(new))):
                return False
            gone |= set(old) - set(new)
            come |= set(new) - set(old)
        return not gone & come


def _are_words(change: str) -> bool:
    few = len(change) <= CHANGE_MAX and len(change.split()) <= WORDS_MAX
    return few and _NOT_WORDS.search(change) is None


def _in_whole_words(
    before: str, left_out: str, put_in: str, behind: str
) -> tuple[list[str], list[str]]:
    """Return the words of both sides of a change, with those of which it takes only a part."""
    begun, rest = _WORD_BEGUN.search(before), _WORD_LEFT.search(behind)
    head, foot = begun[0] if begun else "", rest[0] if rest else ""
    return (head + left_out + foot).split(), (head + put_in + foot).split()


def _rules_its_sentence(before: str, behind: str, changed: int) -> bool:
    """Return whether a sentence keeps fewer words than the ``changed`` ones.

    Then it is another sentence, and not the same with some words changed.
    """
    same = _NOT_WORDS.split(_WORD_BEGUN.sub("", before))[-1].split()
    same += _NOT_WORDS.split(_WORD_LEFT.sub("", behind), maxsplit=1)[0].split()
    return len(same) < changed


def _changes(one: str, other: str) -> Iterator[tuple[int, str, str]]:
    """Yield the offsets in ``one`` of what stands there and instead of it in ``other``.

    Between two changes there is an equal stretch. Where none follows soon, all that is left of
    both texts is one change.
    """
    at = there = 0
    while at < len(one) or there < len(other):
        same = _run(one, at, other, there)
        at, there = at + same, there + same
        if at == len(one) and there == len(other):
            return
        found = _next_stretch(one, at, other, there) or (len(one), len(other))
        yield at, one[at : found[0]], other[there : found[1]]
        at, there = found


def _next_stretch(one: str, at: int, other: str, there: int) -> tuple[int, int] | None:
    """Return where both texts next have a shingle in common, within the bounds of a change."""
    near = other[there : there + CHANGE_MAX + SHINGLE]
    for begin in range(at, min(at + CHANGE_MAX, len(one) - SHINGLE) + 1):
        found = near.find(one[begin : begin + SHINGLE])
        if found >= 0:
            return begin, there + found
    return None


def _run(one: str, at: int, other: str, there: int) -> int:
    """Return how many characters from two places on are equal."""
    length, step = 0, 1024
    while step:
        if one[at + length : at + length + step] == other[there + length : there + length + step]:
            if at + length + step > len(one) or there + length + step > len(other):
                return length + min(len(one) - at - length, len(other) - there - length)
            length += step
        else:
            step //= 2
    return length
