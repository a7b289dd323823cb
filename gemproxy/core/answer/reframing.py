"""Recognises the framing of an answer, and translates one that the client did not ask for.

An upstream other than Gemini itself may answer ``alt=sse`` with JSON (one response, a list, one on
each line), or a request without it with an event stream (litellm#28777). Its Content-Type may be
right, wrong or missing: gateways send ``text/plain``. So the first byte after a byte order mark and
whitespace decides: a brace or a bracket begins JSON; any other byte begins an event stream, unless
the Content-Type is JSON and the byte can begin a JSON value.

An answer in the requested framing passes byte for byte. Any other answer is translated: each
response becomes a frame without bytes of its own, on one line. JSON is translated if one of its
elements is Gemini's (see ``unframed``). Until such an element comes, the whole answer is held. If
none comes, it is another kind of answer, which passes with its own bytes and Content-Type.
"""

from collections.abc import Callable, Iterable
from typing import TypeGuard

import attrs

from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.core.answer.unframed import (
    events_of,
    is_answer,
    may_hold_answers,
    one_line,
    says_nothing,
)
from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Decoder, Frame, FrameTooLarge
from gemproxy.core.wire.jsonarray import JSONArrayDecoder
from gemproxy.core.wire.sse import SSEDecoder

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_JSON_OPENS = b"{["
_VALUE_OPENS = b'"-0123456789tfn'
_FIELD_OPENS = b"deir:"
_OVERHEAD = 10
"""Most bytes of an event on one ``data`` line besides its data: two CRLFs and six."""

Taking = Callable[[bytes], tuple[Flow | None, bytes]]


@attrs.define(eq=False)
class FrameReader:
    """The frames of one attempt.

    ``foreign``: the answer has another framing than the client's, so no frame keeps its bytes;
    otherwise it passes unchanged, except for JSON between events. ``held`` are the frames that
    came before the framing was known.
    """

    decoder: Decoder
    foreign: bool = False
    held: list[Frame] = attrs.field(factory=list)
    flow: Taking = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.flow = _no_flow if self.foreign else self.decoder.flow  # saves a call per read

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes; raise FrameTooLarge beyond the limit."""
        frames = self.decoder.feed(data)
        if self.held:
            frames, self.held = self.held + frames, []
        framed = self._framed(frames)
        if self.foreign and _goes_on(self.decoder):
            rest = self.decoder.leave()
            self.decoder = SSEDecoder(self.decoder.max_frame)
            framed += self.feed(rest)
        return framed

    def close(self) -> tuple[list[Frame], Frame | None]:
        """Return the frames that the end of the body completes, and a rest without data."""
        tail = self.decoder.close()
        if tail is None:
            return [], None
        if tail.data is not None:
            return self._framed([tail]), None
        return [], None if self.foreign else tail

    def _framed(self, frames: list[Frame]) -> list[Frame]:
        if isinstance(self.decoder, SSEDecoder):
            frames = _with_bare_answers(frames)
        return list(map(_translated, frames)) if self.foreign else frames


def _translated(frame: Frame) -> Frame:
    """Return a frame without bytes of its own; its data is on one line, as events need it."""
    return Frame(b"", None if frame.data is None else one_line(frame.data))


def _goes_on(decoder: Decoder) -> TypeGuard[JSONArrayDecoder]:
    """Return whether the decoder reads JSON after which events follow."""
    if not isinstance(decoder, JSONArrayDecoder):
        return False
    return decoder.stray != b"" and decoder.stray in _FIELD_OPENS


def _no_flow(data: bytes) -> tuple[Flow | None, bytes]:
    return None, data


def _with_bare_answers(frames: Iterable[Frame]) -> list[Frame]:
    """Return the frames of an event stream, with JSON between its lines as events."""
    events: list[Frame] = []
    for frame in frames:
        raw, data = frame.raw, frame.data
        if data is None:
            bare = b"{" in raw or b"[" in raw
        else:
            plain = raw.startswith(b"data:") and len(raw) - len(data) <= _OVERHEAD
            bare = not plain or data[:1] == b"["
        if bare and may_hold_answers(frame):
            events += events_of(frame)
        else:
            events.append(frame)
    return events


@attrs.define(eq=False)
class StreamOpening:
    """The beginning of one attempt's answer, until its framing is known.

    ``wanted`` decodes the requested framing. ``content_type`` is that of the answer. ``begun`` are
    the bytes that came before the framing was known.
    """

    wanted: Decoder
    content_type: str = ""
    begun: bytes = b""
    _json: FrameReader | None = None
    _size: int = 0

    def take(self, data: bytes) -> FrameReader | None:
        """Add the bytes of a read; return the reader for ``begun`` once the framing is known.

        Raises FrameTooLarge if the framing is unknown after too many bytes.
        """
        self._size += len(data)
        reader = self._begun(data) if self._json is None else self._proved(self._json, data)
        if reader is None and self._size > self.wanted.max_frame:
            raise FrameTooLarge(f"{self.wanted.max_frame} bytes came that are no answer.")
        return reader

    def _begun(self, data: bytes) -> FrameReader | None:
        self.begun = self.begun + data if self.begun else data
        first = _first_byte(self.begun)
        if not first:
            return None
        if not self._begins_json(first):
            return FrameReader(self._events(), foreign=not self._wants_events)
        if first == b"[" and not self._wants_events:
            self._json = FrameReader(self.wanted)
        else:
            decoder = JSONArrayDecoder(self.wanted.max_frame)
            self._json = FrameReader(decoder, foreign=True)
        data, self.begun = self.begun, b""
        return self._proved(self._json, data)

    def _proved(self, reader: FrameReader, data: bytes) -> FrameReader | None:
        """Return the reader of JSON as soon as one of its elements is an answer."""
        elements = reader.decoder.feed(data)
        reader.held += elements
        proof = any(e.data is not None and is_answer(e.data) for e in elements)
        return reader if proof or _goes_on(reader.decoder) else None

    def settled(self) -> FrameReader:
        """Return the reader for an answer that ended before its framing was known."""
        return self._json or FrameReader(self.wanted)

    def another_answer(self) -> bytes | None:
        """Return the whole body if it is JSON with content that is not Gemini's, else None."""
        if self._json is None or not isinstance(self._json.decoder, JSONArrayDecoder):
            return None
        body = b"".join(frame.raw for frame in self._json.held) + self._json.decoder.pending
        try:
            document = loads(body.removeprefix(_BOM))
        except Undecodable:
            return None
        return None if says_nothing(document) else body

    @property
    def is_json(self) -> bool:
        """Whether JSON has begun."""
        return self._json is not None

    @property
    def misnamed(self) -> bool:
        """Whether the Content-Type is that of the other framing."""
        kind = self.content_type.partition(";")[0].strip().lower()
        return kind == ("application/json" if self._wants_events else "text/event-stream")

    @property
    def _wants_events(self) -> bool:
        return isinstance(self.wanted, SSEDecoder)

    def _events(self) -> Decoder:
        return self.wanted if self._wants_events else SSEDecoder(self.wanted.max_frame)

    def _begins_json(self, first: bytes) -> bool:
        says_json = "json" in self.content_type.lower()
        return first in _JSON_OPENS or (says_json and first in _VALUE_OPENS)


def _first_byte(body: bytes) -> bytes:
    """Return the first byte after a byte order mark and whitespace; empty if none came."""
    if len(body) < len(_BOM) and _BOM.startswith(body):
        return b""
    return body.removeprefix(_BOM).lstrip(_SPACE)[:1]
