"""The voice of the JSON array that Gemini streams without ``alt=sse``.

Elements that came in an array pass byte for byte, with what stands before them. Before an element
of our own stands the opening bracket or a comma.
"""

from typing import ClassVar

import attrs

from gemproxy.core.repair.events import Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.voices import words
from gemproxy.voices.voice import Payload


@attrs.define(eq=False)
class ArrayVoice:
    """Speaks to one client that reads a JSON array; see ``Voice``."""

    name: ClassVar[str] = "array"
    content_type: ClassVar[str] = "application/json"
    _begun: bool = attrs.field(default=False, init=False)

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames."""
        return b"".join(self._framed(frame) for one in out for frame in _frames(one))

    def close(self, tail: Frame | None) -> bytes:
        """Return the end of the array, or all of it when it is empty.

        The upstream's own end is one if it was not cut short of the closing bracket.
        """
        closing = b"]" if self._begun else b"[]"
        if tail is not None and tail.raw.strip().endswith(closing):
            return tail.raw
        return b"\n]" if self._begun else closing

    def heartbeat(self) -> bytes | None:
        """Return white space, once the array is open; SDKs do not expect it before."""
        return b"\n" if self._begun else None

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as an element; the array stays open. Within an element, nothing."""
        if tail and not tail.rstrip().endswith(b"}"):
            return b""
        return (b",\r\n" if tail else b"[") + words.compact(payload)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer as Google gives it without ``alt=sse``: in a list."""
        return words.refusal([payload])

    def _framed(self, frame: Frame) -> bytes:
        if frame.data is None:
            return frame.raw
        begun, self._begun = self._begun, True
        return frame.raw or (b",\r\n" if begun else b"[") + frame.data


def _frames(out: Out) -> tuple[Frame, ...]:
    """Return frames one by one; events do not stand in an array as they came."""
    if not isinstance(out, Run):
        return out.frames
    return tuple(Frame(b"", frame.data) for frame in out.frames())
