"""Where a resumed attempt joins the delivered text, as one question with three answers.

A joiner holds the first text of a resumed attempt until it can say how many of its
characters the client already has. What differs is how that is found out:

    Seam        a new answer to our notice: an echo, an overlap, a restart, or none (seam.py)
    Repetition  Gemini's own continuation: what it generates again since the token must equal
                what the client has since then
    Document    a JSON answer: all of it is held, joined, parsed and checked (document.py)
"""

from typing import Protocol

import attrs

from gemproxy.core.seam.seam import Cut, Diverged, Joint

Decision = Cut | Diverged


class Joiner(Protocol):
    """Finds the cut; after a decision it is not asked again."""

    def feed(self, text: str) -> Decision | None:
        """Take the next visible text; None means: hold it, and go on."""

    def close(self) -> Decision:
        """Decide with what there is: the attempt ended by itself."""


@attrs.define
class Repetition:
    """Swallow what is generated again since a continuationToken, while it is the same."""

    expected: str
    _seen: int = 0

    def feed(self, text: str) -> Decision | None:
        """Compare; decided when all that the client has was repeated, or at a difference."""
        ahead = self.expected[self._seen : self._seen + len(text)]
        if not text.startswith(ahead):
            return Diverged()
        self._seen += len(text)
        return Cut(len(self.expected), Joint.ECHO) if self._seen > len(self.expected) else None

    def close(self) -> Decision:
        """Accept only when all that the client has was repeated."""
        return Cut(self._seen, Joint.ECHO) if self._seen == len(self.expected) else Diverged()


@attrs.frozen
class Swallow:
    """Swallow all: nothing of this attempt joins, and no other one may be made."""

    def feed(self, text: str) -> Decision | None:  # noqa: ARG002 - as every joiner takes it
        """Hold everything."""
        return None

    def close(self) -> Decision:
        """Never join."""
        return Diverged()
