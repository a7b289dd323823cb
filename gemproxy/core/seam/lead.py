"""The *lead*: text that a resumed attempt may put before the repeated anchor.

A lead can contain our own tag, a polite sentence, a code fence, dots, quotation marks and
whitespace. It is dropped only if the complete anchor follows. A sentence is recognised by its
first words (in English and Chinese) or by a word of continuing (phrases.py); it ends with a colon,
dots or its line. One line of any other words is a *foreign* line; after one, stricter rules apply
to the anchor (seam.py).
"""

import re
from collections.abc import Iterator

import attrs

from gemproxy.core.seam.marks import QUOTE_OPEN
from gemproxy.core.seam.phrases import speaks_of_going_on, speaks_only_of_going_on

PREAMBLE_MAX = 120
"""Most characters of a line like "Sure, here is the continuation:"."""

_PHRASES = (
    *("Sure", "Certainly", "Of course", "Absolutely", "OK", "Okay", "Alright", "All right"),
    *("Got it", "Understood", "No problem", "Apologies", "My apologies", "Sorry", "I apologize"),
    *("I'm sorry", "I am sorry", "Here is", "Here's", "Here are"),
    *("Continuing", "Continued", "Continuation", "(continu", "(Continu"),
    *("To continue", "I'll continue", "I will continue", "Let me continue", "Let's continue"),
    *("I'll pick up", "Picking up", "Resuming", "As requested", "From where"),
    *("好的", "当然", "没问题", "明白", "收到", "抱歉", "对不起", "接着", "接上", "接续", "继续"),
    *("续写", "续上", "以下是", "下面", "从上", "从中断", "我将继续", "我会继续", "我继续"),
    *("让我继续", "當然", "沒問題", "接續", "繼續", "以下為", "(续", "(接", "\uff08续", "\uff08接"),
)

_PREAMBLE_BEGUN = re.compile(rf"[*_]*(?:{'|'.join(map(re.escape, _PHRASES))})")
_TAG = re.compile(rf"{QUOTE_OPEN.rstrip()}\s*")
_STOP = re.compile(r"(?:[:\uff1a\u2026\n]|\.\.\.)[*_]*")
_FENCE = r"(?:`{3,4}|~{3,4})"
_INFO = r"[\w+#.-]{0,20}[ \t]*"
_REOPENED = rf"(?:{_FENCE}{_INFO}\n\s*)?"
_OWN_FENCE = rf"(?:(?P<fence>{_FENCE}){_INFO}\n)?"
_FENCE_BEGUN = rf"(?:`{{1,4}}|~{{1,4}}){_INFO}"
_ELLIPSIS = r"(?:(?:\.\.\.|\u2026)\s*)?"
_MARK = r"[\"'`\u00ab\u2039\u300c\u300e\u27e6]|``|<{2,4}|\[{2,3}|\*\*|__|\*|_"
_MARKS = rf"{_ELLIPSIS}(?:(?P<mark>{_MARK})(?P<gap>\s*))?{_ELLIPSIS}"
_MARK_BEGUN = r"(?:\.{1,2}|<|\[)?"

PAIRED = str.maketrans("\u00ab\u2039\u300c\u300e\u27e6<[", "\u00bb\u203a\u300d\u300f\u27e7>]")
OPENING = ("\u201c", "\u2018", "\u201e", "\u201a")
"""Quotation marks that only open; folding makes them equal to closing ones."""


@attrs.frozen
class Before:
    """The parts of a lead; an absent part is empty.

    ``foreign`` is a foreign line, ``fence`` the signs of a code fence. ``mark`` is a quotation mark
    or emphasis at the offset ``at``; ``gap``: whitespace follows it.
    """

    foreign: str = ""
    fence: str = ""
    mark: str = ""
    at: int = 0
    gap: bool = False


@attrs.frozen
class Lead:
    """The grammar of a lead: tag, sentence, fence, marks, whitespace.

    If the delivered text ends inside a fence, the lead may open that fence again; otherwise a
    fence surrounds the echo alone and must be closed after it. Both methods expect text with
    variants of quotes folded.
    """

    whole: re.Pattern[str]
    begun: re.Pattern[str]

    @classmethod
    def of(cls, *, fenced: bool) -> "Lead":
        """Return the grammar for a delivered text that ends inside a fence, or outside."""
        whole = r"\s*" + (_REOPENED if fenced else _OWN_FENCE) + _MARKS
        begun = rf"{whole}{_MARK_BEGUN}|\s*{_FENCE_BEGUN}"
        return cls(re.compile(whole), re.compile(begun))

    def parse(self, text: str) -> Before | None:
        """Return the parts of ``text`` if it is a complete lead, else None."""
        for end, foreign in _sentences(text):
            found = self.whole.fullmatch(text, end)
            if found is not None:
                parts = found.groupdict(default="")
                gap = bool(parts["gap"])
                mark = parts["mark"]
                return Before(foreign, parts.get("fence", ""), mark, found.start("mark"), gap)
        return None

    def possible(self, text: str) -> bool:
        """Return whether ``text`` is a lead or the beginning of one."""
        return _is_begun(text) or any(
            self.begun.fullmatch(text, end) is not None for end, _ in _sentences(text)
        )


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the end of each possible sentence of a lead, with its line if that is foreign.

    A sentence is not foreign if it begins with a usual phrase or only announces a continuation.
    """
    tag = _TAG.match(text)
    start = tag.end() if tag is not None else 0
    yield start, ""
    indent = len(text) - len(text[start:].lstrip())
    known = _PREAMBLE_BEGUN.match(text, indent) is not None
    for stop in _STOP.finditer(text, indent, indent + PREAMBLE_MAX + 1):
        line = text[start : stop.end()]
        if known or speaks_only_of_going_on(text[indent : stop.start()]):
            yield stop.end(), ""
        elif may_be_foreign(line) and ("\n" in stop[0] or speaks_of_going_on(line)):
            yield stop.end(), line
        if "\n" in stop[0]:
            return


def _is_begun(text: str) -> bool:
    """Return whether ``text`` is the beginning of our tag or of a lead's first line."""
    tag = _TAG.match(text)
    line = text[tag.end() if tag is not None else 0 :]
    plain = line.lstrip("*_")
    if QUOTE_OPEN.startswith(text) or any(phrase.startswith(plain) for phrase in _PHRASES):
        return True
    inside = "\n" not in line.lstrip() and len(line.lstrip()) <= PREAMBLE_MAX
    return inside and (_PREAMBLE_BEGUN.match(line) is not None or may_be_foreign(line))


LEADS = {fenced: Lead.of(fenced=fenced) for fenced in (False, True)}


def may_be_foreign(text: str) -> bool:
    """Return whether ``text`` may be the beginning of a foreign line.

    Such a line begins with a capital or with a letter without case. Most text that simply
    continues begins with a space or a small letter, so it is not held for long.
    """
    letter = text.lstrip("\n*_#([\u00a1\u00bf")[:1]
    return not letter or (letter.isalpha() and not letter.islower())
