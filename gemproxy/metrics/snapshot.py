"""All numbers of one process at one moment, as JSON that workers send to each other, and their sum.

A counter of the whole is the sum over the workers. One that does not answer a scrape keeps its last
known counters, because a counter that falls is read as a restart. Its gauges are left out: nobody
knows them now.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from gemproxy.metrics.counts import Cell, Counts, Exemplar, Labels
from gemproxy.metrics.families import Family, Merge

Value = tuple[Family, Labels, float]
Reading = Callable[[], Iterable[Value]]
"""Returns gauges (and counters that others keep) of this moment."""
Numbers = dict[str, dict[Labels, float]]


class Tally(msgspec.Struct, array_like=True):
    """A histogram with one set of labels; see ``counts.Cell``."""

    counts: list[int]
    sum: float
    exemplars: dict[int, Exemplar]


class Snapshot(msgspec.Struct):
    """Numbers by family and label values. ``at`` is a Unix time in seconds."""

    at: float
    counters: dict[str, list[tuple[Labels, float]]]
    gauges: dict[str, list[tuple[Labels, float]]]
    histograms: dict[str, list[tuple[Labels, Tally]]]

    def without_gauges(self) -> "Snapshot":
        """Return what may still be said of a process that does not answer."""
        return Snapshot(self.at, self.counters, {}, self.histograms)


def take(counts: Counts, values: Iterable[Value], at: float) -> Snapshot:
    """Return a snapshot of what was counted, and of ``values`` that were just read."""
    snapshot = Snapshot(
        at,
        {family.name: list(numbers.items()) for family, numbers in counts.counters.items()},
        {},
        {
            family.name: [(labels, _tally(cell)) for labels, cell in histogram.cells.items()]
            for family, histogram in counts.histograms.items()
        },
    )
    for family, labels, value in values:
        numbers = snapshot.counters if family.is_counter else snapshot.gauges
        numbers.setdefault(family.name, []).append((labels, value))
    return snapshot


def _tally(cell: Cell) -> Tally:
    return Tally(list(cell.counts), cell.sum, dict(cell.exemplars))


async def merged(snapshots: Sequence[Snapshot], merges: Mapping[str, Merge]) -> Snapshot:
    """Return the numbers of several processes as one; ``merges`` is by the names of gauges."""
    if len(snapshots) == 1:
        return snapshots[0]
    counters: Numbers = {}
    gauges: Numbers = {}
    histograms: dict[str, dict[Labels, Tally]] = {}
    for snapshot in snapshots:
        for name, pairs in snapshot.counters.items():
            _merge(counters.setdefault(name, {}), pairs, Merge.SUM)
        for name, pairs in snapshot.gauges.items():
            _merge(gauges.setdefault(name, {}), pairs, merges.get(name, Merge.SUM))
        for name, tallies in snapshot.histograms.items():
            _add(histograms.setdefault(name, {}), tallies)
        await asyncio.sleep(0)  # thousands of numbers take a few milliseconds
    return Snapshot(
        max(snapshot.at for snapshot in snapshots),
        {name: list(numbers.items()) for name, numbers in counters.items()},
        {name: list(numbers.items()) for name, numbers in gauges.items()},
        {name: list(cells.items()) for name, cells in histograms.items()},
    )


def _merge(into: dict[Labels, float], pairs: Iterable[tuple[Labels, float]], merge: Merge) -> None:
    for labels, value in pairs:
        known = into.get(labels)
        if known is None:
            into[labels] = value
        elif merge is Merge.SUM:
            into[labels] = known + value
        else:
            into[labels] = max(known, value) if merge is Merge.MAX else min(known, value)


def _add(into: dict[Labels, Tally], tallies: Iterable[tuple[Labels, Tally]]) -> None:
    for labels, tally in tallies:
        known = into.get(labels)
        if known is None:
            into[labels] = tally
            continue
        exemplars = dict(known.exemplars)
        for place, exemplar in tally.exemplars.items():
            if place not in exemplars or exemplars[place][2] < exemplar[2]:
                exemplars[place] = exemplar
        counts = [one + other for one, other in zip(known.counts, tally.counts, strict=True)]
        into[labels] = Tally(counts, known.sum + tally.sum, exemplars)
