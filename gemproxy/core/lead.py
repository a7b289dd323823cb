"""What a resumed attempt may say before it repeats the anchor.

A polite sentence, a code fence opened again, quotation marks, dots, whitespace: none of it
is part of the answer, but only the complete anchor behind it proves that.
"""

import re

import attrs

PREAMBLE_MAX = 120
"""Characters of a line like "Sure, here is the continuation:"."""

_PHRASES = (
    *("Sure", "Certainly", "Of course", "Absolutely", "OK", "Okay", "Alright", "All right"),
    *("Got it", "Understood", "No problem", "Apologies", "My apologies", "Sorry", "I apologize"),
    *("Here is the cont", "Here is the re", "Here's the cont", "Here's the re", "Here is where"),
    *("Here's where", "Continuing", "Continued", "Continuation", "(continu", "(Continu"),
    *("To continue", "I'll continue", "I will continue", "Let me continue", "Let's continue"),
    *("I'll pick up", "Picking up", "Resuming", "As requested", "From where"),
    *("好的", "当然", "没问题", "明白", "收到", "抱歉", "对不起", "接着", "接上", "接续", "继续"),
    *("续写", "续上", "以下是", "下面", "从上", "从中断", "我将继续", "我会继续", "我继续"),
    *("让我继续", "當然", "沒問題", "接續", "繼續", "以下為", "(续", "(接", "\uff08续", "\uff08接"),
)

_PREAMBLE_BEGUN = rf"[*_]*(?:{'|'.join(map(re.escape, _PHRASES))})[^\n]{{0,{PREAMBLE_MAX}}}"
_PREAMBLE = rf"(?:{_PREAMBLE_BEGUN}?(?:[:\uff1a\u2026\n]|\.\.\.)[*_]*)?\s*"
_FENCE = r"(?:(?:`{3,4}|~{3,4})[\w+#.-]{0,20}[ \t]*\n\s*)?"
_FENCE_BEGUN = r"(?:`{1,4}|~{1,4})[\w+#.-]{0,20}[ \t]*"
_ELLIPSIS = r"(?:(?:\.\.\.|\u2026)\s*)?"
_MARK = r"[\"'`\u00ab\u2039\u300c\u300e\u27e6]|``|<{2,4}|\[{2,3}"
_MARKS = rf"{_ELLIPSIS}(?:(?P<mark>{_MARK})(?P<gap>\s*))?{_ELLIPSIS}"
_MARK_BEGUN = r"(?:\.{1,2}|<|\[)?"

PAIRED = str.maketrans("\u00ab\u2039\u300c\u300e\u27e6<[", "\u00bb\u203a\u300d\u300f\u27e7>]")
OPENING = ("\u201c", "\u2018", "\u201e", "\u201a")
"""Quotation marks that only open; folded, they look like those that close."""
_FENCE_LINE = re.compile(r"^[ \t]*(`{3,}|~{3,})(.*)$", re.MULTILINE)


@attrs.frozen
class Lead:
    """The grammar of what may stand before an echo: a preamble, a fence, marks, whitespace.

    A fence belongs to it only where the delivered text ends inside one, so that the
    attempt opened it again. Both methods take the text with variants of quotes made plain.
    """

    whole: re.Pattern[str]
    begun: re.Pattern[str]

    @classmethod
    def of(cls, *, fenced: bool) -> "Lead":
        """Return the grammar for a text that ends inside a fence, or outside of any."""
        whole = _PREAMBLE + (_FENCE if fenced else "") + _MARKS
        begun = [whole + _MARK_BEGUN, _PREAMBLE_BEGUN]
        if fenced:
            begun.append(_PREAMBLE + _FENCE_BEGUN)
        return cls(re.compile(whole), re.compile("|".join(begun)))

    def possible(self, text: str) -> bool:
        """Return whether ``text`` is such a lead, or the beginning of one."""
        phrase_begun = text.lstrip("*_")
        begins = any(phrase.startswith(phrase_begun) for phrase in _PHRASES)
        return begins or self.begun.fullmatch(text) is not None


LEADS = {fenced: Lead.of(fenced=fenced) for fenced in (False, True)}


def inside_fence(text: str) -> bool:
    """Return whether ``text`` ends inside a fenced code block of Markdown."""
    fence = ""
    for line in _FENCE_LINE.finditer(text):
        if not fence:
            fence = line[1]
        elif line[1].startswith(fence) and not line[2].strip():
            fence = ""
    return bool(fence)
