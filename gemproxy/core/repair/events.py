"""The inputs of the machine, and the actions that it answers with.

Inputs say what the world did:

    Opened    an attempt was answered with 2xx; its stream begins
    Received  one frame of that stream, with what it says
    Flow      a run of its frames that are plain text, while it runs undisturbed
    Turn      others had their turn: go on with work that takes long
    Rejected  an attempt was answered with an error status, before any frame
    Ended     an attempt's stream (or the try to open it) is over, and how
    GaveUp    no further attempt can be made

Actions say what to do:

    Run       pass on a run of plain events, in one piece
    Frames    pass on these frames
    Resume    make another attempt, with ``machine.next_request``
    Finish    the answer is complete: end the client's stream cleanly
    Fail      end it loudly: an error status before the first byte, an error frame after

Frames go out, and the client's voice makes its bytes of them (``voices``). An undisturbed run is
one action, and holds the very ``bytes`` object that the read brought. It is split into frames only
when somebody asks.

Received, Flow, Run and Frames are made on the hot path and are msgspec structs, which cost a sixth
of a frozen attrs class to make (``python bench/core.py``).
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
import msgspec

from gemproxy.core.answer.chunk import Chunk
from gemproxy.core.errors import GemproxyError
from gemproxy.core.wire.flow import Flow, split
from gemproxy.core.wire.frame import Frame


class How(enum.Enum):
    """How an attempt ended; only the log tells most of them apart."""

    EOF = "eof"  # the body ended as HTTP wants it, whatever it said
    RESET = "reset"  # RST, or a close in the middle of chunked or sized data
    STALLED = "stalled"  # nothing came for longer than the patience of the moment
    GARBLED = "garbled"  # bytes that are no frame, or a frame that is no JSON
    OVERSIZED = "oversized"  # a frame beyond the cap
    UNREACHABLE = "unreachable"  # no connection: DNS, refused, TLS, proxy
    NO_FIRST_BYTE = "no_first_byte"  # connected, then no answer in time


class Cause(enum.Enum):
    """Why an attempt has to be made again; the vocabulary of log, metrics and headers."""

    DROP = "drop"  # the stream ended without a finishReason
    STALL = "stall"
    GARBLED = "garbled"
    ERROR_FRAME = "error_frame"  # an error inside a 200 stream
    STATUS = "status"  # 5xx or 429 before the stream
    UNREACHABLE = "unreachable"
    BAD_FINISH = "bad_finish"
    EMPTY = "empty"  # a STOP that said nothing, or thoughts only
    CONTINUATION = "continuation"  # Gemini asked to be called again
    REFUSED = "refused"  # our own continuation was answered with 400
    DIVERGED = "diverged"  # the new attempt tells another story than the delivered text
    INVALID = "invalid"  # a resumed JSON document that does not parse


CAUSE_OF: Mapping[How, Cause] = {
    How.EOF: Cause.DROP,
    How.RESET: Cause.DROP,
    How.STALLED: Cause.STALL,
    How.GARBLED: Cause.GARBLED,
    How.OVERSIZED: Cause.GARBLED,
    How.UNREACHABLE: Cause.UNREACHABLE,
    How.NO_FIRST_BYTE: Cause.STALL,
}
"""Why another attempt is wanted after one that ended so and was not whole."""


@attrs.frozen
class Opened:
    """An attempt was answered with 2xx.

    ``another`` says that the next attempt could use another key.
    """

    another: bool = False


class Received(msgspec.Struct, frozen=True, gc=False):
    """One frame and what it says."""

    frame: Frame
    chunk: Chunk


@attrs.frozen
class Rejected:
    """An attempt was answered with an error status; ``retry_after`` is in seconds.

    ``another`` says that the next attempt could use another key.
    """

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: float | None = None
    another: bool = False


@attrs.frozen
class Turn:
    """The event loop has served others, so the machine may go on with work that takes long."""


@attrs.frozen
class Ended:
    """An attempt is over; ``tail`` is what the decoder still held, completed if it can be."""

    how: How
    tail: Frame | None = None


@attrs.frozen
class GaveUp:
    """No further attempt is made; ``reason`` is for people, ``error`` for the client."""

    reason: str
    error: GemproxyError | None = attrs.field(default=None, eq=False)


Input = Opened | Received | Flow | Turn | Rejected | Ended | GaveUp


class Run(msgspec.Struct, frozen=True, gc=False):
    """Pass on ``count`` plain events, each one ``data: `` line and ``separator``.

    ``rewritten`` says that the JSON in ``raw`` is ours. Then so is the framing: a client whose
    stream has other line ends gets these. An undisturbed run passes byte for byte, whatever
    line ends it has. ``texts`` has the visible text of each event, and ``usage`` the last
    usageMetadata, for a voice that translates.
    """

    raw: bytes
    count: int
    separator: bytes
    rewritten: bool = False
    texts: Sequence[str] = ()
    usage: msgspec.Raw = msgspec.Raw()

    def frames(self) -> tuple[Frame, ...]:
        """Return the events one by one; those of a rewritten run have no bytes of their own."""
        events = split(self.raw, self.separator)
        return tuple(Frame(b"" if self.rewritten else raw, data) for raw, data in events)

    def divided(self) -> "tuple[Frame, Run]":
        """Return the first event, and the run of the others, of which there must be some."""
        end = self.raw.index(self.separator) + len(self.separator)
        ((raw, data),) = split(self.raw[:end], self.separator)
        others = msgspec.structs.replace(
            self, raw=self.raw[end:], count=self.count - 1, texts=self.texts[1:]
        )
        return Frame(b"" if self.rewritten else raw, data), others


class Frames(msgspec.Struct, frozen=True, gc=False):
    """Pass on some frames; one with empty ``raw`` is of our own making."""

    frames: tuple[Frame, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.frames)


Out = Run | Frames


def each(out: Iterable[Out]) -> Iterator[Frame]:
    """Yield the frames of what goes out, one by one."""
    for one in out:
        yield from one.frames() if isinstance(one, Run) else one.frames


def passing(frames: Iterable[Frame]) -> tuple[Frames, ...]:
    """Return the action that passes on these frames, or none where there are none."""
    some = tuple(frames)
    return (Frames(some),) if some else ()


@attrs.frozen
class Resume:
    """Make another attempt; ``after`` is what the upstream asked to wait, in seconds.

    ``at_once`` says that it follows from the last one, so the pacing is not asked. ``elsewhere``
    says that the last one failed by a fault of its key, so another key should be used if there is
    one. ``error`` is what the client would be told of the last one.
    """

    cause: Cause
    after: float | None = None
    at_once: bool = False
    elsewhere: bool = False
    error: GemproxyError | None = attrs.field(default=None, eq=False)


@attrs.frozen
class Finish:
    """The answer is complete; ``tail`` is the upstream's own end, where it may be the client's."""

    tail: Frame | None = None


@attrs.frozen(eq=False)
class Fail:
    """The answer cannot be completed.

    ``silently`` says that the client goes on by itself when its connection is cut, and would not
    behind an error.
    """

    error: GemproxyError
    silently: bool = False


Next = Resume | Finish | Fail
Action = Out | Next
