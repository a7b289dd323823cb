"""What a follower's voice adds or leaves out, because its client comes in the middle or reads on.

What a number counts depends on the dialect:

- In native streams a chunk is a frame with data, as an SDK yields it. The log finds the place.
- In a translated stream a chunk is an event that an SDK yields: every ``data:`` but ``[DONE]``. A
  frame may become none of these or several, so a follower translates the answer from its beginning,
  which gives the same chunks each time, and leaves out as many as its client has (``Skipping``).

An array that begins in the middle has its own opening bracket (``Reopened``). A stream that is read
by its id comes as events, whatever the framing of its request was (``AsEvents``). ``Numbered``
gives ids to events, for readers that follow the standard; Google's SDKs take none.
"""

import attrs

from gemproxy.core.answer.unframed import one_line
from gemproxy.core.repair.events import Frames, Out, each
from gemproxy.core.wire.frame import Frame
from gemproxy.voices.voice import Payload, Voice

_DATA, _DONE = b"data: ", b"data: [DONE]"
_END = b"\n\n"
_RETRY = b"retry: 1000\n\n"
_COMMENT = b": keep-alive\n\n"


@attrs.define(eq=False)
class Reopened:
    """A voice whose first frame begins a document; see ``Voice``."""

    voice: Voice
    _begun: bool = attrs.field(default=False, init=False)

    @property
    def name(self) -> str:
        """The kind of client."""
        return self.voice.name

    @property
    def content_type(self) -> str:
        """The type of the stream."""
        return self.voice.content_type

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames, the first of which is framed anew."""
        if self._begun:
            return self.voice.say(out)
        frames = tuple(frame for frame in each(out) if frame.data is not None)
        if not frames:
            return b""
        self._begun = True
        first = Frame(b"", frames[0].data, frames[0].eol)
        return self.voice.say((Frames((first, *frames[1:])),))

    def close(self, tail: Frame | None) -> bytes:
        """Return the end of the answer."""
        return self.voice.close(tail)

    def heartbeat(self) -> bytes | None:
        """Return what keeps the connection warm."""
        return self.voice.heartbeat()

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as the last bytes."""
        return self.voice.last_words(payload, tail)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return self.voice.refusal(payload)


@attrs.define(eq=False)
class AsEvents:
    """A voice of events for frames that came in another framing; see ``Voice``."""

    voice: Voice

    @property
    def name(self) -> str:
        """The kind of client."""
        return self.voice.name

    @property
    def content_type(self) -> str:
        """The type of the stream."""
        return self.voice.content_type

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the events of frames with data, which may have several lines in an array."""
        frames = (Frame(b"", one_line(frame.data)) for frame in each(out) if frame.data is not None)
        return self.voice.say((Frames(tuple(frames)),))

    def close(self, _tail: Frame | None) -> bytes:
        """Return nothing: the end of an array is none of a stream of events."""
        return b""

    def heartbeat(self) -> bytes | None:
        """Return what keeps the connection warm."""
        return self.voice.heartbeat()

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as the last bytes."""
        return self.voice.last_words(payload, tail)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return self.voice.refusal(payload)


@attrs.define(eq=False)
class Skipping:
    """A voice that translates, and leaves out the first ``left`` chunks; see ``Voice``."""

    voice: Voice
    left: int

    @property
    def name(self) -> str:
        """The kind of client."""
        return self.voice.name

    @property
    def content_type(self) -> str:
        """The type of the stream."""
        return self.voice.content_type

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the chunks of some frames that the client does not have."""
        return self._behind(self.voice.say(out))

    def close(self, tail: Frame | None) -> bytes:
        """Return the end of the answer, as far as the client does not have it."""
        return self._behind(self.voice.close(tail))

    def heartbeat(self) -> bytes | None:
        """Return what keeps the connection warm."""
        return self.voice.heartbeat()

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as the last bytes."""
        return self.voice.last_words(payload, tail)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return self.voice.refusal(payload)

    def _behind(self, raw: bytes) -> bytes:
        start = 0
        while self.left and start < len(raw):
            if raw.startswith(_DONE, start):
                break
            self.left -= raw.startswith(_DATA, start)
            start = raw.index(_END, start) + len(_END)
        return raw[start:]


@attrs.define(eq=False)
class Numbered:
    """A voice whose events have ids, ``stream`` and the number of the chunk; see ``Voice``.

    ``number`` is that of the last chunk that went out. The first thing that goes out says after how
    many milliseconds to reconnect. ``native``: a chunk is a frame.
    """

    voice: Voice
    stream: str
    number: int
    native: bool
    _begun: bool = attrs.field(default=False, init=False)

    @property
    def name(self) -> str:
        """The kind of client."""
        return self.voice.name

    @property
    def content_type(self) -> str:
        """The type of the stream."""
        return self.voice.content_type

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames, each chunk with its id."""
        if not self.native:
            return self._opening() + self._marked(self.voice.say(out))
        pieces = [self._opening()]
        for frame in each(out):
            raw = self.voice.say((Frames((frame,)),))
            pieces.append(raw if frame.data is None else self._id() + raw)
        return b"".join(pieces)

    def close(self, tail: Frame | None) -> bytes:
        """Return the end of the answer."""
        raw = self.voice.close(tail)
        return raw if self.native else self._marked(raw)

    def heartbeat(self) -> bytes | None:
        """Return a comment: a client that wants ids reads comments, too."""
        return _COMMENT

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as the last bytes."""
        return self.voice.last_words(payload, tail)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return self.voice.refusal(payload)

    def _opening(self) -> bytes:
        begun, self._begun = self._begun, True
        return b"" if begun else _RETRY

    def _id(self) -> bytes:
        self.number += 1
        return b"id: %b:%d\n" % (self.stream.encode(), self.number)

    def _marked(self, raw: bytes) -> bytes:
        events = raw.split(_END)
        counted = (event.startswith(_DATA) and not event.startswith(_DONE) for event in events)
        pairs = zip(events, counted, strict=True)
        return _END.join([self._id() + event if counts else event for event, counts in pairs])
