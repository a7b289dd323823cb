"""Endings that were not accepted, and are passed on when no attempt betters them.

Gemini's own ending tells a client more than an error of ours. It is passed on only where it came:
when nothing visible went out behind it, and Gemini made no decision about content since.
"""

import attrs

from gemproxy.core.answer.rewrite import Rewriter
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.answer.usage import Tally
from gemproxy.core.repair.attempt import Attempt


@attrs.frozen
class _Kept:
    """An attempt that has ended; what the client had then, and whether any frame had gone out."""

    attempt: Attempt
    progress: int
    started: bool


@attrs.define
class KeptEnding:
    """The ending that one stream keeps, if any. ``progress`` counts what the client has."""

    _kept: _Kept | None = None

    def keep(self, attempt: Attempt, progress: int, *, started: bool) -> None:
        """Keep the ending of an attempt, unless an earlier one stands at the same place."""
        if self._kept is None or self._kept.progress != progress:
            self._kept = _Kept(attempt, progress, started)

    def forget(self) -> None:
        """Keep none: no earlier ending takes the place of a decision about content."""
        self._kept = None

    def attempt(self, progress: int, transcript: Transcript) -> Attempt | None:
        """Return the attempt that ended here, or None; it has the names that the client knows."""
        kept = self._kept
        if kept is None or kept.progress != progress:
            return None
        holdback = kept.attempt.holdback
        if holdback.rewriter is None and not kept.started and transcript.started:
            holdback.rewriter = Rewriter(Tally(), transcript.response_id, transcript.model_version)
        kept.attempt.settled = True
        return kept.attempt
