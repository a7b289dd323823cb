"""The strings of a JSON text that comes in pieces, with the names on the way to each.

Unlike ``members``, which edits a whole text in place, this reads a text as it passes by: pieces may
be cut anywhere. Names and values are decoded, duplicate members are all reported, and a string in
an array goes by the name of the array. A long string is skipped, because no name is that long. The
events of a stream are one text after the other; a blank line between them, which no JSON string can
contain, begins anew. Text that is not JSON yields the strings that it appears to have.
"""

import json
import re
from collections.abc import Iterator

import attrs

LONGEST = 1 << 16
"""Bytes of the longest string that is reported."""

_TOKEN = re.compile(rb'[{}\[\]"]|\n\r?\n')
_NEXT = re.compile(rb"[^ \t\r\n]")
_OPENS, _CLOSES = b"{[", b"}]"


@attrs.frozen
class Text:
    """A string that is a value; ``names`` are those around it and its own, the outermost first."""

    names: tuple[str, ...]
    value: str = attrs.field(repr=False)


@attrs.define(eq=False)
class Strings:
    """Reads one text, or one event stream."""

    _around: list[str] = attrs.field(factory=list, init=False)
    _name: str = attrs.field(default="", init=False)
    _rest: bytes = attrs.field(default=b"", init=False)
    _skips: bool = attrs.field(default=False, init=False)

    def feed(self, data: bytes) -> Iterator[Text]:
        """Yield the strings that end in ``data``, the next bytes of the text."""
        data, at = self._rest + data, 0
        self._rest = b""
        if self._skips:
            at = self._skip(data, 0)
        while at >= 0 and (token := _TOKEN.search(data, at)) is not None:
            at = token.end()
            mark = token[0]
            if mark in _OPENS:
                self._around.append(self._name)
                self._name = ""
            elif mark in _CLOSES:
                del self._around[-1:]
                self._name = ""
            elif mark != b'"':
                self._around.clear()
                self._name = ""
            else:
                text, at = self._string(data, token.start())
                if text is not None:
                    yield text

    def _string(self, data: bytes, start: int) -> tuple[Text | None, int]:
        """Return the value that begins at ``start``, if it is one, and where to go on.

        That is -1 if ``data`` does not reach far enough.
        """
        end = _end(data, start + 1)
        if end < 0 and len(data) - start > LONGEST:
            self._name, self._skips = "", True
            return None, self._skip(data, start + 1)
        following = _NEXT.search(data, end) if end >= 0 else None
        if following is None:
            self._rest = data[start:]
            return None, -1
        said = _decoded(data[start:end]) if end - start <= LONGEST else ""
        if following[0] == b":":
            self._name = said
            return None, following.end()
        names = (*self._around, self._name) if self._name else tuple(self._around)
        self._name = ""
        return Text(tuple(filter(None, names)), said), end

    def _skip(self, data: bytes, at: int) -> int:
        """Return where a long string ends in ``data``; -1 if it goes on."""
        end = _end(data, at)
        if end < 0:
            backslashes = len(data) - len(data.rstrip(b"\\"))
            self._rest = b"\\" * (backslashes % 2)
            return -1
        self._skips = False
        return end


def _end(data: bytes, at: int) -> int:
    """Return the offset after the next quote that no backslash escapes; -1 if there is none."""
    while (quote := data.find(b'"', at)) >= 0:
        before = quote
        while before > at and data[before - 1] == 0x5C:  # noqa: PLR2004 (a backslash)
            before -= 1
        if (quote - before) % 2 == 0:
            return quote + 1
        at = quote + 1
    return -1


def _decoded(quoted: bytes) -> str:
    """Return the string that stands in its quotes; as it is written if it is none."""
    if b"\\" not in quoted:
        return quoted[1:-1].decode(errors="replace")
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1].decode(errors="replace")
