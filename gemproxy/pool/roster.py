"""The roster of a model: its projects in the order in which they serve it.

Each project has a *seat*. Those that may be able to serve are in an order; those that cannot are
asleep, in a heap by the earliest time at which they may again. So a pick costs O(log n), and
nothing is walked while a project rests.

The strategy decides the score: ``round_robin`` has none, so each goes behind the others after its
turn; ``least_used`` counts the day's requests, those in flight included; ``weighted`` adds the
inverse of the weight for each request (stride scheduling), which spreads a project's requests
evenly. A seat that comes back begins with the lowest score of the others, so that it gets its share
and no burst.

The day's requests of a project are counted here, too. With several workers each spends its share of
what was left when it began.
"""

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

import attrs

from gemproxy.pool.key import Limits
from gemproxy.pool.order import Order
from gemproxy.pool.pacific import Day, day_of
from gemproxy.pool.place import Place
from gemproxy.pool.rests import Rests
from gemproxy.pool.seat import Seat
from gemproxy.pool.window import Window


@attrs.define(eq=False)
class Roster:
    """The seats of a model. ``day`` is the one whose requests are counted."""

    model: str
    strategy: str
    limits: Limits
    workers: int
    rests: Rests
    day: Day
    seats: dict[str, Seat] = attrs.field(factory=dict)
    _gone: dict[str, Seat] = attrs.field(factory=dict)
    _order: Order = attrs.field(factory=Order)
    _sleepers: list[tuple[float, int, Seat]] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count)
    _floor: float = 0.0

    def replace(self, places: Iterable[Place]) -> None:
        """Take other projects; those that stay or come back keep their counts.

        Those that are new get no burst.
        """
        lowest = min((seat.score for seat in self.seats.values()), default=0.0)
        known, self.seats = {**self._gone, **self.seats}, {}
        for place in places:
            seat = known.pop(place.name, None)
            if seat is None or place.name in self._gone:
                seat = seat or Seat(place.name, place, self._window())
                seat.score = max(seat.score, lowest)
            seat.place = place
            self.seats[place.name] = seat
        self._gone = known
        for seat in known.values():
            seat.entry = 0
        self._sleepers = []
        self._order.fill(sorted(self.seats.values(), key=lambda seat: seat.score))

    def adopt(self, strategy: str, limits: Limits) -> None:
        """Take another strategy and other limits; what is counted stays.

        The order begins anew, because scores of two strategies cannot be compared. A window keeps
        its slots, also while there is no limit.
        """
        if (strategy, limits) == (self.strategy, self.limits):
            return
        self.strategy, self.limits = strategy, limits
        share = self._window() or Window(0, 0)
        for seat in (*self.seats.values(), *self._gone.values()):
            if seat.window is not None:
                seat.window.rpm, seat.window.tpm = share.rpm, share.tpm
            elif share.rpm or share.tpm:
                seat.window = self._window()
            seat.score = float(seat.used) if strategy == "least_used" else 0.0
        self._refill()

    def at(self, now: float) -> None:
        """Begin a new day if it is one, and wake the seats whose time has come."""
        if now >= self.day.end:
            self._begin(day_of(now))
        while self._sleepers and self._sleepers[0][0] <= now:
            at, _, seat = heapq.heappop(self._sleepers)
            if self._is_asleep(seat, at):
                self.wake(seat)

    def free_at(self, seat: Seat, tokens: int, now: float, *, resting: bool = True) -> float:
        """Return when a project can serve; at most ``now`` if it can, infinite if no wait helps.

        ``resting``: whether its rest counts.
        """
        if not seat.place.able:
            return math.inf
        at = now
        if resting:
            rest = self.rests.get(seat.name, self.model)
            if rest is not None:
                at = max(at, rest.until)
        if seat.window is not None:
            at = max(at, seat.window.free_at(tokens, now))
        if self.limits.rpd and self._is_spent(seat):
            at = max(at, self.day.end)
        return at

    def first(self, tokens: int, tried: AbstractSet[str], now: float) -> Seat | None:
        """Return the seat whose turn it is among those that can serve.

        A project of which all keys have been tried comes last.
        """
        order = self._order
        passed: list[Seat] = []
        found = second = None
        while found is None and (seat := order.first()) is not None:
            if self.free_at(seat, tokens, now) <= now:
                if not tried or seat.place.has_other(tried):
                    found = seat
                    break
                second = second or seat
            order.pop()
            bound = self.free_at(seat, 0, now)
            if bound > now:
                self._sleep(seat, bound)
            else:  # it can serve others
                passed.append(seat)
        if passed:
            order.push_back(passed)
        if found is not None and found.score > self._floor:
            self._floor = found.score
        return found or second

    def until(self, tokens: int, now: float) -> float:
        """Return when the first project can serve; infinite if no wait helps.

        The seats in the order are those that have room for fewer tokens.
        """
        best = min((self.free_at(seat, tokens, now) for seat in self._order), default=math.inf)
        looked = []
        while self._sleepers and self._sleepers[0][0] < best:
            at, _, seat = heapq.heappop(self._sleepers)
            if self._is_asleep(seat, at):
                best = min(best, self.free_at(seat, tokens, now))
                looked.append(seat)
        for seat in looked:
            self._sleep(seat, self.free_at(seat, 0, now))
        return best

    def take(self, seat: Seat) -> None:
        """Count a request that goes up, and give the seat its next turn."""
        seat.used += 1
        seat.flying += 1
        seat.own += 1
        if self.strategy == "least_used":
            seat.score += 1.0
        elif self.strategy == "weighted":
            seat.score += 1.0 / seat.place.project.weight
        self._order.push(seat)
        self._order.clean(len(self.seats))

    def counted(self, seat: Seat, now: float) -> None:
        """Note that a request in flight has been counted by the upstream, on either day."""
        if now >= self.day.end:
            self._begin(day_of(now))
        seat.flying -= 1

    def uncounted(self, seat: Seat) -> None:
        """Note that a request has ended without an answer."""
        seat.flying -= 1
        seat.used -= 1
        seat.own -= 1
        if self.strategy == "least_used":
            seat.score -= 1.0
            self._moved(seat)
        self.wake(seat)

    def spent(self, project: str, requests: int, *, before: bool) -> None:
        """Take in how many requests of a project all processes have counted today.

        ``before``: they were made before this process began.
        """
        seat = self.seats.get(project) or self._gone.get(project)
        if seat is None:
            return
        if before:
            seat.base = requests
        more = requests - (seat.used - seat.flying)
        if more > 0:
            seat.used += more
            if self.strategy == "least_used":
                seat.score += more
                self._moved(seat)

    def wake(self, seat: Seat) -> None:
        """Put a seat that was asleep back into the order."""
        if seat.entry or self.seats.get(seat.name) is not seat:
            return
        first = self._order.first()
        if first is not None and first.score > self._floor:
            self._floor = first.score
        if self.strategy != "round_robin":
            seat.score = max(seat.score, self._floor)
        self._order.push(seat)

    def _is_spent(self, seat: Seat) -> bool:
        """Return whether the day's requests of a project, or the share of this worker, are used."""
        rpd = self.limits.rpd
        if seat.used >= rpd:
            return True
        return self.workers > 1 and seat.own >= max(1, (rpd - seat.base) // self.workers)

    def _window(self) -> Window | None:
        """Return a window with this worker's share of the limits, None if there are none."""
        limits, share = self.limits, self.workers
        if not (limits.rpm or limits.tpm):
            return None
        rpm, tpm = limits.rpm, limits.tpm
        return Window(max(1, rpm // share) if rpm else 0, max(1, tpm // share) if tpm else 0)

    def _begin(self, day: Day) -> None:
        """Begin a day: only requests in flight may be counted in it already."""
        self.day = day
        for seat in (*self.seats.values(), *self._gone.values()):
            seat.used = seat.own = seat.flying
            seat.base = 0
            if self.strategy == "least_used":
                seat.score = float(seat.used)
        self._refill()

    def _refill(self) -> None:
        """Put all seats in order, none asleep; those that cannot serve are found so again."""
        self._floor, self._sleepers = 0.0, []
        self._order.fill(sorted(self.seats.values(), key=lambda seat: seat.score))

    def _moved(self, seat: Seat) -> None:
        """Follow a seat whose score has changed."""
        if seat.entry:
            self._order.push(seat)

    def _sleep(self, seat: Seat, until: float) -> None:
        """Put a seat to sleep that is not in the order."""
        seat.wakes = until
        if until < math.inf:
            heapq.heappush(self._sleepers, (until, next(self._numbers), seat))

    def _is_asleep(self, seat: Seat, until: float) -> bool:
        """Return whether a seat sleeps until then; it may have been woken, or be gone."""
        return not seat.entry and seat.wakes == until and self.seats.get(seat.name) is seat
