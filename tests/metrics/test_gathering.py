"""One scrape of several workers, also while one of them does not answer."""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from gemproxy.metrics import families
from gemproxy.metrics.counts import Counts
from gemproxy.metrics.gathering import Gathering
from gemproxy.metrics.snapshot import Snapshot, Value

SERIES = ("stream", "m", "200", "done")


@attrs.frozen
class Told:
    worker: int
    document: Any


@attrs.frozen
class AllTold:
    answers: Sequence[Told]
    asked: int


@attrs.define(eq=False)
class House:
    """Workers that ask each other; those in ``deaf`` do not answer."""

    workers: list[Gathering] = attrs.field(factory=list)
    deaf: set[int] = attrs.field(factory=set)
    now: float = 1000.0

    @classmethod
    def of(cls, number: int) -> "House":
        house = cls()
        for own in range(number):
            others = [other for other in range(number) if other != own]
            counts = Counts()
            house.workers.append(
                Gathering(
                    counts, [reading(own)], Socket(house, own), others, clock=lambda: house.now
                )
            )
        return house

    def count(self, worker: int, times: int = 1) -> None:
        counts = self.workers[worker].counts
        counts.counters[families.REQUESTS][SERIES] += times
        cell = counts.histograms[families.REQUEST_SECONDS]
        for _ in range(times):
            cell.observe_with(("stream", "m"), 0.2, f"of-{worker}", self.now)


def reading(own: int) -> Any:
    def read() -> list[Value]:
        return [
            (families.INFLIGHT_REQUESTS, (), own + 1),
            (families.LOOP_LAG, (), own / 10),
            (families.STARTED, (), 50 - own),
            (families.CPU_SECONDS, (), 2.0),
        ]

    return read


@attrs.frozen
class Socket:
    """What one worker asks through; documents go through JSON, as between processes."""

    house: House
    own: int

    async def ask(self, path: str, document: Any = None) -> AllTold:
        assert path == "metrics"
        told = []
        for number, worker in enumerate(self.house.workers):
            if number != self.own and number not in self.house.deaf:
                sent = msgspec.json.decode(msgspec.json.encode(document))
                answer = await worker.answer(sent)
                told.append(Told(number, msgspec.json.decode(msgspec.json.encode(answer))))
        return AllTold(told, len(self.house.workers) - 1)


def requests(snapshot: Snapshot) -> float:
    return dict(snapshot.counters[families.REQUESTS.name])[SERIES]


def gauge(snapshot: Snapshot, family: families.Family, *labels: str) -> float:
    return dict(snapshot.gauges[family.name])[labels]


async def test_a_scrape_of_any_worker_tells_of_all() -> None:
    house = House.of(3)
    for worker in range(3):
        house.count(worker, times=worker + 1)

    for asked in house.workers:
        whole = await asked.whole()
        ((labels, tally),) = whole.histograms[families.REQUEST_SECONDS.name]
        assert requests(whole) == 6
        assert labels == ("stream", "m")
        assert sum(tally.counts) == 6
        assert gauge(whole, families.INFLIGHT_REQUESTS) == 6
        assert gauge(whole, families.LOOP_LAG) == 0.2
        assert gauge(whole, families.STARTED) == 48
        assert gauge(whole, families.WORKERS, "answered") == 3
        assert gauge(whole, families.WORKERS, "silent") == 0
        assert dict(whole.counters[families.CPU_SECONDS.name])[()] == 6


async def test_counters_of_a_silent_worker_stay_and_its_gauges_go() -> None:
    house = House.of(2)
    house.count(1, times=5)
    await house.workers[0].whole()
    house.deaf = {1}
    house.count(0)
    whole = await house.workers[0].whole()

    assert requests(whole) == 6
    assert gauge(whole, families.INFLIGHT_REQUESTS) == 1
    assert gauge(whole, families.WORKERS, "silent") == 1


async def test_no_counter_falls_from_one_scraped_worker_to_the_next() -> None:
    house = House.of(3)
    house.count(2, times=1)
    await house.workers[0].whole()
    house.now += 10
    house.count(2, times=1)
    later = await house.workers[1].whole()
    house.deaf = {2}
    house.now += 10

    assert requests(later) == 2
    assert requests(await house.workers[0].whole()) == 2
    assert requests(await house.workers[1].whole()) == 2


async def test_a_worker_that_never_answered_counts_as_nothing() -> None:
    house = House.of(2)
    house.deaf = {1}
    house.count(0)
    whole = await house.workers[0].whole()

    assert requests(whole) == 1
    assert gauge(whole, families.WORKERS, "silent") == 1


async def test_the_exemplar_of_a_bucket_is_the_latest_of_all_workers() -> None:
    house = House.of(2)
    house.count(0)
    house.now += 1
    house.count(1)
    whole = await house.workers[0].whole()
    ((_, tally),) = whole.histograms[families.REQUEST_SECONDS.name]

    assert [exemplar[0] for exemplar in tally.exemplars.values()] == ["of-1"]


async def test_a_single_process_asks_nobody() -> None:
    alone = Gathering(Counts(), clock=lambda: 1.0)
    whole = await alone.whole()

    assert gauge(whole, families.WORKERS, "answered") == 1
    assert whole.at == 1.0
