"""Whether a text ends where an answer may end.

After an interruption, a STOP without new text has two meanings: the answer was complete, or the
model did not react to our request. A text that stops inside a word, a clause, a bracket, a
quotation, a table row or a fence was not complete. In doubt the text counts as incomplete: a whole
answer without final punctuation is not recognised.
"""

import re

from gemproxy.core.seam.structure import inside_fence

_CLOSERS = (
    "\"'\u201d\u2019\u201c\u2018\u00bb\u203a\u00ab\u300d\u300f\uff02)\\]}\uff09\u3011\u300b*_`"
)
_SENTENCE_END = re.compile(rf"[.!?\u3002\uff01\uff1f][{_CLOSERS}]*$")
_FULL_STOP = re.compile(rf"\.[{_CLOSERS}]*$")
_DIGIT = re.compile(r"\d$")
_ABBREVIATION = re.compile(r"(?:^|[^\w.])(\w{1,3}(?:\.\s?\w{1,3})*)$")
_INNER = re.compile(r"\w\.\s?\w{1,3}$")
_CLOSING_FENCE = re.compile(r"(?:^|\n)[ \t]*(?:`{3,}|~{3,})[ \t]*$")
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,}).*?^[ \t]*\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_SHORT = re.compile(
    "al|abs|abt|art|av|bd|bzw|ca|cf|ch|co|col|dr|ed|eds|eg|ej|env|est|etc|evt|ff|fig|fr|ggf|gr|"
    "ibid|ie|inc|jan|feb|mar|apr|jun|jul|aug|sep|okt|oct|nov|dec|dez|jr|lt|ltd|max|min|mio|mme|"
    "mr|mrs|ms|mt|nos|nr|op|os|pag|par|pp|prof|pt|res|rev|sec|sen|sog|sr|sra|st|str|tel|usw|vgl|"
    "vol|vs|zb|zzt",
    re.IGNORECASE,
)
"""Abbreviations that a full stop may follow inside a sentence, in European languages."""

_PAIRS = {
    "(": ")",
    "[": "]",
    "{": "}",
    "\uff08": "\uff09",
    "\u3010": "\u3011",
    "\u300a": "\u300b",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
    "\u00ab": "\u00bb",
}
_SMILEY = re.compile(r"[:;=]-?[()\[\]]")


def is_closed(text: str) -> bool:
    """Return whether ``text`` ends with a complete sentence or fence, and nothing is open."""
    text = text.rstrip()
    if inside_fence(text):
        return False
    if _CLOSING_FENCE.search(text):
        return True
    return _ends_a_sentence(text) and not _leaves_open(text)


def _ends_a_sentence(text: str) -> bool:
    if not _SENTENCE_END.search(text):
        return False
    stop = _FULL_STOP.search(text)
    if stop is None:
        return True
    before = text[: stop.start()]
    if before.endswith("."):  # two dots are half an ellipsis
        return before.endswith("..")
    return not (_DIGIT.search(before) or _abbreviates(before))


def _abbreviates(before: str) -> bool:
    """Return whether a full stop after ``before`` may belong to an abbreviation.

    It may after up to three letters that are capitalised in the middle of a sentence ("Dr"), that
    follow another full stop ("z.B"), that stand alone, or that are a common abbreviation.
    """
    found = _ABBREVIATION.search(before)
    if found is None:
        return False
    word = found[1].rpartition(".")[2].strip()
    if not word.isalpha() or not word.isascii():
        return bool(_INNER.search(before))
    lone = len(word) == 1 and word not in "aIiouyAO"
    capital = word[0].isupper() and not word.isupper()
    return bool(_INNER.search(before)) or lone or capital or bool(_SHORT.fullmatch(word))


def _leaves_open(text: str) -> bool:
    """Return whether a bracket, a quotation, code or a table row is open in the last paragraph."""
    prose = _CODE.sub("", _FENCED.sub("", text))
    paragraph = re.split(r"\n[ \t]*\n", prose)[-1]
    line = paragraph.rpartition("\n")[2].strip()
    if line.startswith("|"):
        return not line.endswith("|")
    if paragraph.count("`") % 2 == 1:
        return True
    return _open_brackets(_SMILEY.sub("", paragraph)) or _open_quotes(paragraph)


def _open_brackets(paragraph: str) -> bool:
    due: list[str] = []
    for char in paragraph:
        if char in _PAIRS:
            due.append(_PAIRS[char])
        elif due and char == due[-1]:
            due.pop()
    return bool(due)


def _open_quotes(paragraph: str) -> bool:
    """Return whether a double quotation is open; German ones close with the English opener."""
    straight = paragraph.count('"') % 2 == 1
    low, left, right = (paragraph.count(mark) for mark in "\u201e\u201c\u201d")
    german = low > left + right
    english = left > right if not low else False
    angles = paragraph.count("<<") > paragraph.count(">>")
    return straight or german or english or angles
