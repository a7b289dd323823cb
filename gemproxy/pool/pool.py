"""The pool: picks a key for each attempt, and learns from the outcome.

An attempt that is bound goes to its project. A conversation that has an answer goes to its home,
and what creates names to the caller's home. Otherwise, and where a home cannot serve, the strategy
decides (``roster``). The keys of a project take turns.

The outcome teaches by ``blame``: only what is the key's fault does. A quota is the affair of
project and model (``rests``); anything else makes the key sick (``sickness``). The operator may
have disabled a key (``switches``), which gets no new attempt then. When nobody can serve, one
attempt an hour may try a project that rests for the day.

Time is an argument, in seconds of the Unix clock.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import attrs
import msgspec
from yarl import URL

from gemproxy.core.repair.blame import Fault, blame
from gemproxy.core.repair.verdict import error_status
from gemproxy.pool.ailment import ailment_of
from gemproxy.pool.homes import Homes
from gemproxy.pool.journal import Journal
from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.place import Place
from gemproxy.pool.quota import is_quota, quota_of
from gemproxy.pool.rests import Rests, Try
from gemproxy.pool.result import result_of
from gemproxy.pool.roster import Roster
from gemproxy.pool.rosters import Rosters
from gemproxy.pool.seat import Seat
from gemproxy.pool.sickness import Sicknesses
from gemproxy.pool.standing import Standing, standing_of
from gemproxy.pool.state import Change, Rest, Result, Sickness, Spent, Switch, Use, Why
from gemproxy.pool.switches import Switches
from gemproxy.pool.uses import Uses
from gemproxy.pool.window import Slot

_ERRORS = 400


class Wish(msgspec.Struct, frozen=True):
    """An attempt for which a key is wanted.

    ``model`` is empty for what no quota of a model counts. ``project`` is the only one that may
    serve, None for any. ``opening`` identifies the conversation (``pool.opening``): hashes of the
    first turn, and of the first answer if there is one; empty for what is no conversation.
    ``caller`` is the access key, whose home project gets what creates names; empty for what creates
    none. ``tokens`` estimates those of the prompt. ``tried`` holds the keys (fingerprints) that
    this request has had already; they come last. ``avoiding`` holds the outbound proxies that were
    refused for their location (None: the one of all requests); keys behind them do not serve.
    ``resumes``: the answer has begun, so the home of the conversation stays where it is.
    """

    model: str = ""
    project: str | None = None
    opening: tuple[bytes, ...] = ()
    caller: str = ""
    tokens: int = 0
    tried: AbstractSet[str] = frozenset()
    avoiding: AbstractSet[URL | None] = frozenset()
    resumes: bool = False


class Pick(msgspec.Struct, eq=False):
    """A key that was picked, until the pool hears of its outcome.

    ``at`` is the time of the pick. ``probe``: the project rests, and this attempt tries it.
    ``bound``: no other project could serve. The other fields are the pool's own.
    """

    key: Key
    model: str
    tokens: int
    at: float
    probe: bool
    bound: bool
    roster: Roster
    seat: Seat
    slot: Slot | None = None
    counted: bool = False
    noted: bool = False

    def __repr__(self) -> str:
        return f"Pick({self.key.name}, {self.model!r})"


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt ended, as far as it concerns its key; its repr has no words of an error.

    ``status`` is None where no answer came. ``error`` is the google.rpc.Status of a refusal, also
    of one in a stream that had begun. ``retry_after`` is in seconds. ``tokens`` are those of the
    prompt, None if the answer did not say.
    """

    status: int | None = None
    error: Mapping[str, Any] | None = None
    retry_after: float | None = None
    tokens: int | None = None

    def __repr__(self) -> str:
        return f"Outcome({self.status})"

    @property
    def refused_with(self) -> int | None:
        """The status of the refusal, None for a success and for no answer."""
        if self.status is None or self.status >= _ERRORS:
            return self.status
        return None if self.error is None else error_status(self.error)


@attrs.frozen
class Nobody:
    """No key can serve. ``until``: when the first one can again; None: not by waiting.

    ``disabled``: all keys that could are disabled. ``sick``: those that are enabled are sick.
    ``absent``: no project has the model.
    """

    until: float | None
    sick: bool = False
    absent: bool = False
    disabled: bool = False


@attrs.define(eq=False)
class Pool:
    """Projects, their keys, and what is known of them.

    ``limits`` has the known limits by model; they are divided among ``workers`` processes.
    """

    projects: Iterable[Project]
    strategy: str = "least_used"
    limits: Mapping[str, Limits] = attrs.field(factory=dict)
    workers: int = 1
    _places: dict[str, Place] = attrs.field(factory=dict, init=False)
    _of_key: dict[str, Place] = attrs.field(factory=dict, init=False)
    _rests: Rests = attrs.field(factory=Rests, init=False)
    _rosters: Rosters = attrs.field(init=False)
    _sick: Sicknesses = attrs.field(factory=Sicknesses, init=False)
    _switches: Switches = attrs.field(factory=Switches, init=False)
    _uses: Uses = attrs.field(factory=Uses, init=False)
    _homes: Homes = attrs.field(factory=Homes, init=False)
    _journal: Journal = attrs.field(factory=Journal, init=False)
    _loaded: bool = attrs.field(default=False, init=False)
    falls: Counter[Why] = attrs.field(factory=Counter, init=False)
    """How often a refusal began a rest or a sickness, by reason."""

    @_rosters.default
    def _make_rosters(self) -> Rosters:
        return Rosters(self.strategy, self.limits, self.workers, self._rests)

    def __attrs_post_init__(self) -> None:
        self.replace(self.projects)

    def pick(self, wish: Wish, now: float) -> Pick | Nobody:
        """Return the key for an attempt."""
        roster = self._rosters.of(wish.model, now)
        seat, probe = self._seat(roster, wish, now), False
        if seat is None and not wish.tried:
            seat = self._to_probe(roster, wish, now)
            probe = seat is not None
        key = None if seat is None else seat.place.take(wish.tried, wish.avoiding)
        if seat is None or key is None:
            return self._nobody(roster, wish, now)
        if probe:
            self._journal.note(self._rests.probed(key.project, wish.model, now))
        roster.take(seat)
        slot = None if seat.window is None else seat.window.take(wish.tokens)
        if wish.opening and not wish.resumes:
            news = self._homes.settle(wish.opening[-1], key.project, now)
            if news is not None:
                self._journal.note(news)
        bound = wish.project is not None
        return Pick(key, wish.model, wish.tokens, now, probe, bound, roster, seat, slot)

    def answered(self, pick: Pick, now: float) -> None:
        """Note that the head of the answer has come: the upstream has counted the request."""
        if pick.counted:
            return
        pick.counted = True
        pick.roster.counted(pick.seat, now)
        if pick.slot is not None and pick.seat.window is not None:
            pick.seat.window.timed(pick.slot, now)
        if pick.model in self.limits:
            self._note_spent(pick, now)

    def over(self, pick: Pick, outcome: Outcome, now: float) -> None:
        """Learn from the outcome of an attempt. Called once for each pick."""
        refused = outcome.refused_with
        self._count(pick, outcome, now, succeeded=outcome.status is not None and refused is None)
        result = Result.OK
        if refused is not None:
            result = result_of(refused, outcome.error, outcome.retry_after)
            if blame(refused, outcome.error) is Fault.KEY:
                self._refused(pick, refused, outcome, now)
        elif outcome.status is not None:
            self._served(pick, now)
        else:
            result = Result.NO_ANSWER
        news = self._uses.note(pick.key.name, result, now)
        if news is not None:
            self._journal.note(news)

    def returned(self, pick: Pick, now: float) -> None:
        """Take back a pick in place of ``over``, where the attempt says nothing of its key.

        It was not made, or it was left before there was an answer.
        """
        self._count(pick, Outcome(), now, succeeded=False)

    def changes(self) -> list[Change]:
        """Return what was learnt since the last call."""
        return self._journal.take()

    def apply(self, changes: Iterable[Change], now: float) -> None:
        """Take in what other processes, or this one before its restart, have learnt.

        The first call brings what was known before this process began.
        """
        for change in changes:
            if isinstance(change, Rest):
                if self._rests.put(change):
                    self._rosters.wake(change.project, change.model)
            elif isinstance(change, Sickness):
                if self._sick.put(change):
                    self._follow(change.key)
            elif isinstance(change, Switch):
                if self._switches.put(change):
                    self._follow(change.key)
            elif isinstance(change, Use):
                self._uses.put(change)
            elif isinstance(change, Spent):
                self._spent(change, now)
            else:
                self._homes.put(change)
        self._loaded = True

    def replace(self, projects: Iterable[Project]) -> None:
        """Take other projects and keys; what is known of those that stay or come back is kept."""
        out = {sickness.key for sickness in self._sick.sick()} | self._switches.off()
        self.projects = tuple(projects)
        self._places = {project.name: Place.of(project, out) for project in self.projects}
        keys = [(key, place) for place in self._places.values() for key in place.project.keys]
        self._of_key = {key.name: place for key, place in keys}
        self._weigh()
        self._rosters.replace(self._places.values())

    def adopt(
        self, strategy: str, limits: Mapping[str, Limits], weights: Mapping[str, float]
    ) -> None:
        """Take another strategy, other limits by model, and weights by project (1 for any other).

        They act on the next pick. Requests that are counted and homes that are known stay, and a
        model that gets its first limit per minute counts from now on.
        """
        self.strategy, self.limits = strategy, limits
        for place in self._places.values():
            weight = weights.get(place.name, 1.0)
            place.project = attrs.evolve(place.project, weight=weight)
        self.projects = tuple(place.project for place in self._places.values())
        self._weigh()
        self._rosters.adopt(strategy, limits)

    def _weigh(self) -> None:
        weighted = self.strategy == "weighted"
        self._homes.replace({p.name: p.weight if weighted else 1.0 for p in self.projects})

    def clear(self, name: str, now: float) -> int:
        """End the rests and the sickness of a project, or of a key (by fingerprint).

        The rests of a key are those of its project. Returns how many were ended.
        """
        place = self._places.get(name)
        keys = [name] if place is None else [key.name for key in place.project.keys]
        place = place or self._of_key.get(name)
        if place is None:
            return 0
        sick = [key for key in keys if self._sick.is_sick(key)]
        for key in sick:
            self._learn(self._sick.end(key, now))
        resting = [rest for rest in self._rests.all_of(place.name) if rest.until > now]
        for rest in resting:
            self._journal.note(self._rests.end(rest, now))
            self._rosters.wake(rest.project, rest.model)
        return len(sick) + len(resting)

    def due(self, now: float) -> list[Key]:
        """Return the sick keys that are to be checked; a disabled one is not."""
        names = {sickness.key for sickness in self._sick.sick() if sickness.again_at <= now}
        names -= self._switches.off()
        places = {place.name: place for name in names if (place := self._of_key.get(name))}
        keys = (key for place in places.values() for key in place.project.keys)
        return [key for key in keys if key.name in names]

    def checked(self, key: str, outcome: Outcome, now: float) -> None:
        """Learn from the check of a sick key (by fingerprint): a request that costs nothing.

        A key that is refused for a quota is well. A check that says nothing of the key, because the
        service failed or the location is refused, is made again.
        """
        sickness = self._sick.get(key)
        if sickness is None or sickness.why is None:
            return
        refused = outcome.refused_with
        if outcome.status is None:
            change = self._sick.put_off(sickness, now)
        elif refused is None:
            change = self._sick.passed(sickness, now)
        elif blame(refused, outcome.error) is not Fault.KEY:
            change = self._sick.put_off(sickness, now)
        elif is_quota(refused, outcome.error):
            change = self._sick.passed(sickness, now)
        else:
            change = self._sick.fell(key, ailment_of(refused, outcome.error), now)
        self._learn(change)

    def asked(self, key: str, outcome: Outcome, now: float) -> None:
        """Learn from a check of any key (by fingerprint) that an operator asked for."""
        place, refused = self._of_key.get(key), outcome.refused_with
        if place is None or self._sick.is_sick(key):
            self.checked(key, outcome, now)
            return
        ill = refused is not None and blame(refused, outcome.error) is Fault.KEY
        if refused is not None and ill and not is_quota(refused, outcome.error):
            why = ailment_of(refused, outcome.error)
            self._fall(place, key, why, since=now, now=now)

    def order(self, caller: str) -> list[str]:
        """Return the names of all projects, the home of an access key first."""
        homes = self._homes.of_caller(caller)
        return [*homes, *(name for name in self._places if name not in homes)]

    def keys_of(self, project: str) -> list[str]:
        """Return the keys of a project (fingerprints); none if there is no such project."""
        place = self._places.get(project)
        return [] if place is None else [key.name for key in place.project.keys]

    def standings(self, now: float) -> list[Standing]:
        """Return how all keys stand, with the rests that are not over."""
        found: list[Standing] = []
        for project in self.projects:
            rests = tuple(r for r in self._rests.all_of(project.name) if r.until > now)
            found += [self._standing(key, rests) for key in project.keys]
        return found

    def _standing(self, key: Key, rests: tuple[Rest, ...]) -> Standing:
        name = key.name
        enabled = not self._switches.is_off(name)
        used = self._uses.get(name)
        return standing_of(key, self._sick.get(name), rests, enabled=enabled, used=used)

    def spent(self, now: float) -> dict[str, dict[str, int]]:
        """Return project -> model -> its requests of the running Pacific day, in all processes.

        Those of this process that run are among them. Of models without known limits only those
        that were asked for lately are known.
        """
        found: dict[str, dict[str, int]] = {}
        for roster in self._rosters.all(now):
            if roster.model:
                for seat in roster.seats.values():
                    if seat.used:
                        found.setdefault(seat.name, {})[roster.model] = seat.used
        return found

    def available(self, now: float) -> int:
        """Return how many keys could serve some model now.

        That is any of the models that are known by requests, limits or rests; before the first of
        them a well key that is enabled is one that could.
        """
        rosters = {roster.model: roster for roster in self._rosters.all(now) if roster.model}
        resting = [model for model in self._rests.models() if model and model not in rosters]

        def could(place: Place) -> bool:
            if not place.able or not (rosters or resting):
                return bool(place.able)
            if any(
                (seat := roster.seats.get(place.name)) is not None
                and roster.free_at(seat, 0, now) <= now
                for roster in rosters.values()
            ):
                return True
            rests = (self._rests.get(place.name, model) for model in resting)
            return any(rest is None or rest.until <= now for rest in rests)

        return sum(len(place.able) for place in self._places.values() if could(place))

    def _seat(self, roster: Roster, wish: Wish, now: float) -> Seat | None:
        """Return the seat of a project that can serve."""
        if wish.avoiding:
            able = self._on_other_ways(roster, wish, now)
            return min(able, key=_score, default=None)
        for project in self._preferred(wish):
            seat = roster.seats.get(project)
            if seat is None or roster.free_at(seat, wish.tokens, now) > now:
                continue
            if wish.project is not None or seat.place.has_other(wish.tried):
                return seat
        return roster.first(wish.tokens, wish.tried, now) if wish.project is None else None

    def _preferred(self, wish: Wish) -> Sequence[str]:
        """Return the projects that come before those of the strategy; a bound one is the only."""
        if wish.project is not None:
            return (wish.project,)
        if len(wish.opening) > 1:
            return self._homes.of_conversation(wish.opening)
        return self._homes.of_caller(wish.caller) if wish.caller and not wish.opening else ()

    def _on_other_ways(self, roster: Roster, wish: Wish, now: float) -> Iterator[Seat]:
        """Yield the seats of projects that can serve by other proxies than those to avoid."""
        for name, seat in roster.seats.items():
            if wish.project in (None, name) and roster.free_at(seat, wish.tokens, now) <= now:
                ways = (key.proxy for key in seat.place.able if key.name not in wish.tried)
                if any(way not in wish.avoiding for way in ways):
                    yield seat

    def _to_probe(self, roster: Roster, wish: Wish, now: float) -> Seat | None:
        """Return the seat of a project that rests for long, and may be tried."""
        if wish.avoiding:
            return None
        due = self._rests.probes(wish.model, now)
        seats = (roster.seats.get(name) for name in due if wish.project in (None, name))
        known = (seat for seat in seats if seat is not None)
        able = (s for s in known if roster.free_at(s, wish.tokens, now, resting=False) <= now)
        return min(able, key=_score, default=None)

    def _nobody(self, roster: Roster, wish: Wish, now: float) -> Nobody:
        """Return why nobody can serve."""
        if wish.avoiding:
            return Nobody(None)
        if wish.project is None:
            places = list(self._places.values())
            until = roster.until(wish.tokens, now)
        else:
            seat = roster.seats.get(wish.project)
            places = [] if seat is None else [seat.place]
            until = math.inf if seat is None else roster.free_at(seat, wish.tokens, now)
        if until < math.inf:
            return Nobody(until)
        if any(place.able for place in places):
            return Nobody(None, absent=True)
        keys = [key for place in places for key in place.project.keys]
        disabled = bool(keys) and all(self._switches.is_off(key.name) for key in keys)
        return Nobody(None, sick=not disabled, disabled=disabled)

    def _count(self, pick: Pick, outcome: Outcome, now: float, *, succeeded: bool) -> None:
        """Note what the upstream has counted of an attempt that is over."""
        if outcome.status is not None and not pick.counted:
            self.answered(pick, now)
        roster, seat, slot, window = pick.roster, pick.seat, pick.slot, pick.seat.window
        if not pick.counted:
            roster.uncounted(seat)
            if slot is not None and window is not None:
                window.timed(slot, now)
        elif outcome.tokens is not None and slot is not None and window is not None:
            window.correct(slot, outcome.tokens, now)
            roster.wake(seat)
        if succeeded and not pick.noted:
            self._note_spent(pick, now)

    def _note_spent(self, pick: Pick, now: float) -> None:
        """Note a request of the day, once; the limits may change while it runs."""
        pick.noted = True
        self._journal.spent(pick.key.project, pick.model, day_of(now).name)

    def _refused(self, pick: Pick, status: int, outcome: Outcome, now: float) -> None:
        """Learn from a refusal that is the key's fault."""
        place = self._places.get(pick.key.project)
        if place is None:
            return
        if is_quota(status, outcome.error):
            quota = quota_of(outcome.error, outcome.retry_after)
            rest = self._rests.refused(_try_of(pick), quota, now)
            if rest is not None:
                self.falls[rest.why] += 1
                self._journal.note(rest)
                self._rosters.wake(place.name, pick.model)  # a probe may shorten a rest
            return
        why = ailment_of(status, outcome.error)
        if why is Why.DENIED and pick.bound:
            return  # a client may name what nobody of us may use, and Google does not say so
        self._fall(place, pick.key.name, why, since=pick.at, now=now)

    def _fall(self, place: Place, key: str, why: Why, *, since: float, now: float) -> None:
        """Note that a key, or without billing all keys of its project, is sick.

        ``since`` is when the attempt or check began that shows it.
        A key that is known to be sick stays so, and one that has recovered later is well.
        """
        names = [one.name for one in place.project.keys] if why is Why.BILLING else [key]
        for name in names:
            known = self._sick.get(name)
            if known is None or (known.why is None and known.at <= since):
                self.falls[why] += 1
                self._learn(self._sick.fell(name, why, now))

    def _served(self, pick: Pick, now: float) -> None:
        """Learn from a success."""
        project, model = pick.key.project, pick.model
        if self._rests.get(project, model) is not None:
            ended = self._rests.served(_try_of(pick), now)
            if ended is not None:
                self._journal.note(ended)
                self._rosters.wake(project, model)
        known = self._sick.get(pick.key.name)
        if known is not None and known.why is None and known.at <= pick.at:
            self._learn(self._sick.end(pick.key.name, now))

    def _spent(self, spent: Spent, now: float) -> None:
        """Take in the count of a day."""
        if spent.day != day_of(now).name:
            return
        unsent = self._journal.unsent(spent.project, spent.model, spent.day)
        roster = self._rosters.of(spent.model, now)
        roster.spent(spent.project, spent.requests + unsent, before=not self._loaded)

    def _learn(self, change: Sickness) -> None:
        """Act on a change of a key's health, and note it."""
        self._journal.note(change)
        self._follow(change.key)

    def _follow(self, key: str) -> None:
        """Take a key out of its project, or put it back, as its health and its switch say."""
        place = self._of_key.get(key)
        if place is None:
            return
        if self._sick.is_sick(key) or self._switches.is_off(key):
            place.leave(key)
            return
        place.come_back(key)
        self._rosters.wake(place.name)


def _try_of(pick: Pick) -> Try:
    return Try(pick.key.project, pick.model, pick.at, pick.probe)


def _score(seat: Seat) -> float:
    return seat.score
