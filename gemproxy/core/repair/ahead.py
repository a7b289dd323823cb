"""Text of a JSON answer that attempts have brought and that the client does not have yet.

A JSON answer goes out when it is whole. An attempt that is cut before that can still have brought
it forward. Then its frames wait here, written as they will go out, and the next attempt goes on
from the text with theirs at its end. When an attempt makes the document whole, they go out before
its own frames. When one shows that the document is another one, they are dropped.
"""

import attrs

from gemproxy.core.answer.rewrite import Rewriter
from gemproxy.core.answer.transcript import join_surrogates
from gemproxy.core.repair.attempt import Attempt
from gemproxy.core.repair.holdback import Trimmed


@attrs.frozen
class Waiting:
    """A frame with text that is new, and what its attempt's frames are rewritten by."""

    frame: Trimmed
    rewriter: Rewriter


@attrs.define
class Ahead:
    """What waits. ``tokens`` is the tally's count of delivered tokens without it."""

    text: str = ""
    tokens: int = 0
    _frames: list[Waiting] = attrs.field(factory=list)

    def add(self, attempt: Attempt, drop: int, tokens: int) -> None:
        """Take what an attempt brought, behind its first ``drop`` characters.

        ``tokens`` is the tally's count of delivered tokens before that attempt.
        """
        if not self._frames:
            self.tokens = tokens
        pending, attempt.pending = attempt.pending, []
        attempt.repeated = drop
        rewriter = attempt.holdback.rewriter
        assert rewriter is not None  # noqa: S101 - a resumed attempt is rewritten
        new = []
        for received in pending:
            trimmed = Trimmed(received, min(drop, len(received.chunk.text)))
            drop -= trimmed.drop
            new.append(trimmed.text)
            if trimmed.text:
                self._frames.append(Waiting(trimmed, rewriter))
        attempt.kept = "".join(new)
        self.text = join_surrogates(self.text + attempt.kept)

    def size(self) -> int:
        """Return the bytes of the frames that wait."""
        return sum(waiting.frame.received.frame.size for waiting in self._frames)

    def take(self) -> list[Waiting]:
        """Return the frames in their order; nothing waits after that."""
        frames, self._frames = self._frames, []
        self.text = ""
        return frames
