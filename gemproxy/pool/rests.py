"""The book of rests: which project does not serve which model, and until when.

A refusal is learnt by the rules of ``quota``. The longer of two rests counts, except for what a
probe learns: it asked last. A bare refusal rests for a time that doubles with each one in a row;
refusals of attempts that were under way when the rest began count as one. A success after the rest
ends the row.

A rest of a day, or of a model that a project does not have, may be tried by a single attempt, the
*probe*, once an hour. Its success ends the rest.
"""

import math
from collections.abc import Iterator, Mapping

import attrs

from gemproxy.pool.pacific import day_of
from gemproxy.pool.quota import Quota
from gemproxy.pool.state import Rest, Why

BARE_FIRST, BARE_MOST = 5.0, 3600.0
"""Seconds of the first rest after a bare refusal, and of the longest one."""
BETWEEN_PROBES = 3600.0
_FEW = 256
_PROBED = (Why.DAY, Why.ABSENT)


@attrs.frozen
class Try:
    """An attempt that began at ``at``; ``probe``: although the project rested."""

    project: str
    model: str
    at: float
    probe: bool = False


@attrs.define(eq=False)
class Rests:
    """Rests by model and project; one that is over stays while its row of refusals may go on."""

    _by_model: dict[str, dict[str, Rest]] = attrs.field(factory=dict)
    _next_probe: dict[str, float] = attrs.field(factory=dict)

    def of_model(self, model: str) -> Mapping[str, Rest]:
        """Return project -> rest for a model; it shows later changes."""
        return self._by_model.get(model, _NONE)

    def get(self, project: str, model: str) -> Rest | None:
        """Return the last rest of a project for a model, which may be over."""
        resting = self._by_model.get(model)
        return None if resting is None else resting.get(project)

    def all_of(self, project: str) -> Iterator[Rest]:
        """Yield the rests of a project."""
        for resting in self._by_model.values():
            if project in resting:
                yield resting[project]

    def models(self) -> Iterator[str]:
        """Yield the models for which a project rests, or has rested lately."""
        return iter(self._by_model)

    def put(self, rest: Rest) -> bool:
        """Take in a rest if it counts before what is known; return whether it does.

        The later one counts; but a process that did not know of a longer rest does not cut it
        short, unless it has probed.
        """
        known = self.get(rest.project, rest.model)
        if known is not None and known.at >= rest.at:
            return False
        if known is not None and rest.at < rest.until < known.until and rest.probed < rest.at:
            return False
        if rest.until > rest.at:
            self._set(rest)
        elif known is not None:
            del self._by_model[rest.model][rest.project]
        return True

    def refused(self, attempt: Try, quota: Quota, now: float) -> Rest | None:
        """Learn from a refusal; return the new rest, if any."""
        project, model, probe = attempt.project, attempt.model, attempt.probe
        known = self.get(project, model)
        late = known is not None and attempt.at < known.at and not probe
        times = 0
        if quota.why is Why.BARE:
            times = known.times if known is not None else 0
            times += not late
        until = _end(quota, times, now)
        if (
            known is not None
            and known.until > now
            and not probe
            and (known.until >= until or (late and quota.why is known.why is Why.BARE))
        ):
            return None
        rest = Rest(project, model, until, quota.why, now, times, now if probe else 0.0)
        self._set(rest)
        return rest

    def served(self, attempt: Try, now: float) -> Rest | None:
        """Learn from a success; return the end of a rest or of a row of refusals, if it is one."""
        known = self.get(attempt.project, attempt.model)
        if known is None or not (attempt.probe or known.until <= attempt.at):
            return None
        ended = self.end(known, now)
        return ended if known.times or known.until > now else None

    def end(self, rest: Rest, now: float) -> Rest:
        """End a rest and return that change."""
        del self._by_model[rest.model][rest.project]
        return Rest(rest.project, rest.model, now, rest.why, now)

    def probes(self, model: str, now: float) -> list[str]:
        """Return the projects whose rest may be tried for a model."""
        if now < self._next_probe.get(model, math.inf):
            return []
        waiting = [rest for rest in self.of_model(model).values() if rest.why in _PROBED]
        resting = [(_probe_at(rest), rest.project) for rest in waiting if rest.until > now]
        due = [project for at, project in resting if at <= now]
        if not due:
            self._next_probe[model] = min((at for at, _ in resting), default=math.inf)
        return due

    def probed(self, project: str, model: str, now: float) -> Rest:
        """Note the beginning of a probe, and return the change."""
        rest = attrs.evolve(self._by_model[model][project], probed=now, at=now)
        self._set(rest)
        return rest

    def sweep(self, now: float) -> None:
        """Forget what is over, if there is much."""
        if len(self._by_model) <= _FEW:
            return
        for model, resting in list(self._by_model.items()):
            for project in [name for name, rest in resting.items() if rest.until <= now]:
                del resting[project]
            if not resting:
                del self._by_model[model]
                self._next_probe.pop(model, None)

    def _set(self, rest: Rest) -> None:
        self._by_model.setdefault(rest.model, {})[rest.project] = rest
        if rest.why in _PROBED:
            known = self._next_probe.get(rest.model, math.inf)
            self._next_probe[rest.model] = min(known, _probe_at(rest))


_NONE: Mapping[str, Rest] = {}


def _probe_at(rest: Rest) -> float:
    return max(rest.at, rest.probed) + BETWEEN_PROBES


def _end(quota: Quota, times: int, now: float) -> float:
    """Return when the rest that a quota asks for is over."""
    if quota.why is Why.ABSENT:
        return math.inf
    if quota.why is Why.DAY:
        return day_of(now).end
    if quota.why is Why.BARE:
        return now + min(BARE_FIRST * 2.0 ** min(times - 1, 20), BARE_MOST)
    return now + quota.seconds
