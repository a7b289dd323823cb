"""The page that a scraper reads: Prometheus' text, OpenMetrics, or JSON.

prometheus_client says which text an Accept header asks for, and its parsers check ours in the
tests. The lines are written here: the library takes 80 ms of the event loop for the 6,000 lines of
a pool with 50 keys and 20 models, and we take a tenth of it (``python bench/metrics.py``). The loop
has its turn after each few hundred lines, so that streams go on. The lines of a page are all of one
snapshot.

JSON is an object by the names of metrics: ``{"type", "help", "samples"}``, each sample with its
``labels`` and a ``value``, or with ``count``, ``sum`` and ``buckets`` (upper end -> observations
up to it).
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import msgspec
from prometheus_client.exposition import choose_encoder

from gemproxy.metrics.counts import Exemplar, Labels
from gemproxy.metrics.families import FAMILIES, Family, Kind
from gemproxy.metrics.snapshot import Snapshot, Tally

JSON = "application/json; charset=utf-8"
AT_ONCE = 256
"""Lines that are written before the event loop has its turn."""
_OPENMETRICS = "application/openmetrics-text"
_LONGEST_ID = 100
"""OpenMetrics allows 128 characters for the labels of an exemplar."""
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@attrs.frozen
class Page:
    """A page and its Content-Type."""

    body: bytes
    content_type: str


async def text(snapshot: Snapshot, accept: str) -> Page:
    """Return the page in the text format that an Accept header asks for."""
    _, content_type = choose_encoder(accept)
    openmetrics = content_type.startswith(_OPENMETRICS)
    lines: list[str] = []
    turn = AT_ONCE
    for family in FAMILIES:
        for number, written in enumerate(_lines(family, snapshot, exemplars=openmetrics)):
            if not number:
                lines += _head(family, openmetrics=openmetrics)
            lines += written
            if len(lines) >= turn:
                turn = len(lines) + AT_ONCE
                await asyncio.sleep(0)
    if openmetrics:
        lines.append("# EOF")
    return Page("\n".join([*lines, ""]).encode(), content_type)


def _head(family: Family, *, openmetrics: bool) -> Iterator[str]:
    """Yield the lines that describe a metric; OpenMetrics names a counter without its suffix."""
    name = family.name if openmetrics else family.shown
    yield f"# HELP {name} {family.help}"
    yield f"# TYPE {name} {family.kind.value}"
    if openmetrics and family.unit:
        yield f"# UNIT {name} {family.unit}"


def _lines(family: Family, snapshot: Snapshot, *, exemplars: bool) -> Iterator[list[str]]:
    """Yield the lines of each sample; a histogram has several."""
    if family.kind is Kind.HISTOGRAM:
        for labels, tally in snapshot.histograms.get(family.name, ()):
            yield _of_histogram(family, labels, tally, exemplars=exemplars)
        return
    for labels, value in _pairs(family, snapshot):
        named = _named(family, labels)
        series = f"{family.shown}{{{named}}}" if named else family.shown
        yield [f"{series} {float(value)!r}"]


def _pairs(family: Family, snapshot: Snapshot) -> Iterable[tuple[Labels, float]]:
    numbers = snapshot.counters if family.is_counter else snapshot.gauges
    return numbers.get(family.name, ())


def _named(family: Family, labels: Labels) -> str:
    """Return labels as they stand between braces."""
    pairs = zip(family.labels, labels, strict=True)
    return ",".join([f'{name}="{value.translate(_ESCAPED)}"' for name, value in pairs])


def _of_histogram(family: Family, labels: Labels, tally: Tally, *, exemplars: bool) -> list[str]:
    named = _named(family, labels)
    start = f'{family.name}_bucket{{{named}{"," if named else ""}le="'
    lines = [f'{start}{end}"}} {float(count)!r}' for end, count in _cumulative(family, tally)]
    if exemplars:
        for place, exemplar in tally.exemplars.items():
            lines[place] += _shown(exemplar)
    braces = f"{{{named}}}" if named else ""
    lines.append(f"{family.name}_count{braces} {float(sum(tally.counts))!r}")
    lines.append(f"{family.name}_sum{braces} {tally.sum!r}")
    return lines


def _shown(exemplar: Exemplar) -> str:
    """Return what stands behind the value of a bucket."""
    request_id, value, at = exemplar
    if len(request_id) > _LONGEST_ID:
        return ""
    return f' # {{request_id="{request_id.translate(_ESCAPED)}"}} {value!r} {at:.3f}'


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
    for labels, value in _pairs(family, snapshot):
        yield {"labels": dict(zip(family.labels, labels, strict=True)), "value": value}
