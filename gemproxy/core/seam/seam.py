"""Where a resumed answer joins the text that the client already has.

The request asks the next attempt to begin by repeating the end of the delivered text, the
*anchor*, and then to continue. The model may do so, spell the anchor differently, repeat more or
less of the text, write something before it, start the whole answer over, or simply continue.
``Seam`` reads the attempt's text as it arrives and decides how many of its first characters to
drop because the client has them.

Texts are compared *folded*: a run of whitespace counts as one space, and variants of quotes and
of dashes count as one character. The requested anchor is also compared *bare* (spelling.py).
Offsets refer to the raw text, so a cut is exact to the code point.

Losing text silently is worse than repeating it, so text that may be new is kept. Hence:

* A repetition is dropped only if it reaches the last character of the delivered text. An anchor
  that appears later in the attempt is a coincidence.
* We match only *distinctive* endings: ones that occur once in the last 600 characters and start
  before any repetition ("ha ha ha") at the end.
* A short line or sentence often comes twice in a row (refrains, data), and a repetition that has
  begun often continues. Repeated text that can be read like that is kept, unless the request
  asked for it.
* Among lines of the same structure, a repetition that was not asked for is kept, unless columns
  or numbers show that the lines cannot continue like that (structure.py).
* After a foreign line the anchor must be long, unique in the whole delivered text, and unlike a
  line that a song could repeat.
* landing.py decides which signs and whitespace after an echo are dropped.
* An incomplete echo drops nothing.

If the first line only announces the continuation and no echo follows it, this form of the request
has failed and the attempt has diverged. In the last form the line is dropped instead, where it
cannot be part of the answer.

Text is held only while at least one reading of it is possible: usually a few characters, and never
more than ``HOLD_LIMIT``. A certain restart is swallowed, even where it drifts from the delivered
words (drift.py). A restart with a changed word before it was certain is held until more of it
matches.
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
    distinctive_from,
)

OVERLAP_MAX = 200
"""Characters of the longest repetition that we search for when there was no anchor."""

MARKED_MIN = 24
"""Characters of an end of the anchor that prove an echo between our own marks."""

FOREIGN_MIN = 24
"""Characters, without whitespace, that an anchor needs after a foreign line."""

HOLD_LIMIT = PREAMBLE_MAX + REACH + 80
"""Most characters held undecided: a preamble, an echo, and the marks around them."""

_BLOCK = 4096
_FIRST_LINE = re.compile(r"\n*([^\n]+)(?:\n+|\Z)")
_OWN_OPENINGS = {marks.opening[0] for marks in MARKS}


class Joint(enum.Enum):
    """How the beginning of an attempt was recognised."""

    ECHO = "echo"  # the anchor, or an end of the text that includes it
    OVERLAP = "overlap"  # an end of the text that is shorter than the anchor
    RESTART = "restart"  # the whole text
    PLAIN = "plain"  # nothing repeated: new text, except for spaces that the client has


@attrs.frozen
class Cut:
    """The attempt continues the delivered text after its first ``drop`` characters."""

    drop: int
    kind: Joint


@attrs.frozen
class Diverged:
    """The attempt cannot be joined. ``why``: another answer, or only an announcement of one."""

    why: str = attrs.field(default="another answer", eq=False)


def _says_nothing(_: str) -> bool:
    return False


class Seam:
    """Finds where one attempt joins ``delivered``, the text that the client already has.

    ``anchor`` is the end of ``delivered`` that the attempt was asked to begin with, or None.
    ``tail`` is the tail of ``delivered``, computed here if it is not given. ``last_form`` means
    that no other form of the request will be tried. ``request_says`` returns whether the request
    contains a phrase, which may then be part of the answer. Feed the attempt's text piece by piece
    until ``feed`` returns a decision; if the attempt ends before that, ``close`` decides. The
    decision does not depend on how the text is cut into pieces.
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
        self._leading = self._anchor_at >= 0  # the text so far can stand before an echo
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
        self._strayed = ""  # the text since a certain restart left the delivered words
        self._seen = 0
        self._last = ""

    @property
    def held(self) -> int:
        """How many characters are held that may turn out to be new text.

        Zero while a restart is swallowed, because none of its text will be kept.
        """
        return 0 if self._certain is not None else self._seen

    @property
    def buffered(self) -> int:
        """How many characters of the new answer are in memory, held or not."""
        return len(self._head)

    def feed(self, text: str) -> Cut | Diverged | None:
        """Read more of the attempt's text; return the decision, or None while it is open."""
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
        """Return the decision for an attempt that ended by itself after the text that was fed.

        An attempt that restarted the whole answer and stopped on the way has diverged.
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
        """Whether the text so far begins a repetition and the decision is still open.

        That is the beginning of the anchor, of a longer repetition, or of a restart. A few
        characters that match some place by chance do not count.
        """
        if self._landing is not None or not self._head.strip():
            return False
        asked = any(self._anchor_at in echo.candidates for echo in self._echoes)
        long = any(echo.length >= UNASKED_MIN and echo.candidates for echo in self._echoes)
        spelled = any(reading.known >= UNASKED_MIN for reading in self._spelled)
        restart = any(r.alive and r.equal >= UNASKED_MIN for r in self._restarts)
        return asked or long or spelled or restart

    def _echo_indexes(self) -> range:
        """Return where in the tail an echo may begin: at the anchor, or before it."""
        first = max(0, min(self._tail.earliest, self._anchor_at))
        return range(first, self._anchor_at + 1)

    def _overlap_indexes(self) -> range:
        """Return where in the tail a repetition shorter than the anchor may begin."""
        size = len(self._tail.folded)
        first = max(self._anchor_at + 1, self._tail.earliest, size - OVERLAP_MAX)
        return range(first, min(self._tail.distinctive, self._tail.latest) + 1)

    @cached_property
    def _letters(self) -> str:
        """The anchor's bare letters; empty if they are too few to prove an echo."""
        letters = "".join(letter for letter, _ in bare(self._anchor))
        return letters if self._anchor_at >= 0 and len(letters) >= UNASKED_MIN else ""

    @cached_property
    def _like_lines(self) -> bool:
        return among_like_lines(self._tail.text)

    @cached_property
    def _place(self) -> Place:
        """The facts about the end of the delivered text."""
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
        """Return the next folded character; empty inside a run of whitespace."""
        folded = " " if char.isspace() else ALIKE.get(char, char)
        inside = folded == " " == self._last
        self._last = folded
        return "" if inside else folded

    def _plain_head(self) -> str:
        return self._head.translate(ALIKE_TABLE)

    def _begin_readings(self, char: str) -> None:
        """Start the readings of an echo that begins at ``char``, if the text before it allows."""
        if not self._leading or not self._head or char.isspace():
            return
        before = self._lead.parse(self._plain_head())
        if before is None:
            return
        echoes, size = self._echo_indexes(), len(self._tail.folded)
        first = self._anchor_at if before.foreign else echoes.start
        places = [range(first, min(echoes.stop, size - UNASKED_MIN + 1))]
        if before.mark[:1] in _OWN_OPENINGS:
            places.append(range(echoes.stop, min(self._tail.distinctive, size - MARKED_MIN) + 1))
        self._echoes.append(Echo(len(self._head), places, before))
        self._begin_spelled(len(self._head), before)
        if self._tail.start and not before.foreign:
            self._restarts.append(Restart(self._beginning))

    def _begin_spelled(self, start: int, before: Before) -> None:
        if self._letters:
            self._spelled.append(Spelled(start, self._letters, before))

    def _follow(self, char: str, folded: str) -> None:
        """Advance every echo reading; land at the first one that is complete."""
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
        """Advance a restart with a changed word; once certain, it has strayed at that word."""
        changed.step(folded)
        if not changed.certain:
            self._strayed += char
            return
        self._certain = Restart(self._beginning, changed.place, alive=False)
        self._restarts, self._changed = [self._certain], None
        self._echoes, self._spelled, self._landing = [], [], None

    def _begin_changed(self, restart: Restart) -> None:
        """Follow a restart that changed a word before it was certain, if it may drift."""
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
        """Swallow a block of a restart at once if all of it matches; return whether it did."""
        if self._certain is None or self._spelled or self._landing is not None:
            return False
        if self._drift is not None or not self._certain.skip(fold_piece(block, self._last)):
            return False
        self._seen += len(block)
        self._last = " " if block[-1].isspace() else block[-1]
        return True

    def _diverge(self) -> Diverged | None:
        """Follow a restart that left the delivered words if it may still join; else diverge."""
        restart = self._restarts[0]
        self._drift = Drift.of(self._delivered, restart.equal, self._strayed)
        return Diverged() if self._drift is None else None

    def _follow_drift(self, char: str) -> Cut | Diverged | None:
        assert self._drift is not None  # noqa: S101 - the caller has checked
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
        """Return the landing of a repetition from ``index`` on; None if it may be new text."""
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
        """Land after an anchor in another spelling, if it cannot be new text."""
        if self._landing is not None or (self._echoes and not closing):
            return
        for spelled in reversed(self._spelled):
            if spelled.end is None or not self._is_unique_bare:
                continue
            lead, before = self._head[: spelled.start], spelled.before
            if self._head[spelled.start].isspace():
                continue  # another reading begins after the whitespace
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
        """Whether the anchor's bare letters are distinctive among the tail's."""
        letters = "".join(letter for letter, _ in bare(self._tail.text))
        at = len(letters) - len(self._letters)
        return letters.endswith(self._letters) and distinctive_from(letters) >= at

    def _may_be_new(self, before: Before, index: int, lead: str) -> bool:
        """Return whether an echo after ``lead`` may be the text continuing."""
        indent = lead[len(lead.rstrip()) :]
        bare_echo = not before.mark and not before.fence and not self._tail.ends_inside
        return bare_echo and self._tail.may_follow(index, indent)

    def _proves_itself(self, foreign: str) -> bool:
        """Return whether the anchor after a ``foreign`` line is certainly an echo.

        A song may repeat a line after a new one, so an anchor at the start of a line must be
        longer than the lines that come twice.
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
        """Return whether a repetition from ``index`` on may be a coincidence."""
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
        """Return whether the text, among like lines, cannot continue with its own ``end``."""
        text = self._tail.text + self._tail.trailing
        return self._like_lines and cannot_repeat(text, end)

    def _is_no_row(self, end: str) -> bool:
        """Return whether ``end``, the text's own end, cannot be the next of its like lines.

        Words inside an item of a list count as prose.
        """
        words = words_of_item(self._tail.text + self._tail.trailing)
        return self._cannot_repeat(end) or (is_plain_words(end) and len(end) < len(words))

    def _unless_new(self, landing: Landing, index: int) -> Landing | None:
        """Return ``landing``, unless the text may be continuing as it stands from ``index`` on."""
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
        """Return the decision that the readings allow so far, if any."""
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
        """Return the cut of the landing; None while more text may belong to it."""
        assert self._landing is not None  # noqa: S101 - the caller has checked
        drop, settled = self._landing.cut()
        if self._too_much():
            return Cut(drop, self._kind)
        restarts = any(restart.alive for restart in self._restarts)
        open_ = self._landing.is_open() or not settled or restarts
        return None if open_ else Cut(drop, self._kind)

    def _too_much(self) -> bool:
        return self.held > HOLD_LIMIT

    def _undecided(self) -> bool:
        """Return whether the text so far may still be a repetition."""
        if self._too_much():
            return False
        blank = len(self._head) < self._blanks and not self._head.strip(" ")
        readings = self._echoes or self._spelled or any(r.alive for r in self._restarts)
        changed = self._changed is not None and self._changed.alive
        return blank or bool(readings) or self._leading or changed

    def _plain(self, *, closing: bool = False) -> Cut | Diverged:
        """Return the decision for an attempt without a recognised repetition."""
        spoken = self._spoken(closing=closing)
        if spoken is not None and not self._last_form:
            return Diverged("it only spoke of going on")
        whole = spoken is not None and "\n" in spoken and self._tail.ends_inside
        line = len(spoken) if spoken is not None and whole else 0
        rest = self._head[line:]
        blanks = len(rest) - len(rest.lstrip(" "))
        return Cut(line + min(blanks, self._blanks), Joint.PLAIN)

    def _spoken(self, *, closing: bool) -> str | None:
        """Return the first line if it only announces the continuation; else None.

        The result includes the line end and the empty lines after it. The line may be part of the
        answer, and the result is None, if the request contains it or if the delivered text is
        data or ends inside a fence or a quotation.
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
    """Return whether ``text`` contains a part of ``line``, which is then not foreign."""
    size = min(UNASKED_MIN, len(line))
    parts = (line[at : at + size] for at in range(len(line) - size + 1))
    return size < SAME_MIN or any(part in text for part in parts)
