"""What a running request is doing, in one word that tells a slow answer from a stuck one.

    connecting  its first attempt waits for an answer
    queued      no key is free for its next attempt
    pausing     an attempt ended, and the next one is due in a moment
    repairing   another attempt is made, or it is not known yet where its answer joins
    thinking    an answer has begun, without text since
    streaming   text comes
    slow        text comes, fewer than ``SLOW`` characters a second
    silent      nothing has come for ``SILENT`` seconds or longer
    client      its client reads more slowly than the upstream writes
    ending      an operator has ended it

All of it is found when somebody asks. The rate is that between two looks, so nothing is counted for
it while nobody looks.
"""

import enum
from collections import deque

import attrs

from gemproxy.core.repair.engine import Patience, State
from gemproxy.exchange.account import Glimpse, Wait

SLOW = 10.0
"""Characters in a second; people read some twenty."""
SILENT = 5.0
"""Seconds."""

_WINDOW = 10.0
_APART = 1.0
_THINKING = {one.value for one in (Patience.THINKING, Patience.THINKING_ON)}


class Condition(enum.Enum):
    """What a running request is doing."""

    CONNECTING = "connecting"
    QUEUED = "queued"
    PAUSING = "pausing"
    REPAIRING = "repairing"
    THINKING = "thinking"
    STREAMING = "streaming"
    SLOW = "slow"
    SILENT = "silent"
    CLIENT = "client"
    ENDING = "ending"


def condition_of(
    glimpse: Glimpse, attempts: int, rate: float | None, *, cancelled: bool
) -> Condition:
    """Return what a request is doing that has made ``attempts``, at ``rate`` characters/s."""
    if cancelled:
        return Condition.ENDING
    if glimpse.wait.what in _SAID:
        return _SAID[glimpse.wait.what]
    if glimpse.state == State.CONNECTING.value and attempts <= 1:
        return Condition.CONNECTING
    if glimpse.state in _REPAIRING:
        return Condition.REPAIRING
    return _of_text(glimpse.wait, rate)


def _of_text(wait: Wait, rate: float | None) -> Condition:
    if wait.what in _THINKING:
        return Condition.THINKING
    if wait.silence is not None and wait.silence >= SILENT:
        return Condition.SILENT
    return Condition.SLOW if rate is not None and rate < SLOW else Condition.STREAMING


_SAID = {"client": Condition.CLIENT, "key": Condition.QUEUED, "pause": Condition.PAUSING}
_REPAIRING = {State.CONNECTING.value, State.SPLICING.value}


@attrs.define(eq=False)
class Pace:
    """How fast a text grows, by the looks at it of the last ten seconds."""

    _looks: deque[tuple[float, int]] = attrs.field(factory=deque)

    def look(self, now: float, characters: int, first: float | None) -> float | None:
        """Return the characters in a second, None where there is no text or too little time.

        ``now`` is the monotonic time. At the first look the time since the ``first`` byte counts.
        """
        looks = self._looks
        while len(looks) > 1 and looks[0][0] < now - _WINDOW:
            looks.popleft()
        since, before = looks[0] if looks else (first, 0)
        if since is not None and now - since < _APART and first is not None:
            since, before = first, 0
        if not looks or now - looks[-1][0] >= _APART:
            looks.append((now, characters))
        if since is None or now - since < _APART or not characters:
            return None
        return (characters - before) / (now - since)
