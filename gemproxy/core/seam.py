"""Where a resumed answer joins the text that the client already has.

A resumed attempt is asked to begin by repeating the end of the delivered text, the
*anchor*, and then to go on. It may do so, repeat more or less than that, put something
before it, begin the whole answer again, or simply go on. ``Seam`` reads the attempt's
text as it arrives and says how many of its characters the client must not get again.

Text is compared *folded*: a run of whitespace is one space, variants of quotes and of
dashes are one. Offsets are those of the raw text, so the cut is exact to the code point.
Silent loss is worse than duplication, so what may well be new text is kept. Hence:

* What is dropped repeats the *end* of the delivered text, right up to its last character;
  an anchor that turns up later in the attempt is a coincidence.
* An end that is not *telling* proves nothing. A telling end occurs once in what was
  delivered lately and reaches back beyond any repetition ("ha ha ha") that it ends with.
* A short line or sentence that comes twice in a row is ordinary (tables, refrains, data),
  and a repetition that has begun is often gone on with. Where the repeated text can be
  read like that it is kept, unless it is what was asked for.
* Whitespace after an echo is dropped only as far as the client has exactly the same.
* Nothing is dropped for an echo that was not completed.

Text is held only while some reading of it is still possible, in general for a few
characters and never for more than ``HOLD_LIMIT``.
"""

import enum
from collections.abc import Iterator, Sequence

import attrs

from gemproxy.core.folding import ALIKE, ALIKE_TABLE, common_length, fold
from gemproxy.core.lead import LEADS, OPENING, PAIRED, PREAMBLE_MAX, inside_fence
from gemproxy.core.tail import ALIKE_MAX, REACH, SAME_MIN, TWICE_MAX, UNASKED_MIN, Tail

OVERLAP_MAX = 200
"""The longest repetition that is looked for where there was no anchor to repeat."""

RESTART_MIN = 40
"""Characters, equal to the beginning of the delivered text, that make a restart."""

RESTART_MAX = 320
"""A beginning that needs more than this to be unlike the rest of the text proves nothing."""

HOLD_LIMIT = PREAMBLE_MAX + REACH + 80
"""Characters that may be held undecided: a preamble, an echo, and marks around them."""


class Joint(enum.Enum):
    """What the beginning of an attempt was recognised as."""

    ECHO = "echo"  # the anchor, or an end of the text that includes it
    OVERLAP = "overlap"  # an end of the text that is shorter than the anchor
    RESTART = "restart"  # the whole text
    PLAIN = "plain"  # nothing: new text from its first character


@attrs.frozen
class Cut:
    """The attempt goes on from the delivered text after its first ``drop`` characters."""

    drop: int
    kind: Joint


@attrs.frozen
class Diverged:
    """The attempt began the whole answer again and tells it differently: it is of no use."""


@attrs.define
class _Echo:
    """The reading that from ``start`` on the attempt repeats an end of the tail.

    ``places`` are the indexes of the tail at which that end may begin, ``candidates`` those
    that agree so far; ``mark`` is what stood before it, so that its partner must follow, and
    ``gap`` whether it stood apart. ``opening`` is the mark as it came where it only opens: it
    is not its own partner.
    """

    start: int
    places: Sequence[range]
    mark: str = ""
    gap: bool = False
    opening: str = ""
    length: int = 0
    candidates: list[int] = attrs.field(factory=list)

    def step(self, char: str, folded: str) -> int | None:
        """Take the next folded character; return the candidate that it completed, if any."""
        if not self.length:
            self.candidates = [at for place in self.places for at in _found(char, folded, place)]
        else:
            self.candidates = [
                index for index in self.candidates if folded[index + self.length] == char
            ]
        self.length += 1
        if self.candidates and self.candidates[-1] + self.length == len(folded):
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
class _Restart:
    """The reading that the attempt begins the whole answer again.

    It is certain after ``enough`` equal characters; from then on the attempt is swallowed.
    """

    rest: Iterator[tuple[int, str]]
    enough: int
    indented: bool  # it may begin with whitespace of its own
    expected: str = ""
    equal: int = 0
    alive: bool = True

    @classmethod
    def of(cls, text: str, tail: Tail) -> "_Restart":
        """Return the reading for the delivered ``text``; dead where a restart would prove nothing.

        So it is where the text is short, one repetition, or goes on as it began.
        """
        text = text.lstrip()
        sizes = range(RESTART_MIN, RESTART_MAX + 1, RESTART_MIN)
        enough = next((size for size in sizes if text.find(text[:size], 1) < 0), 0)
        telling = enough > 0 and len(text) >= UNASKED_MIN and (tail.start > 0 or tail.telling >= 0)
        restart = cls(fold(text), enough, len(text) >= TWICE_MAX, alive=telling)
        restart._advance()
        return restart

    @property
    def certain(self) -> bool:
        return 0 < self.enough <= self.equal

    @property
    def complete(self) -> bool:
        return self.alive and not self.expected

    def step(self, raw: str, folded: str) -> None:
        """Take the next character; ``folded`` is empty inside a run of whitespace."""
        if not self.alive:
            return
        if not self.equal and raw.isspace():
            self.alive = self.indented
        elif folded and folded == self.expected:
            self.equal += 1
            self._advance()
        elif folded:
            self.alive = False

    def _advance(self) -> None:
        _, self.expected = next(self.rest, (0, ""))


@attrs.define
class _Landing:
    """A completed repetition: what follows may still be a mark or whitespace that belongs to it.

    ``end`` counts the attempt's characters up to its last one, ``rest`` is what came after.
    ``unless`` is what the rest would begin with if this were the next of several repetitions:
    they go on as they began.
    """

    end: int
    kind: Joint
    closing: str = ""
    gap: bool = False
    opening: str = ""
    rest: str = ""
    unless: str = ""

    def is_void(self, trailing: str) -> bool:
        """Return whether it is none, but new text; ``trailing`` is as for ``cut``."""
        return bool(self.unless) and self._beyond(trailing).startswith(self.unless)

    def is_open(self, trailing: str) -> bool:
        """Return whether the next characters can still make it void."""
        return bool(self.unless) and self.unless.startswith(self._beyond(trailing))

    def _beyond(self, trailing: str) -> str:
        return self.rest[common_length(self.rest, trailing) :]

    def cut(self, trailing: str) -> tuple[Cut, bool]:
        """Return the cut as things stand, and whether it stays whatever comes.

        ``trailing`` is the whitespace that the delivered text ends with.
        """
        space = len(self.rest) - len(self.rest.lstrip())
        mark = self.rest[space : space + len(self.closing)]
        mark = mark if mark == self.opening else mark.translate(ALIKE_TABLE)
        fits = self.gap or trailing.startswith(self.rest[:space])
        matched = common_length(self.rest, trailing)
        if self.closing and fits and mark == self.closing:
            used = space + len(self.closing)
            beyond = _Landing(self.end + used, self.kind, rest=self.rest[used:])
            return beyond.cut(trailing[matched:])
        mark_may_come = bool(self.closing) and fits and self.closing.startswith(mark)
        space_may_come = matched == len(self.rest) < len(trailing)
        return Cut(self.end + matched, self.kind), not (mark_may_come or space_may_come)


class Seam:
    """Finds where one attempt joins ``delivered``, the text that the client already has.

    ``anchor`` is what the attempt was asked to begin with: an end of ``delivered``, or None.
    ``tail`` is that of ``delivered`` where it is known.
    The attempt's text goes into ``feed`` piece by piece until that answers; when the attempt
    ends by itself before, ``close`` answers. The answer does not depend on the pieces.
    """

    def __init__(self, delivered: str, anchor: str | None, tail: Tail | None = None) -> None:
        text = delivered.rstrip()
        self._tail = tail or Tail.of(delivered)
        self._anchor_at = self._tail.index_of(anchor)
        self._restart = _Restart.of(text, self._tail)
        self._echoes = [_Echo(0, [self._echo_indexes(), self._overlap_indexes()])]
        self._lead = LEADS[inside_fence(text)]
        self._leading = self._anchor_at >= 0  # what has come so far can stand before an echo
        self._landing: _Landing | None = None
        self._head = ""
        self._seen = 0
        self._last = ""

    @property
    def held(self) -> int:
        """How many characters are held that may yet turn out to be new text.

        None are while a restart is swallowed: of what has come until then nothing will be kept.
        """
        return 0 if self._restart.certain else self._seen

    def feed(self, text: str) -> Cut | Diverged | None:
        """Take more of the attempt's text; return the decision, None while it is open."""
        for char in text:
            decision = self._step(char)
            if decision is not None:
                return decision
        return None

    def close(self) -> Cut | Diverged:
        """Return the decision for an attempt that has ended by itself with what was fed.

        One that has begun the whole answer again, and stopped on the way, has diverged.
        """
        if self._landing is not None and len(self._landing.unless) != 1:
            return self._landing.cut(self._tail.trailing)[0]
        return Diverged() if self._restart.certain else Cut(0, Joint.PLAIN)

    @property
    def begun(self) -> bool:
        """Whether what has come is the beginning of a repetition, and nothing is decided yet.

        It is a beginning of the anchor, a longer repetition that had begun elsewhere, or words
        that may stand before one. Text that agrees with some place by chance is none.
        """
        if self._landing is not None or not self._head.strip():
            return False
        asked = any(self._anchor_at in echo.candidates for echo in self._echoes)
        long = any(echo.length >= UNASKED_MIN and echo.candidates for echo in self._echoes)
        restart = self._restart.alive and self._restart.equal >= UNASKED_MIN
        return asked or long or restart

    def _echo_indexes(self) -> range:
        """Return where in the tail an echo may begin: with the anchor, or before it."""
        first = max(0, min(self._tail.earliest, self._anchor_at))
        return range(first, self._anchor_at + 1)

    def _overlap_indexes(self) -> range:
        """Return where in the tail a repetition may begin that is shorter than the anchor."""
        size = len(self._tail.folded)
        first = max(self._anchor_at + 1, self._tail.earliest, size - OVERLAP_MAX)
        return range(first, min(self._tail.telling, self._tail.latest) + 1)

    def _step(self, char: str) -> Cut | Diverged | None:
        self._seen += 1
        folded = self._fold_next(char)
        self._restart.step(char, folded)
        if not self._restart.certain:
            self._begin_echo(char)
            self._head += char
            self._leading = self._leading and self._lead.possible(self._plain_head())
        if self._landing is not None:
            self._landing.rest += char
        elif folded:
            self._follow(folded)
        return self._judge()

    def _fold_next(self, char: str) -> str:
        """Return the next folded character, nothing inside a run of whitespace."""
        folded = " " if char.isspace() else ALIKE.get(char, char)
        inside = folded == " " == self._last
        self._last = folded
        return "" if inside else folded

    def _plain_head(self) -> str:
        return self._head.translate(ALIKE_TABLE)

    def _begin_echo(self, char: str) -> None:
        """Start the reading that an echo begins with ``char``, if what is before it allows."""
        lead = self._lead.whole.fullmatch(self._plain_head()) if self._leading else None
        if lead is None or not self._head or char.isspace():
            return
        echoes, latest = self._echo_indexes(), len(self._tail.folded) - UNASKED_MIN
        places = [range(echoes.start, min(echoes.stop, latest + 1))]
        mark, gap = lead["mark"] or "", bool(lead["gap"])
        raw = self._head[slice(*lead.span("mark"))] if mark else ""
        opening = raw if raw in OPENING else ""
        self._echoes.append(_Echo(len(self._head), places, mark, gap, opening))

    def _follow(self, folded: str) -> None:
        """Go on with every reading as an echo; land where the first one is complete."""
        for echo in self._echoes:
            index = echo.step(folded, self._tail.folded)
            if index is not None and self._landing is None:
                self._landing = self._land(echo, index)
        self._echoes = [echo for echo in self._echoes if echo.candidates]

    def _land(self, echo: _Echo, index: int) -> _Landing | None:
        """Return the landing of a repetition from ``index`` on, None where it may be new text."""
        kind = Joint.ECHO if index <= self._anchor_at else Joint.OVERLAP
        closing = echo.mark.translate(PAIRED)
        landing = _Landing(self._seen, kind, closing, echo.gap, echo.opening)
        if index == self._anchor_at and not echo.start:
            return landing
        if self._is_chance(echo, index):
            return None
        lead = self._head[: echo.start]
        if not lead.strip():
            return self._unless_new(landing, index)
        indent = lead[len(lead.rstrip()) :]
        bare = not echo.mark and not self._tail.ends_inside
        return None if bare and self._tail.may_follow(index, indent) else landing

    def _is_chance(self, echo: _Echo, index: int) -> bool:
        """Return whether a repetition from ``index`` on proves nothing."""
        if index > self._anchor_at and not self._tail.text.endswith(self._head):
            return True
        if echo.mark and self._tail.folded[:index].rstrip().endswith(echo.mark):
            return True  # the mark is part of the text, and another reading begins with it
        return index != self._anchor_at and self._tail.ends_as_it_begins(index)

    def _unless_new(self, landing: _Landing, index: int) -> _Landing | None:
        """Return ``landing`` if the text does not go on with what stands from ``index`` on."""
        head = self._head
        indent = head[: len(head) - len(head.lstrip())]
        if self._tail.follows_the_same(index):
            return None
        if not self._tail.may_come_twice(index, indent):
            alike = ALIKE_MAX if landing.kind is Joint.ECHO else SAME_MIN
            return attrs.evolve(landing, unless=head[:alike])
        return attrs.evolve(landing, unless=head[0]) if self._tail.breaks_off(index) else None

    def _judge(self) -> Cut | Diverged | None:
        """Return the decision that the readings allow by now, if any."""
        restart = self._restart
        if restart.complete:
            restart.alive = False
            asked = self._tail.is_everything(self._anchor_at)
            self._landing = _Landing(self._seen, Joint.ECHO if asked else Joint.RESTART)
        if restart.certain and restart.alive:
            self._echoes, self._landing = [], None
            return None
        too_much = self.held > HOLD_LIMIT
        if self._landing is not None and self._landing.is_void(self._tail.trailing):
            self._landing, self._echoes, self._leading = None, [], False
        if self._landing is not None and self._landing.is_open(self._tail.trailing):
            return None
        if self._landing is not None:
            cut, settled = self._landing.cut(self._tail.trailing)
            return cut if too_much or (settled and not restart.alive) else None
        if restart.certain:
            return Diverged()
        return Cut(0, Joint.PLAIN) if too_much or not self._undecided() else None

    def _undecided(self) -> bool:
        """Return whether what has come may still be something else than new text."""
        return bool(self._echoes) or self._leading or self._restart.alive
