"""The anchor: the end of the delivered text that a resumed attempt is asked to begin with.

It has to prove itself: an attempt that simply goes on must not be able to begin with it by
chance. So it is about 40 characters long, and longer where the text repeats itself. Models like
to begin at the start of a sentence, so it does where one begins not far before.
"""

import re
import unicodedata
from bisect import bisect_left
from itertools import takewhile

from gemproxy.core.seam.structure import among_like_lines
from gemproxy.core.seam.tail import REACH, Tail

ANCHOR_LENGTH = 40
"""Characters that an anchor has where nothing makes it longer."""

ANCHOR_MIN = 6
"""An anchor of fewer characters could be repeated by chance."""

ANCHOR_MAX = 200
"""An end of the text that tells only beyond this many characters has no anchor."""

SENTENCE_REACH = 120
"""Characters that an anchor may have where that makes it begin with a sentence."""

_SENTENCE = re.compile(
    r"(?<=[^\W\d][.!?\u2026])[\"'\u201d\u2019)]* (?=\w)|(?<=[\u3002\uff01\uff1f])"
)
_WORD_REACH = 24  # how far back the start of a word is looked for


def choose_anchor(delivered: str, tail: Tail | None = None) -> str | None:
    """Return the end of ``delivered`` that the next attempt is asked to begin with.

    It is about 40 characters, from the start of a word, or up to 120 from the start of a
    sentence in the same line, and longer where the text repeats itself. None when the text is
    too short or too repetitive for any end of it to be telling. ``tail`` is that of the text
    where it is known.
    """
    tail = tail or Tail.of(delivered)
    size = len(tail.folded)
    if size < ANCHOR_MIN or tail.telling < max(0, size - ANCHOR_MAX):
        return None
    latest = min(tail.offsets[tail.telling], max(0, len(tail.text) - ANCHOR_LENGTH))
    start = None if among_like_lines(tail.text) else _sentence_start(tail, latest)
    start = _word_start(tail.text, latest) if start is None else start
    begin = len(tail.text) - len(tail.text.lstrip())
    while start > begin and tail.may_follow(bisect_left(tail.offsets, start), "\n"):
        start = max(begin, _word_start(tail.text, start - 1))
    anchor = delivered[tail.start + max(begin, start) :]
    return anchor if len(anchor) <= REACH else None


def _sentence_start(tail: Tail, latest: int) -> int | None:
    """Return the offset, ``latest`` or before, where a sentence of the last line begins."""
    first = max(tail.text.rfind("\n"), len(tail.text) - SENTENCE_REACH)
    starts = [found.end() for found in _SENTENCE.finditer(tail.text, max(first, 0))]
    fitting = (start for start in reversed(starts) if start <= latest)
    start = next(fitting, None)
    if start is None or tail.may_follow(bisect_left(tail.offsets, start), "\n"):
        return None
    return start


def _word_start(text: str, at: int) -> int:
    """Return the offset, ``at`` or a little before, where a word or else a character begins."""
    characters = (place for place in range(at, -1, -1) if _begins_character(text, place))
    near = range(at, max(-1, at - _WORD_REACH - 1), -1)
    words = (place for place in near if place == 0 or text[place - 1].isspace())
    return next(filter(lambda place: _begins_character(text, place), words), next(characters, 0))


def _begins_character(text: str, at: int) -> bool:
    """Return whether what a reader sees as one character begins at ``at``, and is no space.

    The rules are those of grapheme clusters (Unicode Standard Annex 29) that matter here.
    """
    char = text[at]
    if char.isspace() or _extends(char):
        return False
    if at == 0:
        return True
    if _is_flag_half(char):
        flags = takewhile(_is_flag_half, reversed(text[:at]))
        return sum(1 for _ in flags) % 2 == 0
    return text[at - 1] != "\u200d"


def _extends(char: str) -> bool:
    """Return whether ``char`` belongs to the character before it."""
    return (
        unicodedata.category(char).startswith("M")  # combining marks, variation selectors
        or char == "\u200d"  # zero-width joiner
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags, in flags of regions
        or "\udc00" <= char <= "\udfff"  # the second half of a surrogate pair
        or "\u1160" <= char <= "\u11ff"  # Hangul vowels and finals
    )


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
