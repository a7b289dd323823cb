"""Members of a JSON text: where they stand, and the names on the way to them.

Bytes are edited in place if the rest of a text must stay unchanged; the names on the way
distinguish a member from another one of the same name. The text is scanned once, from name to name,
without building its values, and long strings are skipped. Text that is not JSON yields the members
that it appears to have.
"""

import itertools
import re
from collections.abc import Collection, Iterator, Sequence

import attrs

# A bracket, or a string: whole when it is short and has no escapes, with its colon if a name.
_TOKEN = re.compile(rb'([{\[])|([}\]])|"(?:([^"\\]{0,64})"([ \t\r\n]*:)?)?')
_COLON = re.compile(rb"[ \t\r\n]*:")
_LONG = 65  # bytes of a name that is not short, with its quote
_MOST = 300_000
"""Most tokens that are read: those of some megabytes of calls, in a fraction of a second."""


@attrs.frozen
class Member:
    """A member whose value is a string: ``body[start:end]``, in its quotes.

    ``names`` are the names of the objects around it (arrays have none), and its own.
    """

    names: tuple[bytes, ...]
    start: int
    end: int


def string_members(body: bytes, wanted: Collection[bytes]) -> Iterator[Member]:
    """Yield the members with ``wanted`` names in their order; a name with escapes never matches."""
    around: list[bytes] = []
    name = b""
    for token in itertools.islice(_tokens(body), _MOST):
        opens, closes, short, colon = token.groups()
        if opens is not None:
            around.append(name)
            name = b""
        elif closes is not None:
            del around[-1:]
            name = b""
        else:
            end = _end_of_string(body, token)
            if colon is not None or (short is None and _COLON.match(body, end)):
                name = short or body[token.start() : token.start() + _LONG]
                continue
            if name in wanted:
                yield Member((*filter(None, around), name), token.start(), end)
            name = b""


def inside_of(body: bytes, path: Sequence[str]) -> int | None:
    """Return the offset behind the brace of the object at ``path``, None if it is not found.

    The empty path is the document. Like ``string_members``, this finds no name with escapes.
    """
    wanted = [b"", *(name.encode() for name in path)]
    around: list[bytes] = []
    name = b""
    for token in itertools.islice(_tokens(body), _MOST):
        opens, closes, short, colon = token.groups()
        if opens is not None:
            around.append(name)
            if opens == b"{" and around == wanted:
                return token.end()
            name = b""
        elif closes is not None:
            del around[-1:]
            name = b""
        else:
            names = colon is not None or (
                short is None and _COLON.match(body, _end_of_string(body, token))
            )
            name = short or b"" if names else b""
    return None


def _tokens(body: bytes) -> Iterator[re.Match[bytes]]:
    """Yield brackets and strings; for a string that is not short, its first quote."""
    start = 0
    while start < len(body):
        last = None
        for last in _TOKEN.finditer(body, start):
            yield last
            if len(last[0]) == 1 and last.lastindex is None:
                break
        if last is None or last.lastindex is not None:
            return
        start = _end_of_string(body, last)


def _end_of_string(body: bytes, token: re.Match[bytes]) -> int:
    """Return the offset after the string that a token begins."""
    if token.lastindex is not None:
        return token.end()
    begin = token.end()
    while (end := body.find(b'"', begin)) >= 0:
        content = body[begin:end]
        begin = end + 1
        if (len(content) - len(content.rstrip(b"\\"))) % 2 == 0:
            return begin
    return len(body)
