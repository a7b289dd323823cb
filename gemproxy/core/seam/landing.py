"""What may still follow a completed repetition before the answer goes on.

Whitespace behind it is dropped only as far as the client has exactly the same. Signs are
dropped where they close what was opened before the repetition, or where they are copies of
what our notice showed:

* the partner of a quotation mark or of emphasis, with the dots of an ellipsis before it; the
  closing line of a fence that stood around the echo alone;
* our own closing mark: in any number of signs up to four marks where it was opened, else two to
  four signs directly behind the last character, and only where the notice showed them. A full
  stop before it was the model's where the text stops inside a clause;
* our own closing tag.
"""

import re

import attrs

from gemproxy.core.seam.folding import ALIKE_TABLE, common_length
from gemproxy.core.seam.lead import OPENING, PAIRED, Before
from gemproxy.core.seam.marks import QUOTE_CLOSE
from gemproxy.core.seam.spelling import MARKDOWN

_TAG = QUOTE_CLOSE.strip()
_ELLIPSIS = r"(?:\.\.\.|\u2026)?"
_ELLIPSIS_BEGUN = r"(?:\.{0,3}|\u2026)"
_STOP = r"(?:\.{1,3}|\u2026)?"
_ARROW = "-=<>~"
_LINES = {0: 0, 1: 1, 2: 2, 3: 1}


@attrs.frozen
class Place:
    """What is known of the end of the delivered text.

    ``own`` is the sign that our closing mark is made of, empty where the notice showed none;
    ``tag`` says that the text has nothing of our tag, ``inside`` that it ends inside a line or
    clause, ``wide`` that its last character takes no space behind it, ``dense`` that it ends
    among lines that no empty ones set apart.
    """

    own: str = ""
    tag: bool = True
    inside: bool = False
    wide: bool = False
    dense: bool = False


@attrs.frozen
class Closer:
    """Signs that may follow a repetition: whole, or begun; ``ours`` are copies of our own."""

    whole: re.Pattern[str]
    begun: re.Pattern[str]
    ours: bool = False

    def match(self, rest: str) -> re.Match[str] | None:
        """Return the signs that ``rest`` begins with, behind some ``space``."""
        return self.whole.match(rest)

    def may_come(self, rest: str) -> bool:
        """Return whether ``rest`` is the beginning of them."""
        return self.begun.fullmatch(rest) is not None


def _begun(signs: str) -> str:
    """Return the pattern of the beginnings of ``signs``."""
    pattern = ""
    for sign in reversed(signs):
        pattern = f"(?:{re.escape(sign)}{pattern})?"
    return pattern


TAG = Closer(
    re.compile(rf"(?P<space>\n*){_TAG}\n{{0,2}}"),
    re.compile(rf"\n*{_begun(_TAG)}|\n*{_TAG}\n?"),
    ours=True,
)


def _partner(mark: str) -> Closer:
    signs = mark.translate(PAIRED)
    whole = rf"(?P<space>\s*){_ELLIPSIS}{re.escape(signs)}"
    return Closer(re.compile(whole), re.compile(rf"\s*{_ELLIPSIS_BEGUN}{_begun(signs)}"))


def _own(sign: str, place: Place, *, opened: bool) -> Closer:
    one = re.escape(sign)
    space = r"\s*" if opened else ""
    dots = _STOP if place.inside else ""
    run = f"{one}{{1,12}}" if opened else f"{one}{{2,4}}"
    return Closer(
        re.compile(rf"(?P<space>{space}){dots}{run}(?!{one})"),
        re.compile(rf"{space}{_ELLIPSIS_BEGUN if dots else ''}{one}{{0,12}}"),
        ours=True,
    )


def closers_for(before: Before, place: Place, last: str) -> tuple[Closer, ...]:
    """Return what may close a repetition; ``last`` is the last character of the delivered text."""
    if before.fence:
        return ()
    signs = before.mark.translate(PAIRED)
    closers = [TAG] if place.tag else []
    if signs and signs[0] == place.own:
        closers.insert(0, _own(signs[0], place, opened=True))
    elif signs:
        closers.insert(0, _partner(before.mark))
    elif place.own and last not in _ARROW:
        closers.insert(0, _own(place.own, place, opened=False))
    return tuple(closers)


@attrs.define
class Landing:
    """A completed repetition, and what came behind it.

    ``end`` counts the attempt's characters up to its last one, ``rest`` is what came after.
    ``trailing`` is what of the delivered text follows the repeated end. ``before`` is what
    stood before the repetition, ``opening`` its mark as it came, ``block`` says that it was a
    block quotation. Where it ``must_close``, it is none without the closing signs. If the
    rest goes on with ``unless``, it was the next of several repetitions, and new text.
    """

    end: int
    trailing: str
    place: Place
    before: Before = attrs.field(factory=Before)
    closers: tuple[Closer, ...] = ()
    opening: str = ""
    asked: bool = True
    block: bool = False
    must_close: bool = False
    rest: str = ""
    unless: str = ""

    def is_void(self) -> bool:
        """Return whether it is none, but new text."""
        if self.must_close and self._close() is None and not self._may_close():
            return True
        return bool(self.unless) and self._beyond().startswith(self.unless)

    def is_open(self) -> bool:
        """Return whether the next characters can still make it void."""
        if self.must_close and self._close() is None:
            return True
        return bool(self.unless) and self.unless.startswith(self._beyond())

    def stands(self) -> bool:
        """Return whether it is a repetition if nothing follows any more."""
        closed = not self.must_close or self._close() is not None
        return closed and len(self.unless) != 1

    def cut(self) -> tuple[int, bool]:
        """Return how many characters to drop as things stand, and whether that is settled."""
        if self.block:
            size, settled = self._behind_lines(0)
            return self.end + size, settled
        closed = self._close()
        if closed is None:
            size, settled = _same(self.rest, self.trailing)
            return self.end + size, settled and not self._may_close()
        size, settled = closed
        return self.end + size, settled

    def _beyond(self) -> str:
        return self.rest[_same(self.rest, self.trailing)[0] :]

    def _plain(self) -> str:
        """Return the rest with variants of quotes made plain, but for what only opens."""
        plain = self.rest.translate(ALIKE_TABLE)
        at = len(self.rest) - len(self.rest.lstrip())
        if self.opening in OPENING and self.rest[at : at + 1] == self.opening:
            return self.rest
        return plain

    def _fits(self, space: str) -> bool:
        return self.before.gap or self.trailing.startswith(space)

    def _may_close(self) -> bool:
        plain = self._plain()
        if self.before.fence:
            return _fence_begun(self.before.fence).fullmatch(plain) is not None
        space = plain[: len(plain) - len(plain.lstrip())]
        return any(
            closer.may_come(plain) and (closer is TAG or self._fits(space))
            for closer in self.closers
        )

    def _close(self) -> tuple[int, bool] | None:
        """Return the size of the closing signs and the whitespace behind; None without any."""
        plain = self._plain()
        if self.before.fence:
            found = _fence_whole(self.before.fence).match(plain)
            return None if found is None else self._behind_lines(found.end())
        for closer in self.closers:
            found = closer.match(plain)
            if found is not None and (closer is TAG or self._fits(found["space"])):
                size, settled = self._behind_signs(found, closer)
                return size, settled and not closer.may_come(plain)
        return None

    def _behind_signs(self, found: re.Match[str], closer: Closer) -> tuple[int, bool]:
        rest = self.rest[found.end() :]
        trailing = self.trailing[common_length(found["space"], self.trailing) :]
        size, settled = _same(rest, trailing)
        if closer is TAG or not closer.ours or size or not rest.startswith("\n"):
            return found.end() + size, settled
        # The line end belongs to the mark: it stood in a line of its own, or in mid-line.
        alone = "\n" in found["space"] and self.place.dense and rest[1:2] != "\n"
        broken = bool(trailing) and not trailing.strip(" ") and rest[1:2].islower()
        known = len(rest) > 1 or not (alone or trailing)
        return found.end() + (1 if known and (alone or broken) else 0), known

    def _behind_lines(self, at: int) -> tuple[int, bool]:
        """Return the cut behind a block, which ends ``at``, and its empty lines."""
        rest = self.rest[at:]
        lines = len(rest) - len(rest.lstrip("\n"))
        known = lines < len(rest) or lines > max(_LINES)
        size = _LINES.get(lines, 2)
        near = self.place.inside or self.place.wide or rest[lines : lines + 1].isspace()
        if self.block and lines in {1, 2} and not near:
            size = 0
        trailing = self.trailing
        if self.before.fence or self.trailing.startswith("\n"):
            trailing = trailing[common_length(self.rest[:at], trailing) :]
        more, settled = _same(rest[size:], trailing)
        return at + size + more, known and settled


def _same(rest: str, trailing: str) -> tuple[int, bool]:
    """Return how much of what the client has ``rest`` begins with, and whether that is all.

    Markdown that ``rest`` leaves out, as it does in an echo of another spelling, is passed over.
    """
    matched = 0
    for sign in trailing:
        if matched == len(rest):
            return matched, False
        if rest[matched] == sign:
            matched += 1
        elif sign not in MARKDOWN:
            break
    return matched, True


def _fence_whole(fence: str) -> re.Pattern[str]:
    return re.compile(rf"\s*{fence[0]}{{{len(fence)},}}[ \t]*(?=\n|\Z)")


def _fence_begun(fence: str) -> re.Pattern[str]:
    return re.compile(rf"\s*{fence[0]}*[ \t]*")
