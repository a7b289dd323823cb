"""The numbers behind the metrics, in plain dictionaries.

The objects of prometheus_client lock and check each change, which costs a request of ours several
per cent. All changes here come from the one thread of the event loop, so a dictionary of numbers
by label values is enough: the C code of ``defaultdict`` finds a number and Python adds to it. The
library renders the numbers when they are asked for (``metrics.page``).
"""

from bisect import bisect_left
from collections import defaultdict

import attrs
import msgspec

from gemproxy.metrics.families import COUNTED, Family, Kind

Labels = tuple[str, ...]
Exemplar = tuple[str, float, float]
"""A request id, the observed value, and the Unix time of it (seconds)."""


class Cell(msgspec.Struct, gc=False):
    """A histogram with one set of labels.

    ``counts`` has the observations of each bucket alone, the last of them without an upper end.
    ``exemplars`` has the latest of a bucket, by its place.
    """

    counts: list[int]
    sum: float = 0.0
    exemplars: dict[int, Exemplar] = {}


@attrs.define(eq=False)
class Histogram:
    """The histograms of one family, by label values."""

    bounds: tuple[float, ...]
    cells: dict[Labels, Cell] = attrs.field(factory=dict)

    def cell(self, labels: Labels) -> Cell:
        """Return the histogram with these label values; a new one is empty."""
        found = self.cells.get(labels)
        if found is None:
            found = self.cells[labels] = Cell([0] * (len(self.bounds) + 1))
        return found

    def observe(self, labels: Labels, value: float) -> None:
        """Count one value."""
        cell = self.cells.get(labels) or self.cell(labels)
        cell.counts[bisect_left(self.bounds, value)] += 1
        cell.sum += value

    def observe_with(self, labels: Labels, value: float, request_id: str, at: float) -> None:
        """Count one value, and keep the request as the exemplar of its bucket."""
        cell = self.cells.get(labels) or self.cell(labels)
        place = bisect_left(self.bounds, value)
        cell.counts[place] += 1
        cell.sum += value
        cell.exemplars[place] = (request_id, value, at)


@attrs.define(eq=False)
class Counts:
    """All counters and histograms of one process, by family."""

    counters: dict[Family, defaultdict[Labels, float]] = attrs.field(init=False)
    histograms: dict[Family, Histogram] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.counters = {
            family: defaultdict(int) for family in COUNTED if family.kind is Kind.COUNTER
        }
        self.histograms = {
            family: Histogram(family.bounds) for family in COUNTED if family.kind is Kind.HISTOGRAM
        }
