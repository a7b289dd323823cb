"""The signs and whitespace between a completed repetition and the rest of the answer.

Whitespace after a repetition is dropped only as far as it equals the whitespace that the client
has. Signs are dropped if they close a sign that was opened before the repetition, or if they are
copies from our notice:

* the partner of a quotation mark or of emphasis, with the dots of an ellipsis before it; the
  closing line of a fence that stood around the echo alone;
* our own closing mark: if the attempt opened it, one to twelve signs (four marks); otherwise two
  to four signs directly after the last character, if the notice showed the mark. If the text stops
  inside a clause, a full stop before the mark is dropped too, because the model added it;
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
    """Facts about the end of the delivered text.

    ``own`` is the sign that our closing mark consists of, empty if the notice showed no mark.
    ``tag``: the text does not contain our tag. ``inside``: it ends inside a line or clause.
    ``wide``: its last character takes no space after it. ``dense``: it ends among lines of the
    same structure without empty lines between them.
    """

    own: str = ""
    tag: bool = True
    inside: bool = False
    wide: bool = False
    dense: bool = False


@attrs.frozen
class Closer:
    """Signs that may follow a repetition, as patterns of the whole and of its beginnings.

    ``ours``: the signs are copies of our own mark or tag.
    """

    whole: re.Pattern[str]
    begun: re.Pattern[str]
    ours: bool = False

    def match(self, rest: str) -> re.Match[str] | None:
        """Match the signs at the beginning of ``rest``, after whitespace (group ``space``)."""
        return self.whole.match(rest)

    def may_come(self, rest: str) -> bool:
        """Return whether ``rest`` is a beginning of the signs."""
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
    """Return the signs that may close a repetition; ``last`` is the delivered last character."""
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
    """A completed repetition and the text after it.

    ``end`` is the attempt's offset after the repetition, ``rest`` the attempt's text from there.
    ``trailing`` is the delivered text after the repeated end. ``before`` describes the text before
    the repetition, ``opening`` is its quotation mark as it came, ``block`` marks a block quotation.
    With ``must_close``, the match counts only if the closing signs follow. If the following text
    starts with ``unless``, the match was just another repetition and is discarded.
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
        """Return whether the match has turned out to be new text."""
        if self.must_close and self._close() is None and not self._may_close():
            return True
        return bool(self.unless) and self._beyond().startswith(self.unless)

    def is_open(self) -> bool:
        """Return whether the next characters can still make the match void."""
        if self.must_close and self._close() is None:
            return True
        return bool(self.unless) and self.unless.startswith(self._beyond())

    def stands(self) -> bool:
        """Return whether the match counts if the attempt ends here."""
        closed = not self.must_close or self._close() is not None
        return closed and len(self.unless) != 1

    def cut(self) -> tuple[int, bool]:
        """Return how many characters to drop so far, and whether this number is final."""
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
        """Return ``rest`` with variants of quotes folded, except after a mark that only opens."""
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
        """Return the size of the closing signs with the whitespace after them; None without any."""
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
        # The line end belongs to the mark, which stood in a line of its own or in mid-line.
        alone = "\n" in found["space"] and self.place.dense and rest[1:2] != "\n"
        broken = bool(trailing) and not trailing.strip(" ") and rest[1:2].islower()
        known = len(rest) > 1 or not (alone or trailing)
        return found.end() + (1 if known and (alone or broken) else 0), known

    def _behind_lines(self, at: int) -> tuple[int, bool]:
        """Return the size of a block that ends ``at`` with the empty lines after it."""
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
    """Return how much of ``trailing`` ``rest`` begins with, and whether this is final.

    Markdown signs that ``rest`` omits, as an echo in another spelling does, are skipped.
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
