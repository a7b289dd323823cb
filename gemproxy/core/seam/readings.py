"""How the beginning of an attempt can be read: an echo, an echo spelled differently, a restart.

A reading consumes the attempt's characters one by one and ends at the first that does not fit.
"""

from collections.abc import Iterator, Sequence

import attrs

from gemproxy.core.seam.drift import CHANGE_MAX
from gemproxy.core.seam.folding import folded
from gemproxy.core.seam.lead import Before
from gemproxy.core.seam.spelling import Bare
from gemproxy.core.seam.tail import TWICE_MAX, UNASKED_MIN, Tail

RESTART_MIN = 40
"""Characters that must equal the beginning of the delivered text to prove a restart."""

CHANGED_MIN = 3 * RESTART_MIN
"""The same for a restart that changed one word among them."""

RESTART_MAX = 320
"""If the first so many characters occur again in the text, no restart is recognised."""


@attrs.define
class Echo:
    """The reading that the attempt repeats an end of the tail from its offset ``start`` on.

    ``places`` are the tail's indexes where that end may begin, ``candidates`` the ones that
    match so far. ``before`` describes the text before the echo.
    """

    start: int
    places: Sequence[range]
    before: Before = attrs.field(factory=Before)
    length: int = 0
    candidates: list[int] = attrs.field(factory=list)

    def step(self, char: str, text: str) -> int | None:
        """Compare the next folded character; return the candidate that it completes, if any.

        ``text`` is the folded tail.
        """
        if not self.length:
            self.candidates = [at for place in self.places for at in _found(char, text, place)]
        else:
            length = self.length
            self.candidates = [at for at in self.candidates if text[at + length] == char]
        self.length += 1
        if self.candidates and self.candidates[-1] + self.length == len(text):
            return self.candidates.pop()
        return None


def _found(char: str, text: str, place: range) -> Iterator[int]:
    """Yield the indexes within ``place`` at which ``char`` stands in ``text``."""
    end = max(place.stop, 0)  # an empty range may end before it begins
    at = text.find(char, place.start, end)
    while at >= 0:
        yield at
        at = text.find(char, at + 1, end)


@attrs.define
class Spelled:
    """The reading that the attempt repeats the anchor in another spelling from ``start`` on.

    ``letters`` are the anchor's bare letters, ``known`` counts the ones that match so far. ``end``
    is the attempt's offset after the last one, or None until it is certain. The first letter may
    differ in case.
    """

    start: int
    letters: str
    before: Before = attrs.field(factory=Before)
    alive: bool = True
    end: int | None = None
    known: int = 0
    _bare: Bare = attrs.field(factory=Bare)

    def step(self, char: str) -> None:
        """Compare the next raw character."""
        if self.alive and self.end is None:
            self._compare(self._bare.feed(char))

    def close(self) -> None:
        """Compare the last letter, which waited for a next character, at the attempt's end."""
        if self.alive and self.end is None:
            self._compare(self._bare.close())

    def _compare(self, found: list[tuple[str, int]]) -> None:
        for letter, end in found:
            expected = self.letters[self.known : self.known + len(letter)]
            fits = letter == expected
            if not self.known:
                fits = letter.casefold() == expected.casefold()
            if not fits:
                self.alive = False
                return
            self.known += len(letter)
            if self.known == len(self.letters):
                self.end = self.start + end
                return


@attrs.frozen
class Beginning:
    """The beginning of the delivered text, which identifies a restart.

    ``text`` is the whole folded text. ``enough`` is the number of its first characters that make
    a restart certain, 0 if no number does. ``indented`` allows whitespace before a restart.
    """

    text: str
    enough: int
    indented: bool

    @classmethod
    def of(cls, text: str, tail: Tail) -> "Beginning":
        """Return the beginning of the delivered ``text``.

        ``enough`` is 0 if the text is short, is one repetition, or repeats its own beginning.
        """
        text = text.lstrip()
        sizes = range(RESTART_MIN, RESTART_MAX + 1, RESTART_MIN)
        enough = next((size for size in sizes if text.find(text[:size], 1) < 0), 0)
        distinctive = len(text) >= UNASKED_MIN and (tail.start > 0 or tail.distinctive >= 0)
        return cls(folded(text)[0], enough if distinctive else 0, len(text) >= TWICE_MAX)


@attrs.define
class Restart:
    """The reading that the attempt starts the whole answer over.

    It is certain after enough equal characters; from then on the attempt's text is swallowed.
    ``equal`` counts the folded characters that match so far.
    """

    beginning: Beginning
    equal: int = 0
    alive: bool = True

    def __attrs_post_init__(self) -> None:
        self.alive = self.alive and self.beginning.enough > 0

    @property
    def certain(self) -> bool:
        """Whether enough characters matched to prove a restart."""
        return 0 < self.beginning.enough <= self.equal

    @property
    def complete(self) -> bool:
        """Whether the whole delivered text has come again."""
        return self.alive and self.equal == len(self.beginning.text)

    def step(self, raw: str, char: str) -> None:
        """Compare the next character: ``raw``, and ``char``, folded, empty inside whitespace."""
        if not self.alive:
            return
        if not self.equal and raw.isspace():
            self.alive = self.beginning.indented
        elif char and self.beginning.text.startswith(char, self.equal):
            self.equal += 1
        elif char:
            self.alive = False

    def skip(self, piece: str) -> bool:
        """Compare a folded ``piece`` at once; return False if it differs or completes the text."""
        beyond = self.equal + len(piece)
        agrees = self.beginning.text.startswith(piece, self.equal)
        if not agrees or beyond >= len(self.beginning.text):
            return False
        self.equal = beyond
        return True


@attrs.define
class Changed:
    """The reading of a restart that changed a word of the ``beginning`` early.

    ``place`` is the index in the beginning where the attempt began to differ, ``equal`` the index
    that it has reached. This reading needs more equal characters than a restart without changes,
    because paragraphs of one answer can begin alike except for a word.
    """

    beginning: Beginning
    place: int
    alive: bool = True
    equal: int = 0
    _differing: int = 0

    @classmethod
    def of(cls, restart: Restart) -> "Changed | None":
        """Return the reading for a ``restart`` that just differed; None in its first word."""
        text, place = restart.beginning.text, restart.equal
        if restart.beginning.enough == 0 or all(map(str.isalnum, text[:place])):
            return None
        behind = next((at for at in range(place, len(text)) if not text[at].isalnum()), 0)
        return cls(restart.beginning, place, behind > 0, behind)

    @property
    def certain(self) -> bool:
        """Whether enough characters matched to prove a restart."""
        return self.alive and self.equal >= max(CHANGED_MIN, self.beginning.enough)

    def step(self, char: str) -> None:
        """Compare the next folded character, beginning with the first one that differed."""
        if not char or not self.alive:
            return
        if self.beginning.text.startswith(char, self.equal):
            self.equal += 1
            self._differing = CHANGE_MAX
        else:
            self._differing += 1
            self.alive = char.isalnum() and self._differing < CHANGE_MAX
