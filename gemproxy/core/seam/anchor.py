"""The anchor: the end of the delivered text that a resumed attempt is asked to begin with.

An attempt that simply continues must not begin with the anchor by chance, so an anchor has about 40
characters, and more if the text repeats itself. Models tend to begin at the start of a sentence, so
the anchor starts there if a sentence begins shortly before.
"""

import re
import unicodedata
from bisect import bisect_left
from itertools import takewhile

from gemproxy.core.seam.structure import among_like_lines
from gemproxy.core.seam.tail import REACH, Tail

ANCHOR_LENGTH = 40
"""The usual length of an anchor in characters."""

ANCHOR_MIN = 6
"""Fewest characters of a text with an anchor; a shorter one could come by chance."""

ANCHOR_MAX = 200
"""No anchor is chosen if the shortest distinctive ending has more characters."""

SENTENCE_REACH = 120
"""Most characters of an anchor that is lengthened to begin with a sentence."""

_SENTENCE = re.compile(
    r"(?<=[^\W\d][.!?\u2026])[\"'\u201d\u2019)]* (?=\w)|(?<=[\u3002\uff01\uff1f])"
)
_WORD_REACH = 24  # how far back the start of a word is looked for


def choose_anchor(delivered: str, tail: Tail | None = None) -> str | None:
    """Return the end of ``delivered`` that the next attempt is asked to begin with.

    The anchor has about 40 characters and begins with a word, or up to 120 and begins with a
    sentence of the same line; it is longer if the text repeats itself. The result is None if the
    text is too short or too repetitive to have a distinctive ending. ``tail`` is the tail of
    ``delivered``, computed here if it is not given.
    """
    tail = tail or Tail.of(delivered)
    size = len(tail.folded)
    if size < ANCHOR_MIN or tail.distinctive < max(0, size - ANCHOR_MAX):
        return None
    latest = min(tail.offsets[tail.distinctive], max(0, len(tail.text) - ANCHOR_LENGTH))
    start = None if among_like_lines(tail.text) else _sentence_start(tail, latest)
    start = _word_start(tail.text, latest) if start is None else start
    begin = len(tail.text) - len(tail.text.lstrip())
    while start > begin and tail.may_follow(bisect_left(tail.offsets, start), "\n"):
        start = max(begin, _word_start(tail.text, start - 1))
    anchor = delivered[tail.start + max(begin, start) :]
    return anchor if len(anchor) <= REACH else None


def _sentence_start(tail: Tail, latest: int) -> int | None:
    """Return the last offset up to ``latest`` where a sentence of the last line begins."""
    first = max(tail.text.rfind("\n"), len(tail.text) - SENTENCE_REACH)
    starts = [found.end() for found in _SENTENCE.finditer(tail.text, max(first, 0))]
    fitting = (start for start in reversed(starts) if start <= latest)
    start = next(fitting, None)
    if start is None or tail.may_follow(bisect_left(tail.offsets, start), "\n"):
        return None
    return start


def _word_start(text: str, at: int) -> int:
    """Return the offset, at most ``at``, where a word begins nearby, else a character."""
    characters = (place for place in range(at, -1, -1) if _begins_character(text, place))
    near = range(at, max(-1, at - _WORD_REACH - 1), -1)
    words = (place for place in near if place == 0 or text[place - 1].isspace())
    return next(filter(lambda place: _begins_character(text, place), words), next(characters, 0))


def _begins_character(text: str, at: int) -> bool:
    """Return whether a grapheme cluster that is no space begins at ``at``.

    These are the rules of Unicode Standard Annex 29 that matter here.
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
