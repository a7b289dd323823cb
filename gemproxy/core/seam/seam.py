"""Where a resumed answer joins the text that the client already has.

A resumed attempt is asked to begin by repeating the end of the delivered text, the *anchor*,
and then to go on. It may do so, spell it otherwise, repeat more or less than that, put
something before it, begin the whole answer again, or simply go on. ``Seam`` reads the attempt's
text as it arrives and says how many of its characters the client must not get again.

Text is compared *folded*: a run of whitespace is one space, variants of quotes and of dashes
are one; the asked anchor also *bare* (spelling.py). Offsets are those of the raw text, so the
cut is exact to the code point.

Silent loss is worse than duplication, so what may well be new text is kept. Hence:

* What is dropped repeats the *end* of the delivered text, right up to its last character;
  an anchor that turns up later in the attempt is a coincidence.
* An end that is not *telling* proves nothing. A telling end occurs once in what was delivered
  lately and reaches back beyond any repetition ("ha ha ha") that it ends with.
* A short line or sentence that comes twice in a row is ordinary (refrains, data), and a
  repetition that has begun is often gone on with. Where the repeated text can be read like
  that it is kept, unless it is what was asked for.
* A repetition that was not asked for proves nothing among like lines, unless their columns or
  numbers show that they cannot go on like that (structure.py).
* Behind a foreign line the anchor has to be long, unique in all that was delivered, and no
  line that a song could repeat.
* Signs and whitespace after an echo are dropped by the rules of landing.py.
* Nothing is dropped for an echo that was not completed.

A first line that only says that the answer goes on, with no echo behind it, means that the
form of the request has failed: the attempt has diverged. It is dropped only in the last form,
and only where it cannot be part of the answer.

Text is held only while some reading of it is still possible, in general for a few characters
and never for more than ``HOLD_LIMIT``. A certain restart is swallowed, also where it drifts
from the delivered words (drift.py). One that has another word before it is certain is held
until more of it is equal.
"""

import enum
import re
from collections.abc import Callable
from functools import cached_property

import attrs

from gemproxy.core.seam.drift import Drift
from gemproxy.core.seam.folding import ALIKE, ALIKE_TABLE, fold_piece
from gemproxy.core.seam.landing import Landing, Place, closers_for
from gemproxy.core.seam.lead import LEADS, OPENING, PREAMBLE_MAX, Before
from gemproxy.core.seam.marks import MARKS, NO_MARKS, QUOTE_OPEN, marks_for, shown
from gemproxy.core.seam.phrases import speaks_only_of_going_on
from gemproxy.core.seam.readings import Beginning, Changed, Echo, Restart, Spelled
from gemproxy.core.seam.spelling import bare
from gemproxy.core.seam.structure import (
    among_like_lines,
    cannot_repeat,
    inside_fence,
    inside_quotation,
    is_data,
    is_plain_words,
    words_of_item,
)
from gemproxy.core.seam.tail import (
    ALIKE_MAX,
    REACH,
    SAME_MIN,
    TWICE_MAX,
    UNASKED_MIN,
    Tail,
    telling_from,
)

OVERLAP_MAX = 200
"""The longest repetition that is looked for where there was no anchor to repeat."""

MARKED_MIN = 24
"""Characters of an end of the anchor that prove it between our own marks."""

FOREIGN_MIN = 24
"""Characters, without whitespace, that an anchor needs behind a foreign line."""

HOLD_LIMIT = PREAMBLE_MAX + REACH + 80
"""Characters that may be held undecided: a preamble, an echo, and marks around them."""

_BLOCK = 4096
_FIRST_LINE = re.compile(r"\n*([^\n]+)(?:\n+|\Z)")
_OWN_OPENINGS = {marks.opening[0] for marks in MARKS}


class Joint(enum.Enum):
    """What the beginning of an attempt was recognised as."""

    ECHO = "echo"  # the anchor, or an end of the text that includes it
    OVERLAP = "overlap"  # an end of the text that is shorter than the anchor
    RESTART = "restart"  # the whole text
    PLAIN = "plain"  # nothing: new text, but for blanks that the client has


@attrs.frozen
class Cut:
    """The attempt goes on from the delivered text after its first ``drop`` characters."""

    drop: int
    kind: Joint


@attrs.frozen
class Diverged:
    """The attempt is of no use, and ``why``: it told another answer, or only spoke of going on."""

    why: str = attrs.field(default="another answer", eq=False)


def _says_nothing(_: str) -> bool:
    return False


class Seam:
    """Finds where one attempt joins ``delivered``, the text that the client already has.

    ``anchor`` is what the attempt was asked to begin with: an end of ``delivered``, or None.
    ``tail`` is that of ``delivered`` where it is known. ``last_form`` says that no other form of
    the request will be tried, ``request_says`` whether the request contains a phrase: that may
    be part of the answer. The attempt's text goes into ``feed`` piece by piece until that
    answers; when the attempt ends by itself before, ``close`` answers. The answer does not
    depend on the pieces.
    """

    def __init__(
        self,
        delivered: str,
        anchor: str | None,
        tail: Tail | None = None,
        *,
        last_form: bool = False,
        request_says: Callable[[str], bool] = _says_nothing,
    ) -> None:
        text = delivered.rstrip()
        self._delivered, self._anchor = delivered, (anchor or "").strip()
        self._tail = tail or Tail.of(delivered)
        self._anchor_at = self._tail.index_of(anchor)
        self._last_form, self._request_says = last_form, request_says
        self._blanks = len(delivered) - len(shown(delivered))
        self._fenced = inside_fence(text)
        self._lead = LEADS[self._fenced]
        self._leading = self._anchor_at >= 0  # what has come so far can stand before an echo
        self._beginning = Beginning.of(text, self._tail)
        self._restarts = [Restart(self._beginning)]
        self._echoes = [Echo(0, [self._echo_indexes(), self._overlap_indexes()])]
        self._spelled: list[Spelled] = []
        self._begin_spelled(0, Before())
        self._changed: Changed | None = None
        self._certain: Restart | None = None
        self._drift: Drift | None = None
        self._landing: Landing | None = None
        self._kind = Joint.PLAIN
        self._head = ""
        self._strayed = ""  # what has come since a certain restart went another way
        self._seen = 0
        self._last = ""

    @property
    def held(self) -> int:
        """How many characters are held that may yet turn out to be new text.

        None are while a restart is swallowed: of what has come until then nothing will be kept.
        """
        return 0 if self._certain is not None else self._seen

    @property
    def buffered(self) -> int:
        """How many characters of the new answer are in memory, held or not."""
        return len(self._head)

    def feed(self, text: str) -> Cut | Diverged | None:
        """Take more of the attempt's text; return the decision, None while it is open."""
        for start in range(0, len(text), _BLOCK):
            block = text[start : start + _BLOCK]
            if self._swallow(block):
                continue
            for char in block:
                decision = self._step(char)
                if decision is not None:
                    return decision
        return None

    def close(self) -> Cut | Diverged:
        """Return the decision for an attempt that has ended by itself with what was fed.

        One that has begun the whole answer again, and stopped on the way, has diverged.
        """
        if self._landing is None:
            for spelled in self._spelled:
                spelled.close()
            self._land_spelled(closing=True)
        if self._landing is not None and self._landing.stands():
            return Cut(self._landing.cut()[0], self._kind)
        return Diverged() if self._certain is not None else self._plain(closing=True)

    # -- the readings ----------------------------------------------------------------------

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
        spelled = any(reading.known >= UNASKED_MIN for reading in self._spelled)
        restart = any(r.alive and r.equal >= UNASKED_MIN for r in self._restarts)
        return asked or long or spelled or restart

    def _echo_indexes(self) -> range:
        """Return where in the tail an echo may begin: with the anchor, or before it."""
        first = max(0, min(self._tail.earliest, self._anchor_at))
        return range(first, self._anchor_at + 1)

    def _overlap_indexes(self) -> range:
        """Return where in the tail a repetition may begin that is shorter than the anchor."""
        size = len(self._tail.folded)
        first = max(self._anchor_at + 1, self._tail.earliest, size - OVERLAP_MAX)
        return range(first, min(self._tail.telling, self._tail.latest) + 1)

    @cached_property
    def _letters(self) -> str:
        """The letters of the anchor, bare; empty where they are too few to prove anything."""
        letters = "".join(letter for letter, _ in bare(self._anchor))
        return letters if self._anchor_at >= 0 and len(letters) >= UNASKED_MIN else ""

    @cached_property
    def _like_lines(self) -> bool:
        return among_like_lines(self._tail.text)

    @cached_property
    def _place(self) -> Place:
        """What is known of the end of the delivered text."""
        text = self._tail.text
        marks = marks_for(self._delivered) if self._anchor_at >= 0 else NO_MARKS
        return Place(
            own=marks.closing[:1],
            tag=QUOTE_OPEN.strip() not in self._delivered,
            inside=self._tail.ends_inside,
            wide=text[-1:] >= "\u3000",
            dense=self._like_lines,
        )

    def _step(self, char: str) -> Cut | Diverged | None:
        self._seen += 1
        folded = self._fold_next(char)
        if self._drift is not None:
            return self._follow_drift(char)
        if self._certain is None:
            self._begin_readings(char)
        self._follow_restarts(char, folded)
        self._note_certain()
        if self._certain is None or self._spelled:
            self._head += char
        if self._certain is not None and not self._certain.alive:
            self._strayed += char
        self._leading = self._leading and self._lead.possible(self._plain_head())
        if self._landing is not None:
            self._landing.rest += char
        else:
            self._follow(char, folded)
        return self._judge()

    def _fold_next(self, char: str) -> str:
        """Return the next folded character, nothing inside a run of whitespace."""
        folded = " " if char.isspace() else ALIKE.get(char, char)
        inside = folded == " " == self._last
        self._last = folded
        return "" if inside else folded

    def _plain_head(self) -> str:
        return self._head.translate(ALIKE_TABLE)

    def _begin_readings(self, char: str) -> None:
        """Start the readings that an echo begins with ``char``, if what is before it allows."""
        if not self._leading or not self._head or char.isspace():
            return
        before = self._lead.parse(self._plain_head())
        if before is None:
            return
        echoes, size = self._echo_indexes(), len(self._tail.folded)
        first = self._anchor_at if before.foreign else echoes.start
        places = [range(first, min(echoes.stop, size - UNASKED_MIN + 1))]
        if before.mark[:1] in _OWN_OPENINGS:
            places.append(range(echoes.stop, min(self._tail.telling, size - MARKED_MIN) + 1))
        self._echoes.append(Echo(len(self._head), places, before))
        self._begin_spelled(len(self._head), before)
        if self._tail.start and not before.foreign:
            self._restarts.append(Restart(self._beginning))

    def _begin_spelled(self, start: int, before: Before) -> None:
        if self._letters:
            self._spelled.append(Spelled(start, self._letters, before))

    def _follow(self, char: str, folded: str) -> None:
        """Go on with every reading as an echo; land where the first one is complete."""
        for spelled in self._spelled:
            spelled.step(char)
        self._spelled = [spelled for spelled in self._spelled if spelled.alive]
        if not folded:
            return
        for echo in self._echoes:
            index = echo.step(folded, self._tail.folded)
            if index is not None and self._landing is None:
                self._landing = self._land(echo, index)
        self._echoes = [echo for echo in self._echoes if echo.candidates]

    # -- restarts --------------------------------------------------------------------------

    def _follow_restarts(self, char: str, folded: str) -> None:
        for restart in self._restarts:
            was_alive = restart.alive
            restart.step(char, folded)
            if was_alive and not restart.alive and self._certain is None:
                self._begin_changed(restart)
        if self._changed is not None:
            self._follow_changed(self._changed, char, folded)

    def _follow_changed(self, changed: Changed, char: str, folded: str) -> None:
        """Go on with a restart that had another word; once it is certain, it has strayed there."""
        changed.step(folded)
        if not changed.certain:
            self._strayed += char
            return
        self._certain = Restart(self._beginning, changed.place, alive=False)
        self._restarts, self._changed = [self._certain], None
        self._echoes, self._spelled, self._landing = [], [], None

    def _begin_changed(self, restart: Restart) -> None:
        """Go on with a restart that had another word before it was certain, if it may drift."""
        changed = Changed.of(restart)
        if changed is not None and Drift.of(self._delivered, restart.equal, "") is not None:
            self._changed, self._strayed = changed, ""

    def _note_certain(self) -> None:
        if self._certain is None:
            certain = (restart for restart in self._restarts if restart.certain)
            self._certain = next(certain, None)
            if self._certain is not None:
                self._restarts, self._changed, self._strayed = [self._certain], None, ""

    def _swallow(self, block: str) -> bool:
        """Take a block of a restart, or of its drift, at once; return whether that was done."""
        if self._certain is None or self._spelled or self._landing is not None:
            return False
        if self._drift is not None or not self._certain.skip(fold_piece(block, self._last)):
            return False
        self._seen += len(block)
        self._last = " " if block[-1].isspace() else block[-1]
        return True

    def _diverge(self) -> Diverged | None:
        """Go on with a restart that went another way, if that may join later."""
        restart = self._restarts[0]
        self._drift = Drift.of(self._delivered, restart.equal, self._strayed)
        return Diverged() if self._drift is None else None

    def _follow_drift(self, char: str) -> Cut | Diverged | None:
        assert self._drift is not None  # noqa: S101 - the caller has looked
        if self._landing is not None:
            self._landing.rest += char
            return self._settled()
        if self._drift.feed(char):
            if not self._drift.joins():
                return Diverged()
            self._kind = Joint.RESTART
            self._landing = self._landing_at(self._seen, Before(), self._tail.trailing)
        return Diverged() if self._drift.too_long else None

    # -- landing ---------------------------------------------------------------------------

    def _landing_at(self, end: int, before: Before, trailing: str) -> Landing:
        raw = self._head[before.at : before.at + 1] if before.mark else ""
        return Landing(
            end,
            trailing,
            self._place,
            before,
            closers_for(before, self._place, self._tail.text[-1:]),
            opening=raw if raw in OPENING else "",
            must_close=bool(before.fence),
        )

    def _land(self, echo: Echo, index: int) -> Landing | None:
        """Return the landing of a repetition from ``index`` on, None where it may be new text."""
        self._kind = Joint.ECHO if index <= self._anchor_at else Joint.OVERLAP
        landing = self._landing_at(self._seen, echo.before, self._tail.trailing)
        if index == self._anchor_at and not echo.start:
            return landing
        if self._is_chance(echo, index):
            return None
        lead = self._head[: echo.start]
        if index > self._anchor_at and lead.strip():
            return attrs.evolve(landing, must_close=True)
        if echo.before.foreign:
            return landing if self._proves_itself(echo.before.foreign) else None
        if not lead.strip():
            return self._unless_new(landing, index)
        return None if self._may_be_new(echo.before, index, lead) else landing

    def _land_spelled(self, *, closing: bool = False) -> None:
        """Land where the anchor came in another spelling, and can be no other text."""
        if self._landing is not None or (self._echoes and not closing):
            return
        for spelled in reversed(self._spelled):
            if spelled.end is None or not self._is_unique_bare:
                continue
            lead, before = self._head[: spelled.start], spelled.before
            if self._head[spelled.start].isspace():
                continue  # another reading begins behind the whitespace
            if before.foreign and not self._proves_itself(before.foreign):
                continue
            if lead and self._may_be_new(before, self._anchor_at, lead):
                continue
            behind = bare(self._anchor)[-1][1] - len(self._anchor)
            trailing = self._delivered[len(self._delivered.rstrip()) + behind :]
            self._kind = Joint.ECHO
            self._landing = self._landing_at(spelled.end, before, trailing)
            self._landing.rest = self._head[spelled.end :]
            block = self._head[spelled.start :].lstrip().startswith(">")
            self._landing.block = block and not self._anchor.startswith(">")
            return

    @cached_property
    def _is_unique_bare(self) -> bool:
        """Whether the anchor's letters are telling among those of the tail."""
        letters = "".join(letter for letter, _ in bare(self._tail.text))
        at = len(letters) - len(self._letters)
        return letters.endswith(self._letters) and telling_from(letters) >= at

    def _may_be_new(self, before: Before, index: int, lead: str) -> bool:
        """Return whether an echo behind ``lead`` may be what the text goes on with."""
        indent = lead[len(lead.rstrip()) :]
        bare_echo = not before.mark and not before.fence and not self._tail.ends_inside
        return bare_echo and self._tail.may_follow(index, indent)

    def _proves_itself(self, foreign: str) -> bool:
        """Return whether the anchor, behind a ``foreign`` line, can be nothing but an echo.

        A song may repeat a line behind a new one. So the anchor must not begin a line, unless
        it is longer than lines that come twice.
        """
        text, anchor = self._delivered.rstrip(), self._anchor
        first = len(text) - len(anchor)
        begins_line = "\n" in text[:first][len(text[:first].rstrip()) :] or not text[:first].strip()
        return (
            len("".join(anchor.split())) >= FOREIGN_MIN
            and text.count(anchor) == 1
            and not (begins_line and len(anchor) < TWICE_MAX)
            and not self._fenced
            and not self._like_lines
            and not self._tail.follows_the_same(self._anchor_at)
            and not _repeats(foreign.strip(), text)
        )

    def _is_chance(self, echo: Echo, index: int) -> bool:
        """Return whether a repetition from ``index`` on proves nothing."""
        if index > self._anchor_at:
            repeated = self._head[echo.start :]
            unmarked = not self._head[: echo.start].strip()
            if not self._tail.text.endswith(repeated):
                return True
            if unmarked and self._like_lines and not self._is_no_row(repeated):
                return True
        mark = echo.before.mark
        if mark and self._tail.folded[:index].rstrip().endswith(mark):
            return True  # the mark is part of the text, and another reading begins with it
        return index != self._anchor_at and self._tail.ends_as_it_begins(index)

    def _cannot_repeat(self, end: str) -> bool:
        """Return whether the text, among like lines, cannot go on with its own ``end``."""
        text = self._tail.text + self._tail.trailing
        return self._like_lines and cannot_repeat(text, end)

    def _is_no_row(self, end: str) -> bool:
        """Return whether the text's own ``end`` is no row that like lines may go on with.

        Words inside an item of a list are as those of prose.
        """
        words = words_of_item(self._tail.text + self._tail.trailing)
        return self._cannot_repeat(end) or (is_plain_words(end) and len(end) < len(words))

    def _unless_new(self, landing: Landing, index: int) -> Landing | None:
        """Return ``landing`` if the text does not go on with what stands from ``index`` on."""
        head = self._head
        indent = head[: len(head) - len(head.lstrip())]
        if self._cannot_repeat(head):
            return landing
        if self._tail.follows_the_same(index):
            return None
        everything = self._tail.is_everything(index)
        if self._like_lines and not everything and self._tail.is_as_far(index):
            return None
        if not self._tail.may_come_twice(index, indent):
            alike = ALIKE_MAX if self._kind is Joint.ECHO else SAME_MIN
            return attrs.evolve(landing, unless=head[:alike])
        return attrs.evolve(landing, unless=head[0]) if self._tail.breaks_off(index) else None

    # -- the decision ----------------------------------------------------------------------

    def _judge(self) -> Cut | Diverged | None:
        """Return the decision that the readings allow by now, if any."""
        complete = next((restart for restart in self._restarts if restart.complete), None)
        if complete is not None:
            complete.alive = False
            asked = self._tail.is_everything(self._anchor_at)
            self._kind = Joint.ECHO if asked else Joint.RESTART
            self._landing = self._landing_at(self._seen, Before(), self._tail.trailing)
        if self._certain is not None and self._certain.alive:
            self._echoes, self._landing = [], None
            return None
        self._land_spelled()
        if self._landing is not None and self._landing.is_void():
            self._landing, self._echoes, self._spelled, self._leading = None, [], [], False
        if self._landing is not None:
            return self._settled()
        if self._certain is not None:
            return None if self._spelled else self._diverge()
        return None if self._undecided() else self._plain()

    def _settled(self) -> Cut | None:
        """Return the cut of the landing, None while more may belong to it."""
        assert self._landing is not None  # noqa: S101 - the caller has looked
        drop, settled = self._landing.cut()
        if self._too_much():
            return Cut(drop, self._kind)
        restarts = any(restart.alive for restart in self._restarts)
        open_ = self._landing.is_open() or not settled or restarts
        return None if open_ else Cut(drop, self._kind)

    def _too_much(self) -> bool:
        return self.held > HOLD_LIMIT

    def _undecided(self) -> bool:
        """Return whether what has come may still be something else than new text."""
        if self._too_much():
            return False
        blank = len(self._head) < self._blanks and not self._head.strip(" ")
        readings = self._echoes or self._spelled or any(r.alive for r in self._restarts)
        changed = self._changed is not None and self._changed.alive
        return blank or bool(readings) or self._leading or changed

    def _plain(self, *, closing: bool = False) -> Cut | Diverged:
        """Return the decision for an attempt in which nothing was recognised."""
        spoken = self._spoken(closing=closing)
        if spoken is not None and not self._last_form:
            return Diverged("it only spoke of going on")
        whole = spoken is not None and "\n" in spoken and self._tail.ends_inside
        line = len(spoken) if spoken is not None and whole else 0
        rest = self._head[line:]
        blanks = len(rest) - len(rest.lstrip(" "))
        return Cut(line + min(blanks, self._blanks), Joint.PLAIN)

    def _spoken(self, *, closing: bool) -> str | None:
        """Return the first line, if it only says that the answer goes on; else None.

        It comes with its line end and the empty lines behind it. A text whose request speaks
        of such a line may have it as a part, and so may code, data and a quotation.
        """
        found = _FIRST_LINE.match(self._head)
        if found is None or self._anchor_at < 0 or self._fenced:
            return None
        ended = found[0].endswith("\n") or closing
        if not ended or not speaks_only_of_going_on(found[1]):
            return None
        if is_data(self._delivered) or inside_quotation(self._delivered):
            return None
        return None if self._request_says(found[1].strip()) else found[0]


def _repeats(line: str, text: str) -> bool:
    """Return whether any part of ``line`` stands in ``text``: that is no foreign line."""
    size = min(UNASKED_MIN, len(line))
    parts = (line[at : at + size] for at in range(len(line) - size + 1))
    return size < SAME_MIN or any(part in text for part in parts)
