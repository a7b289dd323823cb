"""The roster of a model: its projects in the order in which they serve it.

Each project has a *seat*. Those that may be able to serve are in a heap by score and turn; those
that cannot are asleep, in a heap by the earliest time at which they may again. Both heaps are lazy:
a seat that moves leaves its old entry behind, which is dropped when it comes to the top. So a pick
costs O(log n), and nothing is walked while a project rests.

The strategy decides the score: ``round_robin`` has none, so the turn alone decides; ``least_used``
counts the day's requests, those in flight included; ``weighted`` adds the inverse of the weight for
each request (stride scheduling), which spreads a project's requests evenly. A seat that comes back
begins with the lowest score of the others, so that it gets its share and no burst.

The day's requests of a project are counted here, too. With several workers each spends its share of
what was left when it began.
"""

import heapq
import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import attrs

from gemproxy.pool.key import Limits
from gemproxy.pool.pacific import Day, day_of
from gemproxy.pool.place import Place
from gemproxy.pool.rests import Rests
from gemproxy.pool.window import Window

_STALE = 4
"""Entries for each seat after which a heap is made anew."""


@attrs.define(eq=False)
class Seat:
    """A project on the roster of a model.

    ``used`` counts the day's requests of all processes and those of this one in flight, ``own``
    those of this process, ``base`` those before its first. ``entry`` is the number of its entry in
    the heap, 0 while it is asleep, and ``wakes`` then the time of its waking.
    """

    place: Place
    window: Window | None
    score: float = 0.0
    turn: int = 0
    used: int = 0
    flying: int = 0
    own: int = 0
    base: int = 0
    entry: int = 0
    wakes: float = 0.0


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
    _heap: list[tuple[float, int, int, Seat]] = attrs.field(factory=list)
    _sleepers: list[tuple[float, int, Seat]] = attrs.field(factory=list)
    _number: int = 0
    _floor: float = 0.0

    def replace(self, places: Iterable[Place]) -> None:
        """Take other projects; those that stay keep their seats, new ones get no burst."""
        lowest = min((seat.score for seat in self.seats.values()), default=0.0)
        kept, self.seats = self.seats, {}
        for place in places:
            seat = kept.get(place.name)
            if seat is None:
                seat = Seat(place, self._window(), lowest)
            seat.place = place
            self.seats[place.name] = seat
        for seat in kept.values():
            seat.entry = 0
        self._rebuild()

    def at(self, now: float) -> None:
        """Begin a new day if it is one, and wake the seats whose time has come."""
        if now >= self.day.end:
            self._begin(day_of(now))
        while self._sleepers and self._sleepers[0][0] <= now:
            at, _, seat = heapq.heappop(self._sleepers)
            if not seat.entry and seat.wakes == at:
                self.wake(seat)

    def free_at(self, seat: Seat, tokens: int, now: float, *, resting: bool = True) -> float:
        """Return when a project can serve; at most ``now`` if it can, infinite if no wait helps.

        ``resting``: whether its rest counts.
        """
        if not seat.place.well:
            return math.inf
        at = now
        if resting:
            rest = self.rests.get(seat.place.name, self.model)
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
        passed, second = [], None
        found: Seat | None = None
        while self._heap:
            top = self._heap[0]
            seat = top[3]
            if top[2] != seat.entry:
                heapq.heappop(self._heap)
                continue
            if self.free_at(seat, tokens, now) <= now:
                if not tried or seat.place.has_other(tried):
                    found = seat
                    self._floor = max(self._floor, seat.score)
                    break
                second = second or seat
            heapq.heappop(self._heap)
            bound = self.free_at(seat, 0, now)
            if bound > now:
                self._sleep(seat, bound)
            else:  # it can serve others
                passed.append(top)
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return found or second

    def until(self, tokens: int, now: float) -> float:
        """Return when the first project can serve; infinite if no wait helps.

        The seats in the heap are those that have room for fewer tokens.
        """
        best = min(
            (self.free_at(s, tokens, now) for _, _, e, s in self._heap if e == s.entry),
            default=math.inf,
        )
        looked = []
        while self._sleepers and self._sleepers[0][0] < best:
            at, _, seat = heapq.heappop(self._sleepers)
            if not seat.entry and seat.wakes == at:
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
        seat.turn = self._next()
        self._enlist(seat)

    def counted(self, seat: Seat) -> None:
        """Note that a request in flight has been counted by the upstream."""
        seat.flying -= 1

    def uncounted(self, seat: Seat) -> None:
        """Note that a request has ended without an answer."""
        seat.flying -= 1
        seat.used -= 1
        seat.own -= 1
        if self.strategy == "least_used":
            seat.score -= 1.0
            if seat.entry:
                self._enlist(seat)
        self.wake(seat)

    def spent(self, project: str, requests: int, *, before: bool) -> None:
        """Take in how many requests of a project all processes have counted today.

        ``before``: they were made before this process began.
        """
        seat = self.seats.get(project)
        if seat is None:
            return
        if before:
            seat.base = requests
        more = requests - (seat.used - seat.flying)
        if more > 0:
            seat.used += more
            if self.strategy == "least_used":
                seat.score += more
                if seat.entry:
                    self._enlist(seat)

    def wake(self, seat: Seat) -> None:
        """Put a seat that was asleep back into the order."""
        if seat.entry or self.seats.get(seat.place.name) is not seat:
            return
        while self._heap and self._heap[0][2] != self._heap[0][3].entry:
            heapq.heappop(self._heap)
        if self._heap:
            self._floor = max(self._floor, self._heap[0][0])
        if self.strategy != "round_robin":
            seat.score = max(seat.score, self._floor)
        self._enlist(seat)

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
        self.day, self._floor = day, 0.0
        for seat in self.seats.values():
            seat.used = seat.own = seat.flying
            seat.base = 0
            if self.strategy == "least_used":
                seat.score = float(seat.used)
        self._rebuild()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _enlist(self, seat: Seat) -> None:
        """Put a seat into the heap; an earlier entry of it no longer counts."""
        entry = (seat.score, seat.turn, self._next(), seat)
        top = self._heap[0] if self._heap else None
        if top is not None and top[3] is seat and top[2] == seat.entry:
            heapq.heapreplace(self._heap, entry)
        else:
            heapq.heappush(self._heap, entry)
        seat.entry = entry[2]
        if len(self._heap) > _STALE * len(self.seats) + 64:
            self._heap = [entry for entry in self._heap if entry[2] == entry[3].entry]
            heapq.heapify(self._heap)

    def _sleep(self, seat: Seat, until: float) -> None:
        """Put a seat to sleep that is not in the heap."""
        seat.entry, seat.wakes = 0, until
        if until < math.inf:
            heapq.heappush(self._sleepers, (until, self._next(), seat))

    def _rebuild(self) -> None:
        """Put all seats into the order."""
        self._sleepers = []
        self._heap = []
        for seat in self.seats.values():
            seat.entry = self._next()
            self._heap.append((seat.score, seat.turn, seat.entry, seat))
        heapq.heapify(self._heap)
