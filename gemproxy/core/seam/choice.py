"""An answer that is one of a few values (``responseMimeType: text/x.enum``), cut in the word.

Such an answer is joined like text. It is often too short for an anchor, but the result must be
exactly one of the values that the request allows, which decides where the attempt joins.
"""

from collections.abc import Iterator

import attrs

from gemproxy.core.seam.seam import Cut, Diverged, Joint
from gemproxy.core.seam.splice import Decision, Joiner


@attrs.define
class Choice:
    """Hold the rest of the answer and join it only if the result is one of ``values``.

    ``delivered`` is the client's text; ``seam`` finds the requested echo in the attempt.
    """

    delivered: str
    seam: Joiner
    values: frozenset[str]
    _pieces: list[str] = attrs.field(factory=list)
    _decided: Decision | None = None

    def feed(self, text: str) -> Decision | None:
        """Hold everything."""
        self._pieces.append(text)
        if self._decided is None:
            self._decided = self.seam.feed(text)
        return None

    def close(self) -> Decision:
        """Return where the attempt joins: the seam's cut, else a guessed one.

        Whitespace around a value is ignored. If guesses make different values, none is used.
        """
        text = "".join(self._pieces)
        decided = self._decided or self.seam.close()
        asked = isinstance(decided, Cut) and decided.kind is not Joint.PLAIN
        if asked and self._joined(decided, text) in self.values:
            return decided
        guesses = {self._joined(cut, text): cut for cut in self._cuts(text)}
        right = [cut for value, cut in guesses.items() if value in self.values]
        return right[0] if len(right) == 1 else Diverged()

    def _joined(self, decision: Decision, text: str) -> str:
        drop = decision.drop if isinstance(decision, Cut) else len(text)
        return (self.delivered + text[drop:]).strip()

    def _cuts(self, text: str) -> Iterator[Cut]:
        """Yield the possible cuts: after a repeated end of the delivered text, or none."""
        longest = max(map(len, self.values))
        for length in range(1, min(len(self.delivered), longest) + 1):
            if text.startswith(self.delivered[-length:]):
                whole = length == len(self.delivered)
                yield Cut(length, Joint.RESTART if whole else Joint.OVERLAP)
        yield Cut(0, Joint.PLAIN)
