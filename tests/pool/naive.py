"""The pool again, written plainly: lists that are walked, and no order in which projects serve."""

import math
from collections.abc import Iterator
from typing import Any

import attrs

from gemproxy.pool.key import Limits, Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.state import Why

MINUTE, HOUR = 60.0, 3600.0
LONG = (Why.DAY, Why.ABSENT)


@attrs.define(eq=False)
class Request:
    """A request of a project to a model, with the times at which it got on."""

    project: str
    model: str
    tokens: int
    at: float
    probe: bool
    day: str = ""
    answered: float | None = None
    ended: float | None = None

    def leaves(self, now: float) -> float:
        """Return when it leaves the window of the minute."""
        known = self.ended if self.answered is None else self.answered
        return (now if known is None else known) + MINUTE


@attrs.define
class Rest:
    until: float
    why: Why
    at: float
    times: int


@attrs.define(eq=False)
class Naive:
    """What is known of each project."""

    projects: dict[str, Project]
    limits: dict[str, Limits]
    sick: dict[str, Why] = attrs.field(factory=dict)
    since: dict[str, float] = attrs.field(factory=dict)
    rests: dict[tuple[str, str], Rest] = attrs.field(factory=dict)
    requests: list[Request] = attrs.field(factory=list)

    def well(self, project: str) -> list[str]:
        """Return the keys of a project that are well."""
        keys = self.projects[project].keys if project in self.projects else ()
        return [key.name for key in keys if key.name not in self.sick]

    def can(self, project: str, model: str, tokens: int, now: float, then: float) -> bool:
        """Return whether a project can serve at ``then``, if nothing happens from ``now`` on."""
        rest = self.rests.get((project, model))
        if not self.well(project) or (rest is not None and rest.until > then):
            return False
        return self.has_room(project, model, tokens, now, then)

    def has_room(self, project: str, model: str, tokens: int, now: float, then: float) -> bool:
        limits = self.limits.get(model, Limits())
        of = [r for r in self.requests if (r.project, r.model) == (project, model)]
        window = [request for request in of if request.leaves(now) > then]
        if limits.rpm and len(window) >= limits.rpm:
            return False
        taken = sum(request.tokens for request in window)
        if limits.tpm and taken + min(tokens, limits.tpm) > limits.tpm:
            return False
        flying = [r for r in of if r.answered is None and r.ended is None]
        day = day_of(then).name
        today = [r for r in of if r.day == day]
        return (
            not limits.rpd
            or (day != day_of(now).name and len(flying) < limits.rpd)
            or (len(today) + len(flying) < limits.rpd)
        )

    def times(self, project: str, model: str, now: float) -> Iterator[float]:
        """Yield all times at which something ends that may be in the way."""
        yield now
        yield day_of(now).end
        rest = self.rests.get((project, model))
        if rest is not None:
            yield max(rest.until, now)
            if rest.until < math.inf:
                yield day_of(max(rest.until, now)).end
        for request in self.requests:
            yield max(request.leaves(now), now)

    def until(self, project: str, model: str, tokens: int, now: float) -> float:
        """Return when a project can serve."""
        times = sorted(set(self.times(project, model, now)))
        able = (t for t in times if t < math.inf and self.can(project, model, tokens, now, t))
        return next(able, math.inf)

    def may_probe(self, project: str, model: str, tokens: int, now: float) -> bool:
        rest = self.rests.get((project, model))
        if rest is None or rest.why not in LONG or rest.until <= now or rest.at + HOUR > now:
            return False
        return bool(self.well(project)) and self.has_room(project, model, tokens, now, now)

    def refused(self, request: Request, why: Why, seconds: float, now: float) -> None:
        """Learn from the refusal of a quota."""
        known = self.rests.get((request.project, request.model))
        late = known is not None and request.at < known.at and not request.probe
        times = 0
        if why is Why.BARE:
            times = (known.times if known else 0) + (not late)
        until = {
            Why.MINUTE: now + seconds,
            Why.DAY: day_of(now).end,
            Why.ABSENT: math.inf,
            Why.BARE: now + min(5.0 * 2.0 ** (times - 1), HOUR),
        }[why]
        straggler = late and known is not None and why is known.why is Why.BARE
        if known is not None and known.until > now and not request.probe:
            until = known.until if straggler else max(until, known.until)
            if until == known.until:
                return
        self.rests[request.project, request.model] = Rest(until, why, now, times)

    def served(self, request: Request) -> None:
        known = self.rests.get((request.project, request.model))
        if known is not None and (request.probe or known.until <= request.at):
            del self.rests[request.project, request.model]

    def fell(self, keys: list[str], why: Why, request: Request, now: float) -> None:
        for key in keys:
            if key not in self.sick and self.since.get(key, 0.0) <= request.at:
                self.sick[key] = why

    def recovered(self, key: str, now: float) -> None:
        """Note that a check found a key well."""
        if self.sick.pop(key, None) is not None:
            self.since[key] = now

    def clear(self, project: str, keys: list[str], now: float) -> int:
        """End all rests and sicknesses, and return how many there were."""
        resting = [of for of, r in self.rests.items() if of[0] == project and r.until > now]
        sick = [key for key in keys if key in self.sick]
        for of in resting:
            del self.rests[of]
        for key in sick:
            del self.sick[key]
        return len(resting) + len(sick)

    def restart(self) -> None:
        """Forget what is not stored: the minute, and requests in flight."""
        self.requests = [
            attrs.evolve(request, answered=-math.inf, ended=-math.inf)
            for request in self.requests
            if request.answered is not None
        ]


def nobody(answers: dict[str, float]) -> float | None:
    """Return the earliest of some times, None if no wait helps."""
    earliest: Any = min(answers.values(), default=math.inf)
    return None if earliest == math.inf else earliest
