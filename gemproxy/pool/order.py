"""The order of the seats that may serve: by score, and of equal scores the earlier comes first.

A queue for each score, and a heap of the scores: where scores are counts there are few of them, and
a step touches little memory however many seats there are. A seat that moves leaves its old entry
behind, which is dropped when it comes to the front.
"""

import collections
import heapq
import itertools
from collections.abc import Iterable, Iterator

import attrs

from gemproxy.pool.seat import Seat

Entry = tuple[int, Seat]
_STALE = 4
"""Entries for each seat after which the old ones are dropped."""
_SMALL = 64


@attrs.define(eq=False)
class Order:
    """Seats by their scores. ``numbers`` are those of the entries, which never come again."""

    _scores: list[float] = attrs.field(factory=list)
    _queues: dict[float, collections.deque[Entry]] = attrs.field(factory=dict)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))
    _entries: int = 0

    def push(self, seat: Seat) -> None:
        """Put a seat behind those with its score; an earlier entry of it no longer counts."""
        number = seat.entry = next(self._numbers)
        queue = self._queues.get(seat.score)
        if queue is None:
            queue = self._made(seat.score)
        queue.append((number, seat))
        self._entries += 1

    def push_back(self, seats: Iterable[Seat]) -> None:
        """Put seats that were popped, in their order, before the others."""
        for seat in reversed(list(seats)):
            seat.entry = next(self._numbers)
            queue = self._queues.get(seat.score)
            if queue is None:
                queue = self._made(seat.score)
            queue.appendleft((seat.entry, seat))
            self._entries += 1

    def first(self) -> Seat | None:
        """Return the first seat, None if there is none."""
        while self._scores:
            queue = self._queues[self._scores[0]]
            while queue:
                number, seat = queue[0]
                if number == seat.entry:
                    return seat
                queue.popleft()
                self._entries -= 1
            del self._queues[heapq.heappop(self._scores)]
        return None

    def pop(self) -> Seat | None:
        """Take out the first seat, None if there is none."""
        seat = self.first()
        if seat is not None:
            seat.entry = 0
        return seat

    def fill(self, seats: Iterable[Seat]) -> None:
        """Put in seats in place of all others, those of equal scores as they come."""
        self._scores, self._queues, self._entries = [], {}, 0
        for seat in seats:
            self.push(seat)

    def clean(self, seats: int) -> None:
        """Drop old entries if there are too many for that number of seats."""
        if self._entries <= _STALE * seats + _SMALL:
            return
        scores = sorted(self._queues)
        listed = [entry for score in scores for entry in self._queues[score]]
        self.fill([seat for number, seat in listed if number == seat.entry])

    def __iter__(self) -> Iterator[Seat]:
        queues = self._queues.values()
        return (seat for queue in queues for number, seat in queue if number == seat.entry)

    def _made(self, score: float) -> collections.deque[Entry]:
        """Return a new queue for a score."""
        queue: collections.deque[Entry] = collections.deque()
        self._queues[score] = queue
        heapq.heappush(self._scores, score)
        return queue
