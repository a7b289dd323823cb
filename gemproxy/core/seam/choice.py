"""An answer that is one of a few values (``responseMimeType: text/x.enum``), cut in the word.

Such an answer is no JSON: it is joined like text. But it is short, often too short for an anchor,
and what comes out has to be one of the values that the request allows, to the character.
"""

from collections.abc import Iterator

import attrs

from gemproxy.core.seam.seam import Cut, Diverged, Joint
from gemproxy.core.seam.splice import Decision, Joiner


@attrs.define
class Choice:
    """Hold the rest of the answer and join it so that it is one of ``values``, or not at all.

    ``delivered`` is what the client has, ``seam`` what finds the asked echo in the attempt.
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
        """Return where the attempt joins: the seam's cut goes before those that are guessed.

        White space around a value counts for nothing. Where several guesses make different
        values, none is taken.
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
        """Yield the places to join at: after the text so far, told again in part or not at all."""
        longest = max(map(len, self.values))
        for length in range(1, min(len(self.delivered), longest) + 1):
            if text.startswith(self.delivered[-length:]):
                whole = length == len(self.delivered)
                yield Cut(length, Joint.RESTART if whole else Joint.OVERLAP)
        yield Cut(0, Joint.PLAIN)
