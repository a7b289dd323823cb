"""Response documents -> the pieces of a body, in the three forms in which Gemini answers.

    SSE    ``?alt=sse``: ``data: {one line}`` and a blank line, in CRLF
    ARRAY  without it: one JSON array, pretty-printed, streamed element by element
    UNARY  :generateContent: one pretty-printed document
    LINES  never: one document on each line, as some gateways stream

The body is the joined pieces; Gemini writes each piece at once. JSON is UTF-8 without escapes, so a
cut can fall between the bytes of a character.
"""

import enum
import json
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.answer.chunk import FINISH_REASONS

_BLOCK_REASONS = (None, "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY")


class Style(enum.Enum):
    """The form of a body."""

    SSE = "sse"
    ARRAY = "array"
    UNARY = "unary"
    LINES = "lines"


@attrs.frozen
class Framing:
    """How documents become bytes; ``int_enums`` is ``$alt=json;enum-encoding=int``.

    ``media_type`` replaces Gemini's own for the form.
    """

    style: Style = Style.SSE
    line_end: str = "\r\n"
    int_enums: bool = False
    media_type: str | None = None

    @property
    def content_type(self) -> str:
        """The media type of the answer."""
        if self.media_type is not None:
            return self.media_type
        return "text/event-stream" if self.style is Style.SSE else "application/json; charset=UTF-8"

    def frame(self, document: Mapping[str, Any], *, first: bool) -> bytes:
        """Return the piece with ``document``; ``first``: no piece went before it."""
        if self.int_enums:
            document = _numbered(document)
        if self.style is Style.SSE:
            return self.event(_compact(document))
        if self.style is Style.LINES:
            return f"{_compact(document)}\n".encode()
        text = pretty(document) + "\n"
        if self.style is Style.ARRAY:
            text = ("[" if first else ",\r\n") + text
        return text.encode()

    def event(self, data: str) -> bytes:
        """Return one SSE event whose data is ``data``."""
        return f"data: {data}{self.line_end}{self.line_end}".encode()

    def bare(self, document: Mapping[str, Any]) -> bytes:
        """Return the piece with ``document`` on a line without ``data:``."""
        return f"{_compact(document)}{self.line_end}{self.line_end}".encode()

    def closing(self, *, empty: bool) -> bytes:
        """Return the end of the body; ``empty``: there was no document."""
        if self.style is not Style.ARRAY:
            return b""
        return b"[]" if empty else b"]"

    def garbage(self) -> bytes:
        """Return a piece in the form of a frame, without JSON."""
        if self.style is Style.SSE:
            return self.event('{"candidates": [{"content": {"parts": [{"text": "')
        return b',\r\n{"candidates": [{"content": oops\n'

    def line_without_end(self) -> bytes:
        """Return the beginning of a frame whose text never ends."""
        opening = '{"candidates": [{"content": {"parts": [{"text": "'
        return ("data: " + opening if self.style is Style.SSE else opening).encode()

    def rejection(self, error: Mapping[str, Any]) -> bytes:
        """Return the body of an HTTP error: bare, or in a list if the form is ARRAY."""
        text = pretty([error] if self.style is Style.ARRAY else error)
        return (text + "\n").encode()


def pretty(document: object) -> str:
    """Return JSON as Google prints it for people."""
    return json.dumps(document, ensure_ascii=False, indent=2)


def _compact(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ": "))


def _numbered(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with its reasons as proto numbers, if they have one."""
    whole = dict(document)
    if "candidates" in whole:
        whole["candidates"] = [
            _renumbered(candidate, "finishReason", FINISH_REASONS)
            for candidate in whole["candidates"]
        ]
    if "promptFeedback" in whole:
        whole["promptFeedback"] = _renumbered(
            whole["promptFeedback"], "blockReason", _BLOCK_REASONS
        )
    return whole


def _renumbered(
    mapping: Mapping[str, Any], name: str, numbers: tuple[str | None, ...]
) -> dict[str, Any]:
    known = mapping.get(name) in numbers[1:]
    return {**mapping, name: numbers.index(mapping[name])} if known else dict(mapping)
