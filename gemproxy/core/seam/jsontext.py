"""JSON text read in slices: the state after a text that may be cut, and the value of a whole one.

``TextReader`` is a state machine. It reads text in pieces and knows after each which arrays
and objects are open, which tokens may follow, and which incomplete token is at the end (a string,
an escape in it, a number that may continue). It can be forked: a fork reads possible next text
without changing the original.

The work is done by generators that yield after a bounded slice, with the number of steps that it
needed (a step is a token, or ``STEP_CHARS`` characters of a long one: about a microsecond), so a
large text does not block other streams. The grammar is RFC 8259. Ambiguous text is refused:
duplicate keys, and numbers that Python cannot read.
"""

import json
import math
import re
from collections.abc import Generator
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

Work = Generator[int, None, T]
"""Work in slices: yields the number of steps of each slice, returns the result."""

STEP_CHARS = 32
"""Characters of one token that count as one step."""

DEPTH_MAX = 500
"""Nested arrays and objects, at most; Python's own decoder reads about twice as many."""

_BIT = 100  # steps, at most, between two yields
_WINDOW = _BIT * STEP_CHARS

_STRING_BODY = r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+'
_TOKEN = re.compile(
    rf'[ \t\n\r]*+(?:("{_STRING_BODY}")|([-0-9][-+.0-9Ee]*+)|(true|false|null)|([][{{}}:,]))'
)
_STRING, _NUMBER, _LITERAL, _SIGN = 1, 2, 3, 4
_BODY = re.compile(_STRING_BODY)
_SPACE = re.compile(r"[ \t\n\r]*+")
_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*+)(\.\d++)?([Ee][-+]?\d++)?", re.ASCII)
_BEGUN_NUMBER = re.compile(r"-|-?(?:0|[1-9]\d*+)(?:\.\d*+|(?:\.\d++)?[Ee](?:[-+]?\d*+))?", re.ASCII)
_BEGUN_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?")
_HALF = re.compile(r"\\u[Dd][89ABab][0-9A-Fa-f]{2}\Z")
_ESCAPE = len("\\u1234")
_LITERALS = {"true": True, "false": False, "null": None}

_VALUE, _FIRST_ITEM, _KEY, _FIRST_KEY, _COLON, _NEXT, _END = range(7)
_VALUES, _KEYS = (_VALUE, _FIRST_ITEM), (_KEY, _FIRST_KEY)


class NotJSON(ValueError):
    """The text is not the beginning of an unambiguous JSON text."""


@attrs.define
class TextReader:
    """Reads one JSON text; ``value`` is its value as far as it was read.

    ``rest`` is the incomplete token at the end of the text so far. A number is incomplete until
    another token follows it.
    """

    value: Any = None
    rest: str = ""
    _expected: int = _VALUE
    _open: list[Any] = attrs.field(factory=list)
    _keys: list[str] = attrs.field(factory=list)
    _keeps: bool = True

    @property
    def closed(self) -> bool:
        """Whether the text is whole, so only whitespace can follow it."""
        return self._expected == _END

    def fork(self) -> "TextReader":
        """Return a reader in the same state that checks only the grammar.

        It keeps no values, so it does not find duplicate keys.
        """
        fresh = [type(container)() for container in self._open]
        return TextReader(None, self.rest, self._expected, fresh, list(self._keys), keeps=False)

    def read(self, text: str) -> Work[None]:
        """Read ``text``; raise NotJSON as soon as no following text can make it JSON."""
        text, self.rest = self.rest + text, ""
        at, size, steps = 0, len(text), 0
        while True:
            found = _TOKEN.match(text, at, at + _WINDOW)
            if found is None:
                at = yield from self._beyond(text, at)
                if at < 0:
                    return
                continue
            at, kind = found.end(), found.lastindex or _SIGN
            if kind == _NUMBER and at == size:
                self._keep(found[kind])
                return
            self._take(kind, found[kind])
            steps += 1 + len(found[kind]) // STEP_CHARS
            if steps >= _BIT:
                yield steps
                steps = 0

    def finish(self) -> bool:
        """Complete a number at the end of the text; return whether the text is whole."""
        if self.rest and self._expected == _VALUE and not self._open:
            number, self.rest = self.rest, ""
            try:
                self._take(_NUMBER, number)
            except NotJSON:
                return False
        return self.closed

    def _beyond(self, text: str, at: int) -> Work[int]:
        """Read a token that is longer than the window, or cut by the end of the text.

        Return the offset of its end, -1 at the end of the text.
        """
        size = len(text)
        at = yield from _past(_SPACE, text, at)
        if at == size:
            return -1
        if text[at] == '"':
            pieces, end = yield from _string(text, at + 1)
            if end < size and text[end] == '"':
                self._take_string("".join(pieces))
                return end + 1
            if end < size and not _BEGUN_ESCAPE.fullmatch(text, end):
                raise NotJSON("a string that is none")
            self._keep(text[at:])
            return -1
        found = _TOKEN.match(text, at, at + _WINDOW)
        if found is not None and found.end() < at + _WINDOW:
            return at  # there was only white space in the way
        self._keep(text[at:])
        return -1

    def _keep(self, rest: str) -> None:
        """Keep the beginning of a token; raise NotJSON if no token can begin with it here."""
        string = rest.startswith('"')
        if self._expected not in ((*_VALUES, *_KEYS) if string else _VALUES):
            raise NotJSON("a value where none belongs")
        literal = any(name.startswith(rest) for name in _LITERALS)
        if not string and not literal and not _is_begun_number(rest):
            raise NotJSON("no token")
        self.rest = rest

    def _take(self, kind: int, token: str) -> None:
        if kind == _SIGN:
            self._take_sign(token)
        elif kind == _STRING:
            self._take_string(_unquoted(token))
        else:
            self._put(_LITERALS[token] if kind == _LITERAL else _number(token))

    def _take_string(self, value: str) -> None:
        if self._expected not in _KEYS:
            self._put(value)
            return
        if value in self._open[-1]:
            raise NotJSON("duplicate key")
        self._keys.append(value)
        self._expected = _COLON

    def _take_sign(self, sign: str) -> None:
        expected = self._expected
        if sign in "[{":
            container: Any = [] if sign == "[" else {}
            self._put(container)
            self._open.append(container)
            if len(self._open) > DEPTH_MAX:
                raise NotJSON("too deep")
            self._expected = _FIRST_ITEM if sign == "[" else _FIRST_KEY
        elif sign == ":" and expected == _COLON:
            self._expected = _VALUE
        elif sign == "," and expected == _NEXT:
            self._expected = _VALUE if isinstance(self._open[-1], list) else _KEY
        elif sign in "]}" and expected in (_NEXT, _FIRST_ITEM if sign == "]" else _FIRST_KEY):
            if isinstance(self._open.pop(), list) is not (sign == "]"):
                raise NotJSON("brackets that are no pair")
            self._expected = _NEXT if self._open else _END
        else:
            raise NotJSON("a sign where none belongs")

    def _put(self, value: object) -> None:
        """Add a value, or an opened array or object, to its container."""
        if self._expected not in _VALUES:
            raise NotJSON("a value where none belongs")
        if not self._open:
            self.value, self._expected = value, _END
            return
        container = self._open[-1]
        key = self._keys.pop() if isinstance(container, dict) else None
        if self._keeps and key is not None:
            container[key] = value
        elif self._keeps:
            container.append(value)
        self._expected = _NEXT


def parse(text: str) -> Work[Any]:
    """Return the value of a whole JSON text; raise NotJSON."""
    reader = TextReader()
    yield from reader.read(text)
    if not reader.finish():
        raise NotJSON("not whole")
    return reader.value


def agree(one: str, other: str) -> Work[int | None]:
    """Compare two texts token by token, ignoring the whitespace between tokens.

    Return the length of the beginning of ``other`` that has all tokens of ``one``, whose last
    token may be cut; -1 if ``other`` ends before that, None if they differ. From a token longer
    than the window on, the texts must be equal to the character.
    """
    here = there = steps = 0
    while True:
        mine = _TOKEN.match(one, here, here + _WINDOW)
        theirs = _TOKEN.match(other, there, there + _WINDOW)
        if mine is None or theirs is None or _is_open(mine, one):
            return _common_rest(one, here, other, there)
        token, other_token = mine[mine.lastindex or 0], theirs[theirs.lastindex or 0]
        if token != other_token:
            ends = _is_open(theirs, other) and token.startswith(other_token)
            return -1 if ends else None
        here, there = mine.end(), theirs.end()
        steps += 2 + 2 * len(token) // STEP_CHARS
        if steps >= _BIT:
            yield steps
            steps = 0


def release(value: object) -> Work[None]:
    """Free the memory of a value in slices, because freeing a large value takes long too."""
    todo = [value]
    del value
    while todo:
        container = todo.pop()
        inner: Any = ()
        if isinstance(container, dict):
            inner = container.values()
        elif isinstance(container, list):
            inner = container
        todo += [one for one in inner if isinstance(one, dict | list)]
        yield 1 + len(inner) // 8
        if isinstance(container, dict | list):
            container.clear()


def finished(work: Work[T]) -> T:
    """Do all of the work at once and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration carries Any


def _common_rest(one: str, here: int, other: str, there: int) -> int | None:
    """Compare the rests of both; the rest of ``one`` is an incomplete token or whitespace."""
    rest, theirs = one[here:].strip(" \t\n\r"), other[there:].lstrip(" \t\n\r")
    rest = rest if rest[:1] != '"' else one[here:].lstrip(" \t\n\r")
    if not rest:
        return there
    if theirs.startswith(rest):
        return len(other) - len(theirs) + len(rest)
    return -1 if rest.startswith(theirs) else None


def _is_open(found: re.Match[str], text: str) -> bool:
    """Return whether the token is a number at the end of the text, which may continue."""
    return found.lastindex == _NUMBER and found.end() == len(text)


def _past(pattern: re.Pattern[str], text: str, at: int) -> Work[int]:
    """Return the end of the run from ``at`` on that ``pattern`` matches."""
    while True:
        found = pattern.match(text, at, at + _WINDOW)
        end = found.end() if found else at
        if end == at or end == len(text):
            return end
        at = end
        yield _BIT


def _string(text: str, at: int) -> Work[tuple[list[str], int]]:
    """Read a long string from after its quotation mark; return its pieces and their end.

    The two escapes of a surrogate pair stay in one piece.
    """
    pieces: list[str] = []
    while True:
        found = _BODY.match(text, at, at + _WINDOW)
        end = found.end() if found else at
        half = _HALF.search(text, max(at + 1, end - _ESCAPE), end)
        end = half.start() if half else end
        if end == at:
            return pieces, end
        pieces.append(_unquoted(f'"{text[at:end]}"'))
        at = end
        yield _BIT


def _is_begun_number(text: str) -> bool:
    return len(text) < _WINDOW and _BEGUN_NUMBER.fullmatch(text) is not None


def _unquoted(token: str) -> str:
    return str(json.loads(token)) if "\\" in token else token[1:-1]


def _number(token: str) -> int | float:
    found = _WHOLE_NUMBER.fullmatch(token)
    if found is None:
        raise NotJSON("no number")
    try:
        value = float(token) if found[1] or found[2] else int(token)
    except ValueError:  # more digits than Python converts
        raise NotJSON("a number beyond reading") from None
    if isinstance(value, float) and math.isinf(value):
        raise NotJSON("a number beyond reading")
    return value
