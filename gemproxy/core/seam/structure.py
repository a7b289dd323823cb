"""The kind of place where a text ends: a fence, a quotation, lines of the same structure.

A repetition of some length proves an echo in prose. In a table, a log, a list, CSV or JSON lines
it may be a coincidence, because the next line often begins as the last one ended. In code and in
quotations the usual signs have other meanings.
"""

import re

_FENCE_LINE = re.compile(r"^[ \t]*(`{3,}|~{3,})(.*)$", re.MULTILINE)
_MARKED_LINE = re.compile(
    r"""[ \t]*(?:
        \|                                          # a table
      | [-+*\u2022\u2023\u25e6\u00b7][ \t]          # a list
      | \d{1,4}[.)\]:\u3001][ \t]?                  # a numbered list
      | [\[{}\]]|"[^"]*"[ ]?:|"[^"]*",?$             # JSON
      | \[?\d{1,4}[-/:.]\d{1,2}[-/:.]\d             # a date or a time: a log
      )""",
    re.VERBOSE,
)
_SEPARATOR = re.compile(r"[|\t;]|,(?![\"'\u201d\u2019\u00bb)]*(?:\s|\Z))")
_WORDS = re.compile(r"[^\W\d_]+")
_ITEM = re.compile(r"[ \t]*(?:[-+*\u2022\u2023\u25e6\u00b7]|\d{1,4}[.)])[ \t]+")
_PARTS = re.compile(r"[|\t;,:={}\[\]()\"]")
_NUMBER = re.compile(r"[ \t]*(\d{1,9})(?![\d\w])(?=.)")
_DIGITS = re.compile(r"\d+")
_SIGNS = re.compile(r"[0|;\t={}<>\[\]/\\_@#$%]")
_PAIRS = (("\u201c", "\u201d"), ("\u00ab", "\u00bb"), ("\u300c", "\u300d"), ("\u201e", "\u201c"))
_LINES = 3


def inside_fence(text: str) -> bool:
    """Return whether ``text`` ends inside a fenced code block of Markdown."""
    fence = ""
    for line in _FENCE_LINE.finditer(text):
        if not fence:
            fence = line[1]
        elif line[1].startswith(fence) and not line[2].strip():
            fence = ""
    return bool(fence)


def has_fence(text: str) -> bool:
    """Return whether ``text`` has a line that opens or closes a fenced code block."""
    return _FENCE_LINE.search(text) is not None


def inside_quotation(text: str) -> bool:
    """Return whether the last paragraph of ``text`` has a quotation that is still open."""
    paragraph = text.rpartition("\n\n")[2]
    opened = any(paragraph.rfind(one) > paragraph.rfind(other) for one, other in _PAIRS[:3])
    return opened or paragraph.count('"') % 2 == 1


def is_data(text: str) -> bool:
    """Return whether ``text`` begins like JSON."""
    return text.lstrip().startswith(("{", "["))


def has_like_lines(text: str) -> bool:
    """Return whether any line of ``text`` belongs to a table, a list, a log or JSON."""
    return any(_MARKED_LINE.match(line) for line in text.split("\n"))


def among_like_lines(text: str) -> bool:
    """Return whether ``text`` ends among lines of the same structure."""
    lines = [line for line in text[-2000:].split("\n") if line.strip()][-_LINES:]
    if not lines:
        return False
    if any(_MARKED_LINE.match(line) for line in lines):
        return True
    if any(len(_SEPARATOR.findall(line)) > 1 for line in lines[-2:]):
        return True
    return len(lines) > 1 and _are_alike(lines[-2], lines[-1])


def cannot_repeat(text: str, end: str) -> bool:
    """Return whether the structure of the lines excludes that ``text`` continues with ``end``.

    ``end`` is an ending of ``text``. It cannot follow if its first line would complete the last
    line to a row with other separators than the rows before. It also cannot if the lines are
    numbered and a number would come again, or if an item of a list would begin inside a line.
    """
    *rows, begun = text.split("\n")
    rest, *behind = end.split("\n")
    counted = max(_LINES, len(behind) + 1)
    if behind and _count_up([*rows[1 - counted :], begun], counted):
        return True
    if not behind and _ITEM.match(end) and begun.strip() == end.strip():
        return True
    built = {_separators(row) for row in rows[-_LINES:]}
    if len(rows) < _LINES or len(built) > 1 or not any(map(str.isalnum, rest)):
        return False
    row, made = built.pop(), _separators(begun + rest)
    if "(" in row or row.startswith('"":') or not row.startswith(_separators(begun)):
        return False  # calls in code and members in JSON have no fixed structure
    return bool(row) and (made != row if behind else not row.startswith(made))


def words_of_item(text: str) -> str:
    """Return the words of the list item that ``text`` ends inside; empty if it does not."""
    line = text.rpartition("\n")[2]
    found = _ITEM.match(line)
    return line[found.end() :] if found is not None else ""


def is_plain_words(text: str) -> bool:
    """Return whether ``text`` is one line of words, without separators or other signs."""
    return "\n" not in text and _SEPARATOR.search(text) is None and _SIGNS.search(text) is None


def _separators(line: str) -> str:
    return "".join(_PARTS.findall(line))


def _count_up(lines: list[str], count: int) -> bool:
    """Return whether there are ``count`` lines that begin with consecutive numbers."""
    found = [_NUMBER.match(line) for line in lines]
    numbers = [int(number[1]) for number in found if number is not None]
    first = numbers[0] if numbers else 0
    return len(numbers) == count and numbers == list(range(first, first + count))


def _are_alike(one: str, other: str) -> bool:
    """Return whether two lines have the same signs and numbers in the same order."""
    shorter, longer = sorted([shape_of(one), shape_of(other)], key=len)
    return longer.startswith(shorter) and _SIGNS.search(shorter) is not None


def shape_of(line: str) -> str:
    """Return ``line`` with every word as ``a`` and every number as ``0``."""
    return _DIGITS.sub("0", _WORDS.sub("a", line.strip()))
