"""The page that a scraper reads: Prometheus' text, OpenMetrics, or JSON.

prometheus_client writes both text formats, and says which one an Accept header asks for. It gets a
few dozen samples at a time, and the event loop has its turn in between: a page of a large pool has
ten thousand lines, and streams go on meanwhile. The lines of a page are all of one snapshot.

JSON is an object by the names of metrics: ``{"type", "help", "samples"}``, each sample with its
``labels`` and a ``value``, or with ``count``, ``sum`` and ``buckets`` (upper end -> observations
up to it).
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import msgspec
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from gemproxy.metrics.counts import Labels
from gemproxy.metrics.families import FAMILIES, Family, Kind
from gemproxy.metrics.snapshot import Snapshot, Tally

JSON = "application/json; charset=utf-8"
AT_ONCE = 64
"""Samples that are written before the event loop has its turn."""
_LONGEST_ID = 100
"""OpenMetrics allows 128 characters for the labels of an exemplar."""

Encoder = Callable[[Collector], bytes]


@attrs.frozen
class Page:
    """A page and its Content-Type."""

    body: bytes
    content_type: str


class _One(Collector):
    """A registry of one metric, whose samples may be some of its samples."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        yield self._metric


async def text(snapshot: Snapshot, accept: str) -> Page:
    """Return the page in the text format that an Accept header asks for."""
    encode, content_type = choose_encoder(accept)
    exemplars = content_type.startswith("application/openmetrics-text")
    lines: list[bytes] = []
    for family in FAMILIES:
        first = True
        for metric in _portions(family, snapshot, exemplars=exemplars):
            lines.extend(_lines(encode(_One(metric)), head=first))
            first = False
            await asyncio.sleep(0)
    if exemplars:
        lines.append(b"# EOF")
    return Page(b"\n".join([*lines, b""]), content_type)


def _lines(written: bytes, *, head: bool) -> list[bytes]:
    """Return the lines about one metric, with those that describe it only for a ``head``."""
    lines = written.splitlines()
    if lines[-1] == b"# EOF":
        lines.pop()
    return lines if head else [line for line in lines if not line.startswith(b"# ")]


def _portions(family: Family, snapshot: Snapshot, *, exemplars: bool) -> Iterator[Metric]:
    """Yield a family with some of its samples at a time; nothing for one without any."""
    if family.kind is Kind.HISTOGRAM:
        for labels, tally in snapshot.histograms.get(family.name, ()):
            metric = _metric(family)
            _add_histogram(metric, family, labels, tally, exemplars=exemplars)
            yield metric
        return
    pairs = (snapshot.counters if family.is_counter else snapshot.gauges).get(family.name, [])
    for start in range(0, len(pairs), AT_ONCE):
        metric = _metric(family)
        for labels, value in pairs[start : start + AT_ONCE]:
            metric.add_sample(family.shown, dict(zip(family.labels, labels, strict=True)), value)
        yield metric


def _metric(family: Family) -> Metric:
    return Metric(family.name, family.help, family.kind.value, family.unit)


def _add_histogram(
    metric: Metric, family: Family, labels: Labels, tally: Tally, *, exemplars: bool
) -> None:
    named = dict(zip(family.labels, labels, strict=True))
    for place, (end, count) in enumerate(_cumulative(family, tally)):
        exemplar = tally.exemplars.get(place) if exemplars else None
        metric.add_sample(
            f"{family.name}_bucket",
            {**named, "le": end},
            count,
            exemplar=_shown(exemplar) if exemplar else None,
        )
    metric.add_sample(f"{family.name}_count", named, sum(tally.counts))
    metric.add_sample(f"{family.name}_sum", named, tally.sum)


def _shown(exemplar: tuple[str, float, float]) -> Exemplar | None:
    request_id, value, at = exemplar
    if len(request_id) > _LONGEST_ID:
        return None
    return Exemplar({"request_id": request_id}, value, round(at, 3))


def _cumulative(family: Family, tally: Tally) -> Iterator[tuple[str, int]]:
    """Yield the upper end of each bucket, and the observations up to it."""
    total = 0
    ends = (*map(str, family.bounds), "+Inf")
    for end, count in zip(ends, tally.counts, strict=True):
        total += count
        yield end, total


async def json(snapshot: Snapshot) -> Page:
    """Return the page as JSON."""
    document: dict[str, Any] = {}
    for family in FAMILIES:
        samples = list(_samples(family, snapshot))
        if samples:
            kind = family.kind.value
            document[family.shown] = {"type": kind, "help": family.help, "samples": samples}
        await asyncio.sleep(0)
    return Page(msgspec.json.encode(document), JSON)


def _samples(family: Family, snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    if family.kind is Kind.HISTOGRAM:
        for labels, tally in snapshot.histograms.get(family.name, ()):
            yield {
                "labels": dict(zip(family.labels, labels, strict=True)),
                "count": sum(tally.counts),
                "sum": tally.sum,
                "buckets": dict(_cumulative(family, tally)),
            }
        return
    pairs = (snapshot.counters if family.is_counter else snapshot.gauges).get(family.name, ())
    for labels, value in pairs:
        yield {"labels": dict(zip(family.labels, labels, strict=True)), "value": value}
