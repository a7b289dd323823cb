"""A restart that changes some words of the delivered text and then reaches its end.

Small models repeat a text with a word omitted or replaced ("pulled down over", "pulled over"): 48
of 126 restarts that left the delivered words later passed through the whole anchor. The text after
the anchor can be joined if the reworded text before it still is the delivered text, that is, if

* the last ``ANCHOR`` characters of the delivered text occur once in it, and now occur for the first
  time in the reworded text, letter for letter, at about the same distance from the beginning;
* nearly all of the delivered text came, in order, in stretches of at least ``SHINGLE`` equal
  characters, and only a few words changed between them: no whole sentence, no number, no end of a
  sentence or line, and no words exchanged between two places. An omitted, doubled or moved sentence
  fails this rule, because its end is such a change;
* neither text has a fence, a table or a list.
"""

import re
from collections.abc import Iterator

import attrs

from gemproxy.core.seam.folding import folded
from gemproxy.core.seam.structure import has_fence, has_like_lines

ANCHOR = 30
SHINGLE = 16
CHANGE_MAX = 24
"""Characters that may be omitted or inserted at one place."""

WORDS_MAX = 3
"""Words that may be omitted or inserted at one place."""

COVERED = 0.9
"""The share of the delivered text's shingles that the reworded text must contain."""

BOUND = 1.25
"""The length of the reworded text before the anchor, at most, relative to the delivered text."""

DISTANCE = 0.15
"""The share of the delivered length by which the position of the anchor may differ."""

REACH = 200
"""Characters before and after a change that are searched for the ends of its sentence."""

LENGTH_MAX = 50_000
"""Characters of the longest text that is compared; a longer one would block the event loop."""

_WORD_BEGUN = re.compile(r"[^\W\d_\u2e80-\uffff]+$")
_WORD_LEFT = re.compile(r"^[^\W\d_\u2e80-\uffff]+")  # scripts without spaces apart
_NOT_WORDS = re.compile(r"[\d.!?\u2026\u3002\uff01\uff1f\n]")


@attrs.define
class Drift:
    """Swallows a reworded repetition of the ``delivered`` text until the anchor comes.

    It keeps the delivered text up to the first difference, and the attempt's raw text from there.
    """

    delivered: str
    _pieces: list[str]
    _length: int
    _near: str

    @classmethod
    def of(cls, delivered: str, agreed: int, other: str) -> "Drift | None":
        """Return the drift of a restart from the ``delivered`` text; None if it may not join.

        ``agreed`` counts the folded characters that came again; ``other`` is the text after them.
        """
        text = delivered.strip()
        anchor = text[-ANCHOR:]
        if len(text) < 2 * ANCHOR or len(text) > LENGTH_MAX or text.count(anchor) != 1:
            return None
        if has_fence(text) or has_like_lines(text):
            return None
        begun = text[: folded(text)[1][agreed]] + other
        return cls(text, [begun], len(begun), begun[-ANCHOR:])

    def feed(self, char: str) -> bool:
        """Add the next character of the attempt; return whether it completes the anchor."""
        self._pieces.append(char)
        self._length += 1
        self._near = self._near[1 - ANCHOR :] + char
        return self._near == self.delivered[-ANCHOR:]

    @property
    def too_long(self) -> bool:
        """Whether the anchor should have come by now."""
        return self._length > BOUND * len(self.delivered)

    def joins(self) -> bool:
        """Return whether the text up to the anchor differs from the delivered one only in words."""
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
    """Return the words of both sides of a change, completed at both ends."""
    begun, rest = _WORD_BEGUN.search(before), _WORD_LEFT.search(behind)
    head, foot = begun[0] if begun else "", rest[0] if rest else ""
    return (head + left_out + foot).split(), (head + put_in + foot).split()


def _rules_its_sentence(before: str, behind: str, changed: int) -> bool:
    """Return whether a sentence keeps fewer words than were ``changed``.

    Then the change makes another sentence of it.
    """
    same = _NOT_WORDS.split(_WORD_BEGUN.sub("", before))[-1].split()
    same += _NOT_WORDS.split(_WORD_LEFT.sub("", behind), maxsplit=1)[0].split()
    return len(same) < changed


def _changes(one: str, other: str) -> Iterator[tuple[int, str, str]]:
    """Yield each change: its offset in ``one``, the text there, and the text in ``other``.

    An equal stretch separates two changes. If none follows soon, the rest of both texts is one
    change.
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
    """Return the next common shingle of both texts, at most one change away."""
    near = other[there : there + CHANGE_MAX + SHINGLE]
    for begin in range(at, min(at + CHANGE_MAX, len(one) - SHINGLE) + 1):
        found = near.find(one[begin : begin + SHINGLE])
        if found >= 0:
            return begin, there + found
    return None


def _run(one: str, at: int, other: str, there: int) -> int:
    """Return how many characters are equal from two places on."""
    length, step = 0, 1024
    while step:
        if one[at + length : at + length + step] == other[there + length : there + length + step]:
            if at + length + step > len(one) or there + length + step > len(other):
                return length + min(len(one) - at - length, len(other) - there - length)
            length += step
        else:
            step //= 2
    return length
