"""Tries: what was asked for one stream, and what is left to ask.

Everything here is counted over the whole stream. The machine says what happened; this says whether
it is worth another attempt, and how that one is made.
"""

import attrs

from gemproxy.core.repair.attempt import Plan, Way
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.ending import Meaning
from gemproxy.core.repair.forms import Forms
from gemproxy.core.repair.policy import Policy

_SILENT_HOPS = 20
"""How often in a row Gemini's wish to be called again is followed that brings no text."""

_TWO = 2
"""In how many forms a model has to say STOP behind nothing new before it is believed."""


@attrs.frozen
class Remainder:
    """Text behind which a resumed attempt said STOP, and which may be half a repetition.

    ``way`` is how it was asked for, and ``at`` the place of the text that it continues.
    """

    way: Plan | Form
    at: int
    text: str = attrs.field(repr=False)


@attrs.define
class Tries:
    """The tries of one stream.

    ``natively`` says whether checkpoints are of use. ``replayed`` says that a text without an
    anchor was asked for again from its beginning. ``hops`` counts Gemini's wishes to be called
    again. ``spent`` says that there will be no further attempt.
    """

    policy: Policy
    forms: Forms
    natively: bool = True
    replayed: bool = False
    hops: int = 0
    spent: bool = False
    _silent_hops: int = 0
    _empty_stops: int = 0
    _empty_in: set[Plan | Form] = attrs.field(factory=set)
    _remainders: list[Remainder] = attrs.field(factory=list)
    _bad_finishes: int = 0

    def way(self, ahead: str) -> Way:
        """Return how a text is continued next; ``ahead`` is text that waits behind it."""
        forms = self.forms
        return Way(forms.present, forms.last, self.natively, not self.replayed, ahead)

    def fails(self, plan: Plan) -> None:
        """Note that the answer to an attempt does not join, or brings nothing new."""
        self.natively &= plan is not Plan.NATIVE
        if plan is Plan.TEXT:
            self.forms.failed()

    def may_replay(self, meaning: Meaning) -> bool:
        """Count a bad finish of which nothing visible went out; tell whether to ask again."""
        limit = 1 if meaning is Meaning.REROLL else self.policy.bad_finish_replays
        self._bad_finishes += 1
        return self._bad_finishes <= limit

    def may_ask_after_nothing(self) -> bool:
        """Count an empty STOP; tell whether to ask again."""
        self._empty_stops += 1
        return self._empty_stops <= self.policy.empty_stop_retries

    def brings_nothing(self, plan: Plan) -> None:
        """Note a STOP of a resumed attempt that brought nothing new."""
        self._empty_stops += 1
        self._empty_in.add(self._way_of(plan))

    def brings_remainder(self, plan: Plan, at: int, text: str) -> bool:
        """Note a STOP behind ``text`` that may be half a repetition.

        Return whether the same text has come in as many forms as are to be asked.
        """
        same = [one.way for one in self._remainders if (one.at, one.text) == (at, text)]
        way = self._way_of(plan)
        self._remainders.append(Remainder(way, at, text))
        return len({*same, way}) >= _TWO or (bool(same) and self.forms.ways < _TWO)

    def believes_nothing(self, at: int) -> bool:
        """Tell whether a STOP behind nothing new may end the answer at this place.

        It may not where an attempt has brought text that was dropped: that text may be the rest.
        """
        asked = self.agree or self._empty_stops > self.policy.empty_stop_retries
        return asked and all(one.at != at for one in self._remainders)

    def _way_of(self, plan: Plan) -> Plan | Form:
        return self.forms.present if plan is Plan.TEXT else plan

    @property
    def nothing_left(self) -> bool:
        """Whether a model that brings nothing certain to be new has been asked often enough."""
        return self._empty_stops + len(self._remainders) > self.policy.empty_stop_retries

    @property
    def agree(self) -> bool:
        """Whether the model says STOP behind nothing new in as many forms as are to be asked."""
        return len(self._empty_in) >= _TWO or self._empty_stops >= _TWO > self.forms.ways

    def hop(self, *, silent: bool) -> None:
        """Count a wish of Gemini's to be called again, ``silent`` when no text came with it."""
        self._silent_hops = self._silent_hops + 1 if silent else 0
        self.hops += 1
        self.spent |= self._silent_hops > _SILENT_HOPS
