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
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import takewhile

import attrs

ANCHOR_LENGTH = 40
"""Characters that an anchor has where nothing makes it longer."""

ANCHOR_MIN = 6
"""An anchor of fewer characters could be repeated by chance."""

ANCHOR_MAX = 200
"""An end of the text that tells only beyond this many characters has no anchor."""

UNASKED_MIN = 12
"""Characters that a repetition needs when it is not the anchor, or stands after something."""

OVERLAP_MAX = 200
"""The longest repetition that is looked for where there was no anchor to repeat."""

SAME_MIN = 6
"""Characters that must agree before two places of a text to take them for a repetition."""

REACH = 600
"""How far back a repetition may begin, and how far back an end must be unique."""

RESTART_MIN = 40
"""Characters, equal to the beginning of the delivered text, that make a restart."""

RESTART_MAX = 320
"""A beginning that needs more than this to be unlike the rest of the text proves nothing."""

PREAMBLE_MAX = 120
"""Characters of a line like "Sure, here is the continuation:"."""

BARE_MIN = 8
"""The same without the whitespace around it."""

ALIKE_MAX = 20
"""Two lines may well begin with the same characters, up to this many, and then differ."""

TWICE_MAX = 80
"""Lines, or a sentence, of fewer characters may well come twice in a row."""

HOLD_LIMIT = PREAMBLE_MAX + REACH + 80
"""Characters that may be held undecided: a preamble, an echo, and marks around them."""

_ENDS = ".!?,;:\u2026\u3001\u3002\uff01\uff1f\uff0c\uff1b\uff1a"
_ENDING = re.compile(rf"(?:^|[{_ENDS}][\"')\]*_\u201d\u2019\u300d\u300f]*)\s*$")
_CLAUSE_END = re.compile(rf"[\n{_ENDS}]")
_WIDE = "\u3000"  # from here on, punctuation is not followed by a space

_WORD_REACH = 24  # how far back the start of a word is looked for


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


# --- Folding -----------------------------------------------------------------------------

_VARIANTS = {
    "'": "\u2018\u2019\u201a\u201b\u02bc\u2032\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\uff02",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d",
}
_ALIKE = {variant: plain for plain, variants in _VARIANTS.items() for variant in variants}
_ALIKE_TABLE = str.maketrans(_ALIKE)


def _fold(chars: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the folded characters, each with the offset of the first raw one it stands for."""
    before = ""
    for offset, char in enumerate(chars):
        plain = " " if char.isspace() else _ALIKE.get(char, char)
        if plain != " " or before != " ":
            yield offset, plain
        before = plain


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


# --- The end of the delivered text -------------------------------------------------------


def _agreements(text: str) -> list[int]:
    """Return, for each offset, how many characters from there equal the text's beginning.

    This is the Z array of the text, found in linear time; its first entry is 0.
    """
    lengths = [0] * len(text)
    left = right = 0
    for offset in range(1, len(text)):
        length = min(right - offset, lengths[offset - left]) if offset < right else 0
        while offset + length < len(text) and text[length] == text[offset + length]:
            length += 1
        lengths[offset] = length
        if offset + length > right:
            left, right = offset, offset + length
    return lengths


def _telling_length(agreed: list[int]) -> int:
    """Return how long an end of a text must be to be telling; more than all of it: none is.

    ``agreed`` says for each distance how many of the text's last characters equal those so
    far before them; an end must be longer than that to be unique. Where they span the
    distance (give or take the separator that the last item lacks) the text repeats itself
    and may go on so: then the end must reach beyond the first of the repeated items.
    """
    needed = 1
    for distance, length in enumerate(agreed[: REACH + 1]):
        repeats = length >= distance - 1 and distance > 0
        needed = max(needed, length + 1 + (distance if repeats else 0))
    return needed


@attrs.frozen
class _Tail:
    """The end of the delivered text: ``text`` and the whitespace ``trailing`` it.

    ``start`` is where it begins in the delivered text, ``offsets`` gives for each folded
    character the raw one in ``text``, ``agreed`` is as for ``_telling_length``, ``telling`` is
    the latest index in ``folded`` from which the rest is telling (negative: there is none).
    """

    start: int
    text: str
    trailing: str
    folded: str
    offsets: tuple[int, ...]
    agreed: list[int]
    telling: int

    @classmethod
    def of(cls, delivered: str) -> "_Tail":
        """Return the tail of the ``delivered`` text."""
        text = delivered.rstrip()
        start = max(0, len(text) - 3 * REACH)
        pairs = list(_fold(text[start:]))
        folded = "".join(char for _, char in pairs)
        agreed = _agreements(folded[::-1])
        return cls(
            start=start,
            text=text[start:],
            trailing=delivered[len(text) :],
            folded=folded,
            offsets=tuple(offset for offset, _ in pairs),
            agreed=agreed,
            telling=len(folded) - _telling_length(agreed),
        )

    @property
    def earliest(self) -> int:
        """Return the first index at which an echo may begin.

        Where text before the tail was cut off, only half of it counts: a repetition shows
        as one only when two periods of it are seen.
        """
        size = len(self.folded)
        return max(0, size - REACH, size // 2 if self.start else 0)

    @property
    def latest(self) -> int:
        """Return the last index at which a repetition that was not asked for may begin."""
        raw = len(self.text) + len(self.trailing) - UNASKED_MIN
        return min(bisect_right(self.offsets, raw) - 1, len(self.folded) - BARE_MIN)

    def index_of(self, anchor: str | None) -> int:
        """Return the index at which ``anchor`` begins, -1 when it is not the tail's end."""
        wanted = (anchor or "").strip()
        if not wanted or not self.text.endswith(wanted):
            return -1
        return bisect_left(self.offsets, len(self.text) - len(wanted))

    def is_everything(self, index: int) -> bool:
        """Return whether from ``index`` on there is all that was delivered."""
        return not self.start and not self.folded[:index].strip()

    def may_follow(self, index: int, indent: str) -> bool:
        """Return whether what stands from ``index`` on may well be what the text goes on with.

        ``indent`` is the whitespace that the new text begins with.
        """
        return self.follows_the_same(index) or self.may_come_twice(index, indent)

    def ends_as_it_begins(self, index: int) -> bool:
        """Return whether an end of the text equals what stands at ``index``.

        Then the new text may repeat that end only and go on through a repetition.
        """
        size = len(self.folded) - index
        distances = range(1, size - UNASKED_MIN + 1)
        return any(self.agreed[distance] >= size - distance for distance in distances)

    def follows_the_same(self, index: int) -> bool:
        """Return whether the text before ``index`` ends as the whole text does.

        Then the text may be on its way through a repetition, and go on as it did there. In
        a line or clause that has only begun, all of it counts, however little that is.
        """
        first = self._first(index)
        end = len(self.folded[:index].rstrip())
        same = self.agreed[len(self.folded) - end] if end > 0 else 0
        begun = len(_CLAUSE_END.split(self.text)[-1].strip())
        begins = same >= begun > 0 and not self.folded[: end - begun][-1:].isalnum()
        return same >= SAME_MIN or (begins and len(self.text) - first < TWICE_MAX)

    def may_come_twice(self, index: int, indent: str) -> bool:
        """Return whether from ``index`` on there is a line or sentence that may come twice.

        It is when both the text and what is before ``index`` end one, and so can the new
        text begin one. Or the new text ends the last line with the punctuation that the
        line before ended with: ")", a newline, and the line.
        """
        first = self._first(index)
        again = self.text[first:]
        before = self.text[:first].rstrip(" \t")
        gap = indent + self.trailing if before.strip() else indent
        if len(again) >= TWICE_MAX:
            return False
        if "\n" in gap and (not before or before.endswith("\n")):
            return True
        if (gap or again[-1] >= _WIDE) and _ENDING.search(again) and _ENDING.search(before):
            return True
        rest, newline, _ = again.rpartition("\n")
        return bool(newline) and not any(map(str.isalnum, rest))

    def breaks_off(self, index: int) -> bool:
        """Return whether the text from ``index`` on is long, and ends inside a line or clause."""
        inside = "\n" not in self.trailing and not _ENDING.search(self.text)
        return inside and len(self.folded) - index > ALIKE_MAX

    def _first(self, index: int) -> int:
        """Return the raw offset of the first character from ``index`` on that is no space."""
        return self.offsets[index + (self.folded[index] == " ")]


# --- The anchor --------------------------------------------------------------------------


def choose_anchor(delivered: str) -> str | None:
    """Return the end of ``delivered`` that the next attempt is asked to begin with.

    It is about 40 characters, from the start of a word, and longer where the text repeats
    itself. None when the text is too short or too repetitive for any end of it to be telling.
    """
    tail = _Tail.of(delivered)
    size = len(tail.folded)
    if size < ANCHOR_MIN or tail.telling < max(0, size - ANCHOR_MAX):
        return None
    latest = min(tail.offsets[tail.telling], max(0, len(tail.text) - ANCHOR_LENGTH))
    start = _word_start(tail.text, latest)
    begin = len(tail.text) - len(tail.text.lstrip())
    while start > begin and tail.may_follow(bisect_left(tail.offsets, start), "\n"):
        start = max(begin, _word_start(tail.text, start - 1))
    anchor = delivered[tail.start + max(begin, start) :]
    return anchor if len(anchor) <= REACH else None


def _word_start(text: str, at: int) -> int:
    """Return the offset, ``at`` or a little before, where a word or else a character begins."""
    characters = (place for place in range(at, -1, -1) if _begins_character(text, place))
    near = range(at, max(-1, at - _WORD_REACH - 1), -1)
    words = (place for place in near if place == 0 or text[place - 1].isspace())
    return next(filter(lambda place: _begins_character(text, place), words), next(characters, 0))


def _begins_character(text: str, at: int) -> bool:
    """Return whether what a reader sees as one character begins at ``at``, and is no space.

    The rules are those of grapheme clusters (Unicode Standard Annex 29) that matter here.
    """
    char = text[at]
    if char.isspace() or _extends(char):
        return False
    if at == 0:
        return True
    if _is_flag_half(char):
        flags = takewhile(_is_flag_half, reversed(text[:at]))
        return sum(1 for _ in flags) % 2 == 0
    return text[at - 1] != "\u200d"


def _extends(char: str) -> bool:
    """Return whether ``char`` belongs to the character before it."""
    return (
        unicodedata.category(char).startswith("M")  # combining marks, variation selectors
        or char == "\u200d"  # zero-width joiner
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags, in flags of regions
        or "\udc00" <= char <= "\udfff"  # the second half of a surrogate pair
        or "\u1160" <= char <= "\u11ff"  # Hangul vowels and finals
    )


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


# --- What may stand before an echo -------------------------------------------------------

_PHRASES = (
    *("Sure", "Certainly", "Of course", "Absolutely", "OK", "Okay", "Alright", "All right"),
    *("Got it", "Understood", "No problem", "Apologies", "My apologies", "Sorry", "I apologize"),
    *("Here is the cont", "Here is the re", "Here's the cont", "Here's the re", "Here is where"),
    *("Here's where", "Continuing", "Continued", "Continuation", "(continu", "(Continu"),
    *("To continue", "I'll continue", "I will continue", "Let me continue", "Let's continue"),
    *("I'll pick up", "Picking up", "Resuming", "As requested", "From where"),
    *("好的", "当然", "没问题", "明白", "收到", "抱歉", "对不起", "接着", "接上", "接续", "继续"),
    *("续写", "续上", "以下是", "下面", "从上", "从中断", "我将继续", "我会继续", "我继续"),
    *("让我继续", "當然", "沒問題", "接續", "繼續", "以下為", "(续", "(接", "\uff08续", "\uff08接"),
)

_PREAMBLE_BEGUN = rf"[*_]*(?:{'|'.join(map(re.escape, _PHRASES))})[^\n]{{0,{PREAMBLE_MAX}}}"
_PREAMBLE = rf"(?:{_PREAMBLE_BEGUN}?(?:[:\uff1a\u2026\n]|\.\.\.)[*_]*)?\s*"
_FENCE = r"(?:(?:`{3,4}|~{3,4})[\w+#.-]{0,20}[ \t]*\n\s*)?"
_FENCE_BEGUN = r"(?:`{1,4}|~{1,4})[\w+#.-]{0,20}[ \t]*"
_ELLIPSIS = r"(?:(?:\.\.\.|\u2026)\s*)?"
_MARK = r"[\"'`\u00ab\u2039\u300c\u300e\u27e6]|``|<{2,4}|\[{2,3}"
_MARKS = rf"{_ELLIPSIS}(?:(?P<mark>{_MARK})(?P<gap>\s*))?{_ELLIPSIS}"
_MARK_BEGUN = r"(?:\.{1,2}|<|\[)?"

_PAIRED = str.maketrans("\u00ab\u2039\u300c\u300e\u27e6<[", "\u00bb\u203a\u300d\u300f\u27e7>]")
_FENCE_LINE = re.compile(r"^[ \t]*(`{3,}|~{3,})(.*)$", re.MULTILINE)


@attrs.frozen
class _Lead:
    """The grammar of what may stand before an echo: a preamble, a fence, marks, whitespace.

    A fence belongs to it only where the delivered text ends inside one, so that the
    attempt opened it again. Both methods take the text with variants of quotes made plain.
    """

    whole: re.Pattern[str]
    begun: re.Pattern[str]

    @classmethod
    def of(cls, *, fenced: bool) -> "_Lead":
        """Return the grammar for a text that ends inside a fence, or outside of any."""
        whole = _PREAMBLE + (_FENCE if fenced else "") + _MARKS
        begun = [whole + _MARK_BEGUN, _PREAMBLE_BEGUN]
        if fenced:
            begun.append(_PREAMBLE + _FENCE_BEGUN)
        return cls(re.compile(whole), re.compile("|".join(begun)))

    def possible(self, text: str) -> bool:
        """Return whether ``text`` is such a lead, or the beginning of one."""
        phrase_begun = text.lstrip("*_")
        begins = any(phrase.startswith(phrase_begun) for phrase in _PHRASES)
        return begins or self.begun.fullmatch(text) is not None


_LEADS = {fenced: _Lead.of(fenced=fenced) for fenced in (False, True)}


def _inside_fence(text: str) -> bool:
    """Return whether ``text`` ends inside a fenced code block of Markdown."""
    fence = ""
    for line in _FENCE_LINE.finditer(text):
        if not fence:
            fence = line[1]
        elif line[1].startswith(fence) and not line[2].strip():
            fence = ""
    return bool(fence)


# --- Readings of an attempt --------------------------------------------------------------


@attrs.define
class _Echo:
    """The reading that from ``start`` on the attempt repeats an end of the tail.

    ``candidates`` are the indexes of the tail at which that end may begin; ``mark`` is what
    stood before it, so that its partner must follow, and ``gap`` whether it stood apart.
    """

    start: int
    candidates: list[int]
    mark: str = ""
    gap: bool = False
    length: int = 0

    def step(self, char: str, folded: str) -> int | None:
        """Take the next folded character; return the candidate that it completed, if any."""
        self.candidates = [
            index for index in self.candidates if folded[index + self.length] == char
        ]
        self.length += 1
        if self.candidates and self.candidates[-1] + self.length == len(folded):
            return self.candidates.pop()
        return None


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
    def of(cls, text: str, tail: _Tail) -> "_Restart":
        """Return the reading for the delivered ``text``; dead where a restart would prove nothing.

        So it is where the text is short, one repetition, or goes on as it began.
        """
        text = text.lstrip()
        sizes = range(RESTART_MIN, RESTART_MAX + 1, RESTART_MIN)
        enough = next((size for size in sizes if text.find(text[:size], 1) < 0), 0)
        telling = enough > 0 and len(text) >= UNASKED_MIN and (tail.start > 0 or tail.telling >= 0)
        restart = cls(_fold(text), enough, len(text) >= TWICE_MAX, alive=telling)
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
    ``unless`` is what a line that came twice would begin the rest with.
    """

    end: int
    kind: Joint
    closing: str = ""
    gap: bool = False
    rest: str = ""
    unless: str = ""

    @property
    def void(self) -> bool:
        """Whether it is none: the repeated line ends as the one before it, so it is the next."""
        return bool(self.unless) and self.rest.startswith(self.unless)

    @property
    def open(self) -> bool:
        """Whether the next character can still make it void."""
        return bool(self.unless) and not self.rest

    def cut(self, trailing: str) -> tuple[Cut, bool]:
        """Return the cut as things stand, and whether it stays whatever comes.

        ``trailing`` is the whitespace that the delivered text ends with.
        """
        space = len(self.rest) - len(self.rest.lstrip())
        mark = self.rest[space : space + len(self.closing)].translate(_ALIKE_TABLE)
        fits = self.gap or trailing.startswith(self.rest[:space])
        matched = _common(self.rest, trailing)
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
    The attempt's text goes into ``feed`` piece by piece until that answers; when the attempt
    ends by itself before, ``close`` answers. The answer does not depend on the pieces.
    """

    def __init__(self, delivered: str, anchor: str | None) -> None:
        text = delivered.rstrip()
        self._tail = _Tail.of(delivered)
        self._anchor_at = self._tail.index_of(anchor)
        self._restart = _Restart.of(text, self._tail)
        self._echoes = [_Echo(0, [*self._echo_indexes(), *self._overlap_indexes()])]
        self._lead = _LEADS[_inside_fence(text)]
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
        if self._landing is not None and not self._landing.open:
            return self._landing.cut(self._tail.trailing)[0]
        return Diverged() if self._restart.certain else Cut(0, Joint.PLAIN)

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
        folded = " " if char.isspace() else _ALIKE.get(char, char)
        inside = folded == " " == self._last
        self._last = folded
        return "" if inside else folded

    def _plain_head(self) -> str:
        return self._head.translate(_ALIKE_TABLE)

    def _begin_echo(self, char: str) -> None:
        """Start the reading that an echo begins with ``char``, if what is before it allows."""
        lead = self._lead.whole.fullmatch(self._plain_head()) if self._leading else None
        if lead is None or not self._head or char.isspace():
            return
        latest = len(self._tail.folded) - UNASKED_MIN
        indexes = [index for index in self._echo_indexes() if index <= latest]
        mark, gap = lead["mark"] or "", bool(lead["gap"])
        self._echoes.append(_Echo(len(self._head), indexes, mark, gap))

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
        landing = _Landing(self._seen, kind, echo.mark.translate(_PAIRED), echo.gap)
        if index == self._anchor_at and not echo.start:
            return landing
        if self._is_chance(echo, index):
            return None
        return landing if self._head[: echo.start].strip() else self._unless_new(landing, index)

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
            return landing
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
        if self._landing is not None and self._landing.void:
            self._landing, self._echoes, self._leading = None, [], False
        if self._landing is not None and self._landing.open:
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
