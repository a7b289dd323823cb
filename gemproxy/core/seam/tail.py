"""The end of the delivered text, and which repetitions of it prove an echo.

An ending is *distinctive* if it occurs once in the last ``REACH`` characters and starts before any
repetition ("ha ha ha") at the end of the text. Only a distinctive ending proves an echo when it
comes again. A short line that comes twice in a row is ordinary (tables, refrains, data).
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import attrs

from gemproxy.core.seam.folding import folded
from gemproxy.core.seam.structure import shape_of

REACH = 600
"""Characters from the end within which a repetition may begin and an ending must be unique."""

UNASKED_MIN = 12
"""Characters that a repetition needs if it is not the anchor, or if text stands before it."""

BARE_MIN = 8
"""The same without the whitespace around it."""

SAME_MIN = 6
"""Characters before two places of a text that must match to call them a repetition."""

ALIKE_MAX = 20
"""Characters with which two different lines may begin alike."""

TWICE_MAX = 80
"""Lines, or a sentence, with fewer characters may come twice in a row."""

_ENDS = ".!?,;:\u2026\u3001\u3002\uff01\uff1f\uff0c\uff1b\uff1a"
_ENDING = re.compile(rf"(?:^|[{_ENDS}][\"')\]*_\u201d\u2019\u300d\u300f]*)\s*$")
_CLAUSE_END = re.compile(rf"[\n{_ENDS}]")
_WORD_BEGUN = re.compile(r"\w+\Z")
_SENTENCE_ENDS = ".!?\u2026\u3002\uff01\uff1f"
_WIDE = "\u3000"  # from here on, punctuation is not followed by a space


def agreements(text: str) -> list[int]:
    """Return for each offset how many characters from there on equal the text's beginning.

    This is the Z array of the text, computed in linear time; its first entry is 0.
    """
    size = len(text)
    lengths = [0] * size
    left = right = 0
    offset = text.find(text[:1], 1)  # elsewhere not even one character agrees
    while 0 < offset < size:
        length = min(right - offset, lengths[offset - left]) if offset < right else 1
        while offset + length < size and text[length] == text[offset + length]:
            length += 1
        lengths[offset] = length
        if offset + length > right:
            left, right = offset, offset + length
        offset = text.find(text[0], offset + 1)
    return lengths


def _distinctive_length(agreed: list[int]) -> int:
    """Return the length of the shortest distinctive ending; longer than the text if none is.

    ``agreed`` gives for each distance how many of the text's last characters equal the ones that
    far before them; a unique ending is longer than any of these matches. If a match covers its
    whole distance (minus a trailing separator), the text is periodic and may continue the
    period: then the ending must start before the first of the repeated items.
    """
    near = agreed[: REACH + 1]
    needed = 2 if len(near) > 1 else 1  # at distance 1 an empty match covers it
    for distance in [distance for distance, length in enumerate(near) if length]:
        length = near[distance]
        repeats = length >= distance - 1
        needed = max(needed, length + 1 + (distance if repeats else 0))
    return needed


def distinctive_from(text: str) -> int:
    """Return the offset of the shortest distinctive ending of ``text``; negative if none is."""
    return len(text) - _distinctive_length(agreements(text[::-1]))


@attrs.frozen
class Tail:
    """The end of the delivered text: ``text`` and the whitespace ``trailing`` it.

    ``start`` is the offset of ``text`` in the delivered text. ``folded`` is ``text`` folded, and
    ``offsets`` gives the raw offset in ``text`` of each folded character. ``agreed`` is described
    at ``_distinctive_length``. ``distinctive`` is the index in ``folded`` where the shortest
    distinctive ending begins, negative if there is none.
    """

    start: int
    text: str
    trailing: str
    folded: str
    offsets: Sequence[int]
    agreed: list[int]
    distinctive: int

    @classmethod
    def of(cls, delivered: str) -> "Tail":
        """Return the tail of the ``delivered`` text."""
        text = delivered.rstrip()
        start = max(0, len(text) - 3 * REACH)
        plain, offsets = folded(text[start:])
        agreed = agreements(plain[::-1])
        return cls(
            start=start,
            text=text[start:],
            trailing=delivered[len(text) :],
            folded=plain,
            offsets=offsets,
            agreed=agreed,
            distinctive=len(plain) - _distinctive_length(agreed),
        )

    @property
    def earliest(self) -> int:
        """Return the first index at which an echo may begin.

        If the tail is only a part of the delivered text, echoes begin in its second half: a
        repetition is recognised only when two of its periods are visible.
        """
        size = len(self.folded)
        return max(0, size - REACH, size // 2 if self.start else 0)

    @property
    def latest(self) -> int:
        """Return the last index at which an unrequested repetition may begin."""
        raw = len(self.text) + len(self.trailing) - UNASKED_MIN
        return min(bisect_right(self.offsets, raw) - 1, len(self.folded) - BARE_MIN)

    def index_of(self, anchor: str | None) -> int:
        """Return the index at which ``anchor`` begins, -1 if the tail does not end with it."""
        wanted = (anchor or "").strip()
        if not wanted or not self.text.endswith(wanted):
            return -1
        return bisect_left(self.offsets, len(self.text) - len(wanted))

    def is_everything(self, index: int) -> bool:
        """Return whether ``index`` is the beginning of the whole delivered text."""
        return not self.start and not self.folded[:index].strip()

    def may_follow(self, index: int, indent: str) -> bool:
        """Return whether the text may continue with a copy of itself from ``index`` on.

        ``indent`` is the whitespace at the beginning of the new text.
        """
        return self.follows_the_same(index) or self.may_come_twice(index, indent)

    def ends_as_it_begins(self, index: int) -> bool:
        """Return whether the text from ``index`` on begins with a later ending of the text.

        Then the new text may be an echo of that ending alone, followed by a repetition.
        """
        size = len(self.folded) - index
        distances = range(1, size - UNASKED_MIN + 1)
        return any(self.agreed[distance] >= size - distance for distance in distances)

    def follows_the_same(self, index: int) -> bool:
        """Return whether the text before ``index`` ends as the whole text does.

        Then the text may be inside a repetition and continue as it did there. In a line or
        clause that has just begun, a match of all its characters is enough.
        """
        first = self._first(index)
        end = len(self.folded[:index].rstrip())
        same = self.agreed[len(self.folded) - end] if end > 0 else 0
        begun = len(_CLAUSE_END.split(self.text)[-1].strip())
        begins = same >= begun > 0 and not self.folded[: end - begun][-1:].isalnum()
        if same >= SAME_MIN or (begins and len(self.text) - first < TWICE_MAX):
            return True
        short = len(self.folded) - index < 2 * UNASKED_MIN and self.text[first].isalnum()
        return short and self._same_word_has_begun(index)

    def _same_word_has_begun(self, index: int) -> bool:
        """Return whether the text ends with the same begun word as before ``index``."""
        begun = _WORD_BEGUN.search(self.folded)
        before = _WORD_BEGUN.search(self.folded[:index])
        return begun is not None and before is not None and begun[0] == before[0]

    def is_as_far(self, index: int) -> bool:
        """Return whether the text before ``index`` stops at the same point of its line as the end.

        Among lines of the same structure, the text may then continue as it did at ``index``.
        """
        before = shape_of(self.text[: self._first(index)].rstrip().rpartition("\n")[2])
        return before == shape_of(self.text.rpartition("\n")[2])

    def may_come_twice(self, index: int, indent: str) -> bool:
        """Return whether the text from ``index`` on is a line or sentence that may come twice.

        It may if a line or sentence ends both at ``index`` and at the end of the text, so the new
        text begins the next one. It also may if the new text first completes the last line with
        the punctuation of the line before: ")", a newline, and the line. Lines of verse may be
        long, or several: a refrain.
        """
        first = self._first(index)
        again = self.text[first:]
        before = self.text[:first].rstrip(" \t")
        gap = indent + self.trailing if before.strip() else indent
        lines = "\n" in gap and (not before or before.endswith("\n"))
        verse = again[-1] not in _SENTENCE_ENDS or "\n" in again
        if lines and (len(again) < TWICE_MAX or (verse and "\n\n" not in again)):
            return True
        if len(again) >= TWICE_MAX:
            return False
        if (gap or again[-1] >= _WIDE) and _ENDING.search(again) and _ENDING.search(before):
            return True
        rest, newline, _ = again.rpartition("\n")
        return bool(newline) and not any(map(str.isalnum, rest))

    @property
    def ends_inside(self) -> bool:
        """Return whether the text ends inside a line or clause."""
        return "\n" not in self.trailing and not _ENDING.search(self.text)

    def breaks_off(self, index: int) -> bool:
        """Return whether the text from ``index`` on is long, and ends inside a line or clause."""
        return self.ends_inside and len(self.folded) - index > ALIKE_MAX

    def _first(self, index: int) -> int:
        """Return the raw offset of the first character after any space at ``index``."""
        return self.offsets[index + (self.folded[index] == " ")]
