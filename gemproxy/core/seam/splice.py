"""The three ways to find where a resumed attempt joins the delivered text.

A joiner holds the first text of a resumed attempt until it knows how many of its characters the
client already has:

    Seam        a new answer to our notice: an echo, an overlap, a restart, or none (seam.py)
    Repetition  Gemini's own continuation: the text generated again since the token must equal
                the text that the client has received since then
    Document    a JSON answer: all of it is held, joined, parsed and checked (document.py)
"""

from typing import Protocol

import attrs

from gemproxy.core.seam.seam import Cut, Diverged, Joint

Decision = Cut | Diverged


class Joiner(Protocol):
    """Finds the cut; callers stop using it after its decision."""

    def feed(self, text: str) -> Decision | None:
        """Read the next visible text; None means: hold it and continue."""

    def close(self) -> Decision:
        """Decide with the text so far, because the attempt ended by itself."""


@attrs.define
class Repetition:
    """Swallow the text generated again since a continuationToken; diverge if it differs."""

    expected: str
    _seen: int = 0

    def feed(self, text: str) -> Decision | None:
        """Compare; decide at a difference, or after all of ``expected`` was repeated."""
        ahead = self.expected[self._seen : self._seen + len(text)]
        if not text.startswith(ahead):
            return Diverged()
        self._seen += len(text)
        return Cut(len(self.expected), Joint.ECHO) if self._seen > len(self.expected) else None

    def close(self) -> Decision:
        """Accept the attempt only if all of ``expected`` was repeated."""
        return Cut(self._seen, Joint.ECHO) if self._seen == len(self.expected) else Diverged()


@attrs.frozen
class Swallow:
    """Swallow the whole attempt, which cannot join while no other attempt may be made."""

    def feed(self, text: str) -> Decision | None:  # noqa: ARG002 - the protocol's
        """Hold everything."""
        return None

    def close(self) -> Decision:
        """Return Diverged."""
        return Diverged()
