"""Where a resumed attempt joins the delivered text, as one question with three answers.

A joiner holds the first text of a resumed attempt until it can say how many of its
characters the client already has. What differs is how that is found out:

    Seam        a new answer to our notice: an echo, an overlap, a restart, or none (seam.py)
    Repetition  Gemini's own continuation: what it generates again since the token must equal
                what the client has since then
    Document    a JSON answer: all of it is held, joined, parsed and checked
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import attrs

from gemproxy.core.seam import Cut, Diverged, Joint

Decision = Cut | Diverged

_LONGEST_OVERLAP = 600


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


@attrs.define
class Document:
    """Hold a whole JSON answer and join it so that it is one valid document, or not at all."""

    delivered: str
    seam: Joiner
    is_valid: Callable[[str], bool]
    _pieces: list[str] = attrs.field(factory=list)
    _decided: Decision | None = None

    def feed(self, text: str) -> Decision | None:
        """Hold everything."""
        self._pieces.append(text)
        if self._decided is None:
            self._decided = self.seam.feed(text)
        return None

    def close(self) -> Decision:
        """Return the first cut that makes a valid document: the seam's, none, an overlap."""
        text = "".join(self._pieces)
        decided = self._decided or self.seam.close()
        cuts = [decided] if isinstance(decided, Cut) else []
        for cut in [*cuts, Cut(0, Joint.PLAIN), *_overlaps(self.delivered, text)]:
            if self.is_valid(self.delivered + text[cut.drop :]):
                return cut
        return Diverged()


def _overlaps(delivered: str, text: str) -> Iterator[Cut]:
    """Yield the cuts where ``text`` begins as ``delivered`` ends, the longest first.

    What no seam may trust to chance, a document decides: a wrong cut does not parse.
    """
    if text.startswith(delivered):
        yield Cut(len(delivered), Joint.RESTART)
    for length in range(min(len(delivered), _LONGEST_OVERLAP), 0, -1):
        if text.startswith(delivered[-length:]):
            yield Cut(length, Joint.OVERLAP)
