"""Where a resumed attempt joins a JSON answer, so that the result is one valid document.

``Document`` is the joiner for requests that ask for JSON. It holds all text of an attempt. When the
attempt is over it tries a few cuts in this order: the seam's, no cut, the repeated whole text, and
overlaps. The JSON grammar decides between them: ``TextReader`` knows the state after the delivered
text, and most wrong cuts fail within a few tokens. Among similar values several overlaps can fit,
or an overlap and new text, and each makes a different document: then the attempt is refused. The
document that the chosen cut makes is parsed once and checked against the schema once.

An attempt that is cut itself can still extend the document. Then the same cuts are tried without
requiring a whole document, but only if the seam has decided from the text alone.

The work is done in slices, so a large document does not block other streams; ``advance`` does
about two milliseconds of it.
"""

import re
from collections.abc import Iterator

import attrs

from gemproxy.core.seam.jsontext import NotJSON, TextReader, Work, agree, finished, parse, release
from gemproxy.core.seam.readings import RESTART_MIN
from gemproxy.core.seam.schema import Schema, agrees, as_json_schema
from gemproxy.core.seam.seam import Cut, Diverged, Joint
from gemproxy.core.seam.splice import Decision, Joiner
from gemproxy.core.seam.tail import UNASKED_MIN

LARGEST = 1 << 20
"""Characters of the longest text that is parsed; a longer one is joined by the seam alone."""

SEAM_REACH = 2000
"""Characters of either text that the seam gets, unless it swallows a restart."""

_OPENING_FENCE = re.compile(r"\s*`{3}(?:json)?[ \t]*\r?\n", re.IGNORECASE)
_CLOSING_FENCE = re.compile(r"\s*`{3}\s*\Z")
_OVERLAP_MAX = 600
_OVERLAPS_MAX = 8
_SLICE = 1000  # steps
_SEAM_BIT = 32  # characters that the seam reads in one slice
_SEAM_STEPS = 4  # steps that the seam needs for a character


def is_document(text: str, schema: Schema | None) -> bool:
    """Return whether ``text`` is valid JSON that agrees with ``schema``, if one is given."""
    return finished(_is_document(text, schema))


def _is_document(text: str, schema: Schema | None) -> Work[bool]:
    try:
        value = yield from parse(text)
    except NotJSON:
        return False
    return schema is None or (yield from agrees(value, as_json_schema(schema)))


@attrs.define
class Document:
    """Hold a whole JSON answer and join it only if the result is one valid document.

    ``delivered`` is the text to continue; ``seam`` finds the requested echo in the attempt. After
    a decision, ``anew`` means that the attempt was a whole document of its own.
    """

    delivered: str
    seam: Joiner
    schema: Schema | None = None
    anew: bool = False
    _pieces: list[str] = attrs.field(factory=list)
    _size: int = 0
    _work: Work[Decision] | None = None

    def feed(self, text: str) -> Decision | None:
        """Hold the text; decide only if it becomes too large to parse."""
        self._pieces.append(text)
        self._size += len(text)
        return self._unread() if self._size > 2 * LARGEST else None

    def close(self) -> Decision:
        """Decide at once with the text so far, as for an attempt that ended by itself."""
        return finished(self._decided(whole=True))

    def end(self, *, whole: bool) -> None:
        """Begin to decide; ``whole``: the attempt ended by itself and was not cut."""
        self._work = self._decided(whole=whole)

    def advance(self) -> Decision | None:
        """Do a slice of the work; return the decision when it is done.

        For a cut attempt, Diverged means that none of its text can be kept.
        """
        assert self._work is not None  # noqa: S101 - end() comes first
        steps = 0
        while steps < _SLICE:
            try:
                steps += next(self._work)
            except StopIteration as stop:
                decision: Decision = stop.value
                return decision
        return None

    def _unread(self) -> Decision:
        """Decide by the seam alone about an attempt that is too large to parse."""
        text = "".join(self._pieces)
        if _begins_again(text, self.delivered):
            return Cut(len(self.delivered), Joint.RESTART)
        return self.seam.feed(text[:SEAM_REACH]) or self.seam.close()

    def _decided(self, *, whole: bool) -> Work[Decision]:
        text = "".join(self._pieces)
        said = yield from self._ask_the_seam(text, whole=whole)
        reader = TextReader()
        try:
            yield from reader.read(self.delivered[self._opened() :])
        except NotJSON:
            return Diverged()
        judged = self._joined if whole else self._held
        decision = yield from judged(reader, said, text)
        yield from release(reader.value)
        return decision

    def _opened(self) -> int:
        """Return the length of the fence at the beginning of the delivered text, else 0."""
        fence = _OPENING_FENCE.match(self.delivered)
        return fence.end() if fence else 0

    def _fits(self, reader: TextReader, text: str, *, whole: bool) -> Work[bool]:
        """Return whether ``text`` can follow the text that ``reader`` has read.

        With ``whole``, it must also complete the document, and may close the delivered fence.
        """
        text = _CLOSING_FENCE.sub("", text) if whole and self._opened() else text
        try:
            yield from reader.read(text)
        except NotJSON:
            return False
        return reader.finish() or not whole

    def _ask_the_seam(self, text: str, *, whole: bool) -> Work[Decision | None]:
        """Return the seam's decision; None if a cut attempt ended before one."""
        if _begins_again(text, self.delivered):
            return Cut(len(self.delivered), Joint.RESTART)
        for piece in self._pieces:
            for at in range(0, len(piece), _SEAM_BIT):
                decision = self.seam.feed(piece[at : at + _SEAM_BIT])
                if decision is not None:
                    return decision
                yield _SEAM_BIT * _SEAM_STEPS
        return self.seam.close() if whole else None

    def _joined(self, reader: TextReader, said: Decision | None, text: str) -> Work[Decision]:
        """Return the first cut that makes a whole document, if that agrees with the schema."""
        cut = yield from self._fitting(reader, said, text, whole=True)
        if cut is not None:
            return (yield from self._checked(reader, cut, text))
        again = yield from agree(self.delivered, text)
        if again is not None and again >= 0:
            return (yield from self._checked(reader, Cut(again, Joint.RESTART), text))
        if reader.closed:  # text after a whole document is not part of it
            return (yield from self._checked(reader, Cut(len(text), Joint.OVERLAP), text))
        self.anew = text.lstrip()[:1] in ("{", "[") and (yield from _is_document(text, None))
        return Diverged()

    def _checked(self, reader: TextReader, cut: Cut, text: str) -> Work[Decision]:
        """Return ``cut`` if its document is valid and agrees with the schema, else Diverged."""
        if not (yield from self._fits(reader, text[cut.drop :], whole=True)):
            return Diverged()
        schema = self.schema
        right = schema is None or (yield from agrees(reader.value, as_json_schema(schema)))
        return cut if right else Diverged()

    def _held(self, reader: TextReader, said: Decision | None, text: str) -> Work[Decision]:
        """Return where a cut attempt continues the delivered text, Diverged if nowhere."""
        if said is None:
            return Diverged()
        if isinstance(said, Cut) and said.kind is Joint.PLAIN:
            again = yield from agree(self.delivered, text)
            if again is not None:  # it repeats the document, or only its beginning
                news = 0 <= again < len(text) and len(self.delivered) >= RESTART_MIN
                return Cut(again, Joint.RESTART) if news else Diverged()
        cut = yield from self._fitting(reader, said, text, whole=False)
        return cut if cut is not None and cut.drop < len(text) else Diverged()

    def _fitting(
        self, reader: TextReader, said: Decision | None, text: str, *, whole: bool
    ) -> Work[Cut | None]:
        """Return the cut at which ``text`` fits; None if several fit and none is likelier."""
        likely = [said] if isinstance(said, Cut) else []
        likely.append(Cut(0, Joint.PLAIN))
        if text.startswith(self.delivered):
            likely.append(Cut(len(self.delivered), Joint.RESTART))
        for cut in likely:
            if (yield from self._fits(reader.fork(), text[cut.drop :], whole=whole)):
                longer = self._doubtful(text) if cut.kind is Joint.PLAIN else None
                doubt = longer is not None and (
                    yield from self._fits(reader.fork(), text[longer.drop :], whole=whole)
                )
                return None if doubt else cut
        overlaps = list(_overlaps(self.delivered, text))
        if len(overlaps) > _OVERLAPS_MAX:
            return None
        fitting: list[Cut] = []
        for cut in overlaps:
            fits = yield from self._fits(reader.fork(), text[cut.drop :], whole=whole)
            fitting += [cut] if fits else []
        return fitting[0] if fitting and self._longest_wins(fitting) else None

    def _doubtful(self, text: str) -> Cut | None:
        """Return the overlap that makes new text doubtful; None if it is likely by chance."""
        overlap = next(_overlaps(self.delivered, text), Cut(0, Joint.PLAIN))
        long = overlap.drop >= UNASKED_MIN and not self._ends_twice(overlap.drop)
        return overlap if long else None

    def _longest_wins(self, fitting: list[Cut]) -> bool:
        """Return whether the longest of the overlaps is the likely one.

        If a shorter one were right, the new text would repeat the end of the delivered text. That
        is likely only if the delivered text already ends with two copies of it.
        """
        return not any(self._ends_twice(fitting[0].drop - other.drop) for other in fitting[1:])

    def _ends_twice(self, length: int) -> bool:
        """Return whether the last ``length`` delivered characters occur twice in a row."""
        return self.delivered[-length:] == self.delivered[-2 * length : -length]


def _begins_again(text: str, delivered: str) -> bool:
    return len(delivered) >= RESTART_MIN and text.startswith(delivered)


def _overlaps(delivered: str, text: str) -> Iterator[Cut]:
    """Yield the cuts after a beginning of ``text`` that is an end of ``delivered``."""
    for length in range(min(len(delivered), _OVERLAP_MAX), 0, -1):
        if text.startswith(delivered[-length:]):
            yield Cut(length, Joint.OVERLAP)
