"""A JSON answer: where a resumed attempt joins it, so that one valid document comes out.

``Document`` is the joiner for requests that ask for JSON. It holds all text of an attempt. When
the attempt is over it looks at a few places to join at, in this order: the seam's, none, the
whole text told again, and overlaps. What no seam may trust to chance, the grammar decides:
``Reader`` knows where the delivered text stands, and most wrong cuts fail within a few tokens.
Among like values several overlaps can fit, or an overlap and new text, and each makes another
document: then none is taken.
The place that makes a whole document is parsed, once, and checked against the schema, once.

An attempt that is itself cut can still bring the document forward. Then the same places are
looked at, but only if the seam has decided from the text alone, and nothing has to be whole.

All of this is work in bits, so that a large document holds up no other stream; ``advance`` does
about two milliseconds of it.
"""

import re
from collections.abc import Iterator

import attrs

from gemproxy.core.seam.jsontext import NotJSON, Reader, Work, agree, finished, parse, release
from gemproxy.core.seam.readings import RESTART_MIN
from gemproxy.core.seam.schema import Schema, agrees, as_json_schema
from gemproxy.core.seam.seam import Cut, Diverged, Joint
from gemproxy.core.seam.splice import Decision, Joiner
from gemproxy.core.seam.tail import UNASKED_MIN

LARGEST = 1 << 20
"""Characters. A longer text is joined where the seam says, without being read."""

SEAM_REACH = 2000
"""Characters that a seam has to see of either text, unless it swallows a restart."""

_OPENING_FENCE = re.compile(r"\s*`{3}(?:json)?[ \t]*\r?\n", re.IGNORECASE)
_CLOSING_FENCE = re.compile(r"\s*`{3}\s*\Z")
_OVERLAP_MAX = 600
_OVERLAPS_MAX = 8
_SLICE = 1000  # steps
_SEAM_BIT = 32  # characters that the seam takes in one bit
_SEAM_STEPS = 4  # steps that a character takes there


def is_document(text: str, schema: Schema | None) -> bool:
    """Tell whether ``text`` is valid JSON that agrees with ``schema``, where one is given."""
    return finished(_is_document(text, schema))


def _is_document(text: str, schema: Schema | None) -> Work[bool]:
    try:
        value = yield from parse(text)
    except NotJSON:
        return False
    return schema is None or (yield from agrees(value, as_json_schema(schema)))


@attrs.define
class Document:
    """Hold a whole JSON answer and join it so that it is one valid document, or not at all.

    ``delivered`` is the text to go on from, ``seam`` what finds the asked echo in the attempt.
    ``anew`` says, after a decision, that the attempt told a whole document, but another one.
    """

    delivered: str
    seam: Joiner
    schema: Schema | None = None
    anew: bool = False
    _pieces: list[str] = attrs.field(factory=list)
    _size: int = 0
    _work: Work[Decision] | None = None

    def feed(self, text: str) -> Decision | None:
        """Hold everything that can still be judged."""
        self._pieces.append(text)
        self._size += len(text)
        return self._unread() if self._size > 2 * LARGEST else None

    def close(self) -> Decision:
        """Decide at once with what there is, as for an attempt that ended by itself."""
        return finished(self._decided(whole=True))

    def end(self, *, whole: bool) -> None:
        """Begin to decide; ``whole`` if the attempt ended by itself, else it was cut."""
        self._work = self._decided(whole=whole)

    def advance(self) -> Decision | None:
        """Do a slice of the work; return the decision when it is done.

        For an attempt that was cut, Diverged means that nothing of it can be kept.
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
        """Decide about an attempt that has become too large to read, by the seam alone."""
        text = "".join(self._pieces)
        if _begins_again(text, self.delivered):
            return Cut(len(self.delivered), Joint.RESTART)
        return self.seam.feed(text[:SEAM_REACH]) or self.seam.close()

    def _decided(self, *, whole: bool) -> Work[Decision]:
        text = "".join(self._pieces)
        said = yield from self._ask_the_seam(text, whole=whole)
        reader = Reader()
        try:
            yield from reader.read(self.delivered[self._opened() :])
        except NotJSON:
            return Diverged()
        judged = self._joined if whole else self._held
        decision = yield from judged(reader, said, text)
        yield from release(reader.value)
        return decision

    def _opened(self) -> int:
        """Return the length of the fence that the delivered text begins with, if it does."""
        fence = _OPENING_FENCE.match(self.delivered)
        return fence.end() if fence else 0

    def _fits(self, reader: Reader, text: str, *, whole: bool) -> Work[bool]:
        """Tell whether ``text`` can follow what was read; with ``whole``, and make it whole.

        A fence that the delivered text opened may be closed.
        """
        text = _CLOSING_FENCE.sub("", text) if whole and self._opened() else text
        try:
            yield from reader.read(text)
        except NotJSON:
            return False
        return reader.finish() or not whole

    def _ask_the_seam(self, text: str, *, whole: bool) -> Work[Decision | None]:
        """Return the seam's decision; None if the attempt was cut before there was one."""
        if _begins_again(text, self.delivered):
            return Cut(len(self.delivered), Joint.RESTART)
        for piece in self._pieces:
            for at in range(0, len(piece), _SEAM_BIT):
                decision = self.seam.feed(piece[at : at + _SEAM_BIT])
                if decision is not None:
                    return decision
                yield _SEAM_BIT * _SEAM_STEPS
        return self.seam.close() if whole else None

    def _joined(self, reader: Reader, said: Decision | None, text: str) -> Work[Decision]:
        """Return the first cut that makes a whole document, if it is the one asked for."""
        cut = yield from self._fitting(reader, said, text, whole=True)
        if cut is not None:
            return (yield from self._checked(reader, cut, text))
        again = yield from agree(self.delivered, text)
        if again is not None and again >= 0:
            return (yield from self._checked(reader, Cut(again, Joint.RESTART), text))
        if reader.closed:  # what comes behind a whole document is no part of it
            return (yield from self._checked(reader, Cut(len(text), Joint.OVERLAP), text))
        self.anew = text.lstrip()[:1] in ("{", "[") and (yield from _is_document(text, None))
        return Diverged()

    def _checked(self, reader: Reader, cut: Cut, text: str) -> Work[Decision]:
        """Return ``cut`` if what it makes parses and agrees with the schema."""
        if not (yield from self._fits(reader, text[cut.drop :], whole=True)):
            return Diverged()
        schema = self.schema
        right = schema is None or (yield from agrees(reader.value, as_json_schema(schema)))
        return cut if right else Diverged()

    def _held(self, reader: Reader, said: Decision | None, text: str) -> Work[Decision]:
        """Return where an attempt that was cut goes on from the delivered text."""
        if said is None:
            return Diverged()
        if isinstance(said, Cut) and said.kind is Joint.PLAIN:
            again = yield from agree(self.delivered, text)
            if again is not None:  # it tells the document again, or only begins as it began
                news = 0 <= again < len(text) and len(self.delivered) >= RESTART_MIN
                return Cut(again, Joint.RESTART) if news else Diverged()
        cut = yield from self._fitting(reader, said, text, whole=False)
        return cut if cut is not None and cut.drop < len(text) else Diverged()

    def _fitting(
        self, reader: Reader, said: Decision | None, text: str, *, whole: bool
    ) -> Work[Cut | None]:
        """Return where ``text`` fits, if only one place does or one is likelier than all others."""
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
        return fitting[0] if fitting and self._is_telling(fitting) else None

    def _doubtful(self, text: str) -> Cut | None:
        """Return the overlap that speaks against new text, None where it is likely by chance."""
        overlap = next(_overlaps(self.delivered, text), Cut(0, Joint.PLAIN))
        long = overlap.drop >= UNASKED_MIN and not self._ends_twice(overlap.drop)
        return overlap if long else None

    def _is_telling(self, fitting: list[Cut]) -> bool:
        """Tell whether the longest of the overlaps goes before the others.

        If a shorter one were right, the attempt would say the end of the delivered text once
        more. That is likely only where the delivered text ends with two of them already.
        """
        return not any(self._ends_twice(fitting[0].drop - other.drop) for other in fitting[1:])

    def _ends_twice(self, length: int) -> bool:
        """Tell whether the delivered text ends with so many characters two times over."""
        return self.delivered[-length:] == self.delivered[-2 * length : -length]


def _begins_again(text: str, delivered: str) -> bool:
    return len(delivered) >= RESTART_MIN and text.startswith(delivered)


def _overlaps(delivered: str, text: str) -> Iterator[Cut]:
    """Yield the cuts where ``text`` begins as ``delivered`` ends."""
    for length in range(min(len(delivered), _OVERLAP_MAX), 0, -1):
        if text.startswith(delivered[-length:]):
            yield Cut(length, Joint.OVERLAP)
