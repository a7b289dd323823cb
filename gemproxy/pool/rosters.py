"""The rosters of all models.

The roster of a model with known limits is kept. The names of other models come from clients, so
only those that were asked for lately have a roster, and the counts of a dropped one are lost.
"""

import collections
from collections.abc import Collection, Iterator, Mapping

import attrs

from gemproxy.pool.key import Limits
from gemproxy.pool.pacific import day_of
from gemproxy.pool.place import Place
from gemproxy.pool.rests import Rests
from gemproxy.pool.roster import Roster

MOST = 128
"""Rosters of models without limits."""
_NO_LIMITS = Limits()


@attrs.define(eq=False)
class Rosters:
    """Model -> roster; the fields are those that rosters share."""

    strategy: str
    limits: Mapping[str, Limits]
    workers: int
    rests: Rests
    _places: Collection[Place] = ()
    _kept: dict[str, Roster] = attrs.field(factory=dict)
    _lately: collections.OrderedDict[str, Roster] = attrs.field(factory=collections.OrderedDict)

    def of(self, model: str, now: float) -> Roster:
        """Return the roster of a model as of ``now``."""
        roster = self._kept.get(model)
        if roster is None:
            roster = self._lately.get(model)
            if roster is None:
                roster = self._made(model, now)
            else:
                self._lately.move_to_end(model)
        roster.at(now)
        return roster

    def all(self, now: float) -> Iterator[Roster]:
        """Yield the rosters as of ``now``."""
        for roster in self._all():
            roster.at(now)
            yield roster

    def replace(self, places: Collection[Place]) -> None:
        """Take other projects."""
        self._places = places
        for roster in self._all():
            roster.replace(places)

    def adopt(self, strategy: str, limits: Mapping[str, Limits]) -> None:
        """Take another strategy and other limits."""
        self.strategy, self.limits = strategy, limits
        rosters = {roster.model: roster for roster in self._all()}
        for model, roster in rosters.items():
            roster.adopt(strategy, limits.get(model, _NO_LIMITS))
        self._kept = {model: roster for model, roster in rosters.items() if model in limits}
        self._lately.clear()
        self._lately.update((m, roster) for m, roster in rosters.items() if m not in limits)
        self._forget()

    def wake(self, project: str, model: str | None = None) -> None:
        """Have a project considered again for a model, None for all of them."""
        if model is None:
            found = list(self._all())
        else:
            rosters = (self._kept.get(model), self._lately.get(model))
            found = [roster for roster in rosters if roster is not None]
        for roster in found:
            seat = roster.seats.get(project)
            if seat is not None:
                roster.wake(seat)

    def _all(self) -> Iterator[Roster]:
        yield from self._kept.values()
        yield from self._lately.values()

    def _made(self, model: str, now: float) -> Roster:
        limits = self.limits.get(model)
        shared = (self.strategy, limits or _NO_LIMITS, self.workers, self.rests)
        roster = Roster(model, *shared, day_of(now))
        roster.replace(self._places)
        if limits is not None:
            self._kept[model] = roster
            return roster
        self._lately[model] = roster
        self._forget()
        self.rests.sweep(now)
        return roster

    def _forget(self) -> None:
        """Drop the rosters of models without limits that were not asked for lately."""
        while len(self._lately) > MOST:
            self._lately.popitem(last=False)
