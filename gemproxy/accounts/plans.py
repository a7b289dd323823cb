"""What a request is counted in, and the limits that it is under.

A user's tallies are by model, and under the empty name for all models together. The plan of a
request is made once for each user and model, and again when the user's limits change; the tallies
stay. So a limit that changes keeps what was counted.
"""

from collections.abc import Iterable

import attrs

from gemproxy.accounts.calendar import Day
from gemproxy.accounts.gauges import PER_ADDRESS, Gauge
from gemproxy.accounts.models import LONGEST, plain
from gemproxy.accounts.state import Tally
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.accounts.visits import Rate

MODELS = 256
"""Models of one user that are counted singly, beside those that a limit names: clients choose the
names, so there must be an end."""


@attrs.frozen(eq=False)
class Plan:
    """What a request of a user for a model is counted in, and the limits that it is under."""

    tallies: tuple[Tally, ...]
    gauges: tuple[Gauge, ...] = ()
    rates: tuple[Rate, ...] = ()


NOBODY = Plan(())
"""A client without an access key is counted nowhere."""


@attrs.define(eq=False)
class Account:
    """The counters of one user: by model, and under the empty name for all models together."""

    tallies: dict[str, Tally] = attrs.field(factory=dict)
    limits: tuple[Limit, ...] = ()
    plans: dict[str, Plan] = attrs.field(factory=dict)

    def plan(self, user: User, model: str, day: Day) -> Plan:
        """Return what a request is counted in; the limits of ``user`` are those that hold now."""
        if user.limits is not self.limits and user.limits != self.limits:
            self.limits = user.limits
            self.plans.clear()
        model = model[-LONGEST:]  # a collection is in front of the name
        found = self.plans.get(model)
        if found is None:
            if len(self.plans) > MODELS:
                self.plans.clear()
            found = self.plans[model] = self._plan(user, plain(model), day)
        for tally in found.tallies:
            if tally.day is not day:
                tally.turn(day)
        return found

    def tally(self, model: str, day: Day) -> Tally:
        """Return the tally of a model, new where there is none."""
        tally = self.tallies.get(model)
        if tally is None:
            tally = self.tallies[model] = Tally(day)
        elif tally.day is not day:
            tally.turn(day)
        return tally

    def idle(self, day: Day, now: float) -> bool:
        """Return whether the user has done nothing in this month, and in the last minute."""
        for tally in self.tallies.values():
            if tally.day is not day:
                tally.turn(day)
        return all(tally.idle(now) for tally in self.tallies.values())

    def _plan(self, user: User, model: str, day: Day) -> Plan:
        limits = [limit for limit in user.limits if plain(limit.model) in ("", model)]
        tallies = [self.tally("", day)]
        named = any(limit.model for limit in limits)
        if model and (named or model in self.tallies or len(self.tallies) <= MODELS):
            tallies.append(self.tally(model, day))
        return Plan(
            tuple(tallies),
            tuple(
                Gauge.of(limit, self.tally(plain(limit.model), day))
                for limit in limits
                if limit.kind not in PER_ADDRESS
            ),
            _rates(limits, user.name),
        )


def _rates(limits: Iterable[Limit], user: str) -> tuple[Rate, ...]:
    """Return the limits for each address; of several that count the same the smallest one."""
    found: dict[tuple[Kind, str, bool], Limit] = {}
    for limit in limits:
        if limit.kind in PER_ADDRESS:
            key = (limit.kind, plain(limit.model), limit.shadow)
            found[key] = min(found.get(key, limit), limit, key=lambda limit: limit.amount)
    return tuple(Rate(limit, user) for limit in found.values())
