"""The ways to read the beginning of an attempt: as an echo, an echo spelled otherwise, a restart.

A reading takes the attempt's characters one by one and dies at the first that does not fit.
"""

from collections.abc import Iterator, Sequence

import attrs

from gemproxy.core.seam.drift import CHANGE_MAX
from gemproxy.core.seam.folding import folded
from gemproxy.core.seam.lead import Before
from gemproxy.core.seam.spelling import Bare
from gemproxy.core.seam.tail import TWICE_MAX, UNASKED_MIN, Tail

RESTART_MIN = 40
"""Characters, equal to the beginning of the delivered text, that make a restart."""

CHANGED_MIN = 3 * RESTART_MIN
"""The same where one word among them is another one."""

RESTART_MAX = 320
"""A beginning that needs more than this to be unlike the rest of the text proves nothing."""


@attrs.define
class Echo:
    """The reading that from ``start`` on the attempt repeats an end of the tail.

    ``places`` are the indexes of the tail at which that end may begin, ``candidates`` those
    that agree so far; ``before`` is what stood before it.
    """

    start: int
    places: Sequence[range]
    before: Before = attrs.field(factory=Before)
    length: int = 0
    candidates: list[int] = attrs.field(factory=list)

    def step(self, char: str, text: str) -> int | None:
        """Take the next folded character; return the candidate that it completed, if any.

        ``text`` is the tail, folded.
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
    """The reading that from ``start`` on the attempt repeats the anchor in another spelling.

    ``letters`` are those of the anchor, bare; ``end`` is the attempt's offset behind the last
    one, None until that is certain; ``known`` counts those that agree. The first letter may have
    another case.
    """

    start: int
    letters: str
    before: Before = attrs.field(factory=Before)
    alive: bool = True
    end: int | None = None
    known: int = 0
    _bare: Bare = attrs.field(factory=Bare)

    def step(self, char: str) -> None:
        """Take the next raw character."""
        if self.alive and self.end is None:
            self._compare(self._bare.feed(char))

    def close(self) -> None:
        """Take the end of the attempt: what waited for a next character is certain."""
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
    """The beginning of the delivered text, by which a restart is known.

    ``text`` is the whole, folded; ``enough`` characters of it make a restart certain, zero where
    no number does. ``indented`` says that whitespace may stand before it.
    """

    text: str
    enough: int
    indented: bool

    @classmethod
    def of(cls, text: str, tail: Tail) -> "Beginning":
        """Return that of the delivered ``text``.

        A restart proves nothing where the text is short, one repetition, or goes on as it began.
        """
        text = text.lstrip()
        sizes = range(RESTART_MIN, RESTART_MAX + 1, RESTART_MIN)
        enough = next((size for size in sizes if text.find(text[:size], 1) < 0), 0)
        telling = len(text) >= UNASKED_MIN and (tail.start > 0 or tail.telling >= 0)
        return cls(folded(text)[0], enough if telling else 0, len(text) >= TWICE_MAX)


@attrs.define
class Restart:
    """The reading that the attempt begins the whole answer again.

    It is certain after enough equal characters; from then on the attempt is swallowed.
    ``equal`` counts the folded characters that agree.
    """

    beginning: Beginning
    equal: int = 0
    alive: bool = True

    def __attrs_post_init__(self) -> None:
        self.alive = self.alive and self.beginning.enough > 0

    @property
    def certain(self) -> bool:
        """Whether it was a restart, as far as it went."""
        return 0 < self.beginning.enough <= self.equal

    @property
    def complete(self) -> bool:
        """Whether the whole delivered text has come again."""
        return self.alive and self.equal == len(self.beginning.text)

    def step(self, raw: str, char: str) -> None:
        """Take the next character; ``char`` is it folded, empty inside a run of whitespace."""
        if not self.alive:
            return
        if not self.equal and raw.isspace():
            self.alive = self.beginning.indented
        elif char and self.beginning.text.startswith(char, self.equal):
            self.equal += 1
        elif char:
            self.alive = False

    def skip(self, piece: str) -> bool:
        """Take a folded ``piece`` at once if all of it agrees and leaves something to come."""
        beyond = self.equal + len(piece)
        agrees = self.beginning.text.startswith(piece, self.equal)
        if not agrees or beyond >= len(self.beginning.text):
            return False
        self.equal = beyond
        return True


@attrs.define
class Changed:
    """The reading of a restart that soon had another word than the ``beginning``.

    ``place`` is where in the beginning that word stands or has begun, ``equal`` how far the
    attempt has come in it. It is certain only after more equal characters than a restart that
    is told word for word: answers have paragraphs that begin alike but for a word.
    """

    beginning: Beginning
    place: int
    alive: bool = True
    equal: int = 0
    _told: int = 0

    @classmethod
    def of(cls, restart: Restart) -> "Changed | None":
        """Return that of a ``restart`` that has just gone another way; None in its first word."""
        text, place = restart.beginning.text, restart.equal
        if restart.beginning.enough == 0 or all(map(str.isalnum, text[:place])):
            return None
        behind = next((at for at in range(place, len(text)) if not text[at].isalnum()), 0)
        return cls(restart.beginning, place, behind > 0, behind)

    @property
    def certain(self) -> bool:
        """Whether it was a restart, as far as it went."""
        return self.alive and self.equal >= max(CHANGED_MIN, self.beginning.enough)

    def step(self, char: str) -> None:
        """Take the next folded character, the first one that differed included."""
        if not char or not self.alive:
            return
        if self.beginning.text.startswith(char, self.equal):
            self.equal += 1
            self._told = CHANGE_MAX
        else:
            self._told += 1
            self.alive = char.isalnum() and self._told < CHANGE_MAX
