"""Documents in slices: a JSON answer goes out when it is whole, and to judge it can take long.

What an attempt has brought of a document is judged at the attempt's end: it makes the document
whole, or brings it forward, or is no part of it. Text that brings it forward waits (``ahead``).
A large document takes milliseconds to judge and to pass on, and other streams wait as long. So it
is done in slices, one at once and one for each `Turn`, as long as ``judging`` says so.
"""

from collections.abc import Callable, Iterator
from itertools import chain, islice

import attrs

from gemproxy.core.repair.ahead import Ahead
from gemproxy.core.repair.attempt import Attempt
from gemproxy.core.repair.engine import Actions, IllegalInput
from gemproxy.core.repair.events import passing
from gemproxy.core.seam.document import Document
from gemproxy.core.seam.seam import Cut
from gemproxy.core.seam.splice import Decision
from gemproxy.core.wire.frame import Frame

_SOME = 40
"""How many frames of a document are passed on at once: each takes some 20 microseconds."""

_TWO = 2
"""How often in a row an attempt may bring another document than the one that has begun."""


@attrs.define
class Documents:
    """The documents that the attempts of one stream bring; ``judging`` says that there is work.

    The methods that begin work return what its first slice comes to. The last slice comes to what
    their ``then`` returns.
    """

    ahead: Ahead = attrs.field(factory=Ahead)
    judging: bool = False
    _anew: int = 0
    _todo: Callable[[], Actions] | None = None

    def turn(self) -> Actions:
        """Do another slice; raise IllegalInput when there is nothing to go on with."""
        if self._todo is None:
            raise IllegalInput("can't take Turn when there is nothing to go on with")
        return self._todo()

    def judge(
        self, joiner: Document, then: Callable[[Decision], Actions], *, whole: bool
    ) -> Actions:
        """Begin to judge a document, which is to be ``whole`` or a part."""
        joiner.end(whole=whole)
        return self._begin(lambda: self._advance(joiner, then))

    def _advance(self, joiner: Document, then: Callable[[Decision], Actions]) -> Actions:
        decision = joiner.advance()
        if decision is None:
            return ()
        self._end()
        return then(decision)

    def pass_on(self, frames: Iterator[list[Frame]], then: Callable[[], Actions]) -> Actions:
        """Begin to pass on a document that is whole; making its ``frames`` is the work."""
        return self._begin(lambda: self._pass_some(frames, then))

    def _pass_some(self, frames: Iterator[list[Frame]], then: Callable[[], Actions]) -> Actions:
        some = list(islice(frames, _SOME))
        out = passing(chain.from_iterable(some))
        if len(some) == _SOME:
            return out
        self._end()
        return (*out, *then())

    def _begin(self, work: Callable[[], Actions]) -> Actions:
        self._todo, self.judging = work, True
        return work()

    def _end(self) -> None:
        self._todo, self.judging = None, False

    def keep(self, attempt: Attempt, decision: Decision, tokens: int) -> bool:
        """Keep what an attempt has brought for the next one, if it is of use; return whether it is.

        With a call or a picture among it the next one would bring that again. ``tokens`` is the
        tally's count of delivered tokens before the attempt.
        """
        more = any(one.chunk.call or one.chunk.opaque for one in attempt.pending)
        if more or not isinstance(decision, Cut):
            return False
        self.ahead.add(attempt, decision.drop, tokens)
        self._anew = 0
        return True

    def strays(self, joiner: Document) -> bool:
        """Note that an attempt made no document; return whether each one begins another."""
        self._anew = self._anew + 1 if joiner.anew else 0
        return self._anew >= _TWO
