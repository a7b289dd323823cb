"""The place where an answer is cut, and the client's frames up to it.

A place is a kind of boundary, because models react differently to each kind: a model may continue
well in the middle of a word, but lose the space after a complete word. The cut comes at the first
fitting place after a seeded number of characters. It may fall inside a frame, which is then
shortened, as if Gemini had divided its text there.
"""

import enum
import json
import re
from collections.abc import Sequence
from typing import Any

import attrs

from gemproxy.core.wire.frame import Frame, line_end
from gemproxy.core.wire.sse import CRLF, event
from gemproxy.probe.said import Said

_WORD = r"[A-Za-z\u00c0-\u024f]"
_HAN = "[\u4e00-\u9fff]"
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


class Place(enum.Enum):
    """A kind of boundary between two characters."""

    BEFORE_SPACE = "before-space"  # a word has ended, its space is still to come
    AFTER_SPACE = "after-space"  # the space came, the next word has not begun
    MID_WORD = "mid-word"
    CODE_LINE = "code-line"  # in a code fence, before a line break and indentation
    CHINESE = "chinese"  # between two characters of a text without spaces


_BOUNDARIES = {
    Place.BEFORE_SPACE: re.compile(rf"(?<={_WORD})(?= {_WORD})"),
    Place.AFTER_SPACE: re.compile(rf"(?<={_WORD} )(?={_WORD})"),
    Place.MID_WORD: re.compile(rf"(?<={_WORD}{{4}})(?={_WORD}{{2}})"),
    Place.CODE_LINE: re.compile(r"(?<=[\w:)\]}])(?=\n[ \t]+\S)"),
    Place.CHINESE: re.compile(f"(?<={_HAN})(?={_HAN})"),
}


@attrs.frozen
class Cut:
    """A cut at the first ``place`` after ``least`` characters.

    At least ``ahead`` characters after it must be known; they are compared later with the resumed
    text.
    """

    place: Place
    least: int
    ahead: int = 24

    def find(self, text: str) -> int | None:
        """Return the offset of the cut in ``text``, or None while it has no such place."""
        last = len(text) - self.ahead
        for found in _BOUNDARIES[self.place].finditer(text, self.least):
            at = found.start()
            if at > last:
                return None
            if self.place is not Place.CODE_LINE or inside_fence(text[:at]):
                return at
        return None


def inside_fence(text: str) -> bool:
    """Return whether ``text`` ends inside a fenced code block."""
    return len(_FENCE.findall(text)) % 2 == 1


@attrs.frozen
class Broken:
    """A cut answer: ``prefix`` is the stream up to the cut, ``text`` its visible text.

    ``ahead`` is the model's text after the cut, as far as it came.
    """

    model: str
    body: bytes = attrs.field(repr=False)
    prefix: bytes = attrs.field(repr=False)
    text: str
    ahead: str
    said: Said = attrs.field(repr=False)


def prefix_of(said: Said, at: int) -> bytes:
    """Return the stream of ``said`` up to its visible character ``at``."""
    out, left = b"", at
    for frame, length in zip(said.frames, said.lengths, strict=True):
        if length > left:
            return out + (_shortened(frame, left) if left else b"")
        out += frame.raw
        left -= length
    return out


def _shortened(frame: Frame, keep: int) -> bytes:
    """Return a frame with the first ``keep`` characters of its visible text.

    The fields about the whole frame (a reason, a token, grounding) are removed, because they would
    be wrong.
    """
    document = json.loads(bytes(frame.data or b"{}"))
    candidate = document["candidates"][0]
    parts = _first_characters(candidate["content"]["parts"], keep)
    short = {"index": candidate.get("index", 0), "content": {"role": "model", "parts": parts}}
    document["candidates"] = [short]
    payload = json.dumps(document).encode()
    return event(payload, line_end(frame.raw) or CRLF)


def _first_characters(parts: Sequence[dict[str, Any]], keep: int) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for part in parts:
        visible = "text" in part and not part.get("thought")
        kept.append({"text": part["text"][:keep]} if visible else part)
        keep -= len(part["text"]) if visible else 0
        if keep <= 0:
            break
    return kept
