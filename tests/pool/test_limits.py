"""What an upstream sees of known limits: never more than it allows, wherever it counts."""

import heapq
import itertools

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.pool import Outcome, Pick, Pool, Wish

START = 1_783_752_600.0  # 2026-07-11 06:50:00 UTC, ten minutes before midnight in California
MINUTE = 60.0


@attrs.define
class Upstream:
    """Counts the requests of each project when it receives them."""

    seen: dict[str, list[float]] = attrs.field(factory=dict)

    def receive(self, project: str, at: float) -> None:
        self.seen.setdefault(project, []).append(at)

    def most_in_a_minute(self) -> int:
        most = 0
        for times in self.seen.values():
            times.sort()
            for first in times:
                most = max(most, sum(first <= at < first + MINUTE - 1e-6 for at in times))
        return most

    def most_in_a_day(self) -> int:
        days = (
            len(list(of_a_day))
            for times in self.seen.values()
            for _, of_a_day in itertools.groupby(sorted(times), lambda at: day_of(at).name)
        )
        return max(days, default=0)


@attrs.frozen
class Call:
    """A request: the pause before it, its worker, and how long until the head of its answer.

    ``share`` says where between the pick and the head the upstream counts it.
    """

    pause: float
    worker: int
    head: float
    share: float


calls = st.builds(
    Call,
    pause=st.sampled_from([0.0, 0.0, 1.0, 5.0, 25.0, 55.0]),
    worker=st.integers(0, 2),
    head=st.sampled_from([0.0, 1.0, 20.0, 90.0]),
    share=st.sampled_from([0.0, 0.5, 1.0]),
)


@pytest.mark.parametrize("workers", [1, 3])
@settings(max_examples=50)
@given(limits=st.builds(Limits, rpm=st.integers(3, 5), rpd=st.integers(6, 15)), run=st.data())
def test_no_upstream_sees_more_than_the_limits(
    workers: int, limits: Limits, run: st.DataObject
) -> None:
    projects = [Project(name, (Key(name, name),)) for name in ("A", "B")]
    pools = [Pool(projects, "round_robin", {"m": limits}, workers) for _ in range(workers)]
    upstream, now = Upstream(), START
    flying: list[tuple[float, int, Pool, Pick]] = []
    for number, call in enumerate(run.draw(st.lists(calls, min_size=20, max_size=60))):
        now += call.pause
        while flying and flying[0][0] <= now:
            at, _, pool, pick = heapq.heappop(flying)
            pool.over(pick, Outcome(200), at)
        pool = pools[call.worker % workers]
        answer = pool.pick(Wish("m"), now)
        if isinstance(answer, Pick):
            heapq.heappush(flying, (now + call.head, number, pool, answer))
            upstream.receive(answer.key.project, now + call.share * call.head)

    assert upstream.most_in_a_minute() <= limits.rpm
    assert upstream.most_in_a_day() <= limits.rpd


def test_a_request_that_midnight_meets_in_flight_counts_for_the_new_day() -> None:
    pool = Pool([Project("A", (Key("A", "A"),))], "round_robin", {"m": Limits(rpd=2)})
    midnight = day_of(START).end
    flying = pool.pick(Wish("m"), midnight - 1)
    assert isinstance(flying, Pick)
    pool.over(flying, Outcome(200), midnight + 1)

    assert isinstance(pool.pick(Wish("m"), midnight + 2), Pick)
    assert not isinstance(pool.pick(Wish("m"), midnight + 3), Pick)
