"""Hold-back: the frames of one attempt in, the frames that may go out now out.

A frame is held as long as what it says may still turn out to be wrong, or may have to be asked
for again:

- A frame with a finishReason, and what queues behind it: more content of the answer releases them
  as they came, because the reason was an intermediate one. The end of the body judges the others.
- A function call, and all behind it, until the end: a broken turn with calls is asked for again,
  and each call arrives once.
- The frames of a resumed attempt until it has brought something new. Until then it is *proving*:
  STOP behind nothing new may mean that the model has nothing to say to our request.
- A frame without data before the first one with data: it may be a page of a gateway's.

Without repair nothing is held. A frame that goes out is noted in the transcript in the same
call, so that the transcript is what the client has.

Text that the client has already is *trimmed*: ``skip`` counts the characters that are still to be
left out at the beginning of what an attempt brings.
"""

import re
from collections.abc import Iterable
from itertools import chain

import attrs

from gemproxy.core.answer.chunk import read
from gemproxy.core.answer.rewrite import Rewriter, without_content, without_reason
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.repair.events import Received
from gemproxy.core.repair.policy import Policy
from gemproxy.core.wire.frame import Frame

_NOTHING = re.compile(r"(?:[.\u3002\s]|[>\]\u27e7]{2,}+|</reply_so_far>)*+")
"""What a model adds to a text that it only repeats: a full stop, or marks of our notice.

It never goes back on what it took, for a row of marks can be divided in more ways than can be
tried.
"""


@attrs.frozen
class Trimmed:
    """A received frame, of whose visible text the client already has ``drop`` characters."""

    received: Received
    drop: int = 0

    @property
    def text(self) -> str:
        """The visible text that is new to the client."""
        return self.received.chunk.text[self.drop :]

    @property
    def says_anything(self) -> bool:
        """Whether there is content in it, or a token to go on from."""
        chunk = self.received.chunk
        return self.received.frame.data is not None and bool(chunk.news or chunk.token)

    def without_text(self) -> "Trimmed":
        """Return the frame with none of its text left."""
        return Trimmed(self.received, len(self.received.chunk.text))


@attrs.define
class HoldBack:
    """What waits of one attempt; see the module.

    ``transcript`` is what the client has of all attempts. ``rewriter`` changes the frames of an
    attempt behind an interruption, and is None while they go out as they came. ``proof`` is
    the text that a ``proving`` attempt has brought beyond what the client has.
    """

    transcript: Transcript
    policy: Policy
    rewriter: Rewriter | None = None
    proving: bool = False
    held: list[Trimmed] = attrs.field(factory=list)
    skip: int = 0
    proof: str = ""
    _calls: bool = False

    def free(self) -> list[Frame]:
        """Release what is held behind a reason that more content has revoked."""
        return [] if self._calls or self.proving else self.release()

    def take(self, received: Received, *, ended: bool) -> list[Frame]:
        """Take a frame; return what goes out now.

        ``ended`` says that a reason stands for each candidate, as of this frame.
        """
        frame, chunk = received.frame, received.chunk
        self._calls |= chunk.call and self.policy.hold_calls
        drop = min(self.skip, len(chunk.text))
        self.skip -= drop
        trimmed = Trimmed(received, drop)
        if self.proving:
            self._prove(trimmed)
        unproved = frame.data is None and not self.transcript.started
        if self.policy.repair and (self._calls or self.proving or ended or unproved):
            self.held.append(trimmed)
            return []
        return self.release() + self.deliver(trimmed)

    def _prove(self, trimmed: Trimmed) -> None:
        """Look whether a resumed attempt has brought something new by now."""
        chunk = trimmed.received.chunk
        self.proof += trimmed.text
        self.proving = not (chunk.call or chunk.opaque or not _NOTHING.fullmatch(self.proof))

    def release(self) -> list[Frame]:
        """Return all that is held, as it goes out."""
        held, self.held = self.held, []
        return list(chain.from_iterable(map(self.deliver, held)))

    def deliver(
        self, trimmed: Trimmed, data: bytes | None = None, rewriter: Rewriter | None = None
    ) -> list[Frame]:
        """Note a frame as delivered; return it as it goes out, or nothing if nothing is left of it.

        ``data`` replaces its JSON, ``rewriter`` the attempt's own: the frame is another's.
        """
        frame, chunk = trimmed.received.frame, trimmed.received.chunk
        rewriter = rewriter or self.rewriter
        if frame.data is None:
            return [frame] if rewriter is None and frame.raw else []
        if rewriter is not None:
            data = rewriter.rewrite(data or frame.data, trimmed.drop)
        as_it_came = [frame] if rewriter is None else []
        shown = rewriter.shown if rewriter is not None and rewriter.continued else None
        self.transcript.add(chunk, trimmed.text, shown)
        return as_it_came if data is None else [frame.remade(data)]

    def hold_without_text(self, frames: Iterable[Received]) -> None:
        """Hold frames whose text may be a repetition, for what they say beside it."""
        self.held = [Trimmed(received).without_text() for received in frames]
        self.proving = True

    def drop_text(self) -> None:
        """Let no text go out of what is held."""
        self.held = [trimmed.without_text() for trimmed in self.held]

    def deliver_without_reasons(self) -> list[Frame]:
        """Return what is held without its finishReason, for an ending that is none.

        A call, and what stands behind it, stays held, because it is asked for again. So does what
        is left of the frames that go out: their reasons, without content.
        """
        if self.proving:
            self.drop_text()
        held = self.held
        calls = [at for at, trimmed in enumerate(held) if trimmed.received.chunk.call]
        shown, kept = (held[: calls[0]], held[calls[0] :]) if calls else (held, [])
        out = [self._without_reason(trimmed) for trimmed in shown if trimmed.says_anything]
        self.held = [*filter(None, map(_ending_of, shown)), *kept]
        return list(chain.from_iterable(out))

    def _without_reason(self, trimmed: Trimmed) -> list[Frame]:
        data = trimmed.received.frame.data
        assert data is not None  # noqa: S101 - a frame that says anything has data
        return self.deliver(trimmed, without_reason(data))

    @property
    def characters(self) -> int:
        """How many visible characters are held, those that the client has among them."""
        return sum(len(trimmed.received.chunk.text) for trimmed in self.held)

    @property
    def size(self) -> int:
        """The bytes of the frames that are held."""
        return sum(trimmed.received.frame.size for trimmed in self.held)


def _ending_of(trimmed: Trimmed) -> Trimmed | None:
    """Return what is left to pass on of a frame whose content went out."""
    frame, chunk = trimmed.received.frame, trimmed.received.chunk
    if frame.data is None or not (chunk.news or chunk.token):
        return trimmed
    if not chunk.ends:
        return None
    data = without_content(frame.data)
    return Trimmed(Received(frame.remade(data), read(data)))
