"""Pages in three formats, of one snapshot."""

import asyncio
import json
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics

from gemproxy.metrics import families, page
from gemproxy.metrics.counts import Counts
from gemproxy.metrics.families import FAMILIES, Kind
from gemproxy.metrics.snapshot import Snapshot, take
from tests.scraping import read

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
"""What Prometheus 3 sends."""


def everything() -> Snapshot:
    """Return a snapshot with two samples of each family that has labels, else one."""
    counts = Counts()
    for family, numbers in counts.counters.items():
        numbers[labels(family, "a")] = 3
        numbers[labels(family, 'b"\\\n')] = 0.5
    for family, histogram in counts.histograms.items():
        histogram.observe_with(labels(family, "a"), 0.3, "request-1", 1_795_000_000.25)
        histogram.observe(labels(family, "a"), 1e9)
    values = [
        (family, labels(family, text), number)
        for family in families.READ
        for text, number in (("a", 1.0), ("b", 2.0))[: 2 if family.labels else 1]
    ]
    return take(counts, values, 5.0)


def labels(family: families.Family, text: str) -> tuple[str, ...]:
    return tuple(f"{text}-{name}" for name in family.labels)


async def test_the_text_has_every_metric_with_its_help_and_type() -> None:
    shown = await page.text(everything(), "")
    scrape = read(shown.body.decode())

    assert shown.content_type == "text/plain; version=0.0.4; charset=utf-8"
    for family in FAMILIES:
        kind = family.kind.value
        assert f"# HELP {family.shown} {family.help}\n".encode() in shown.body
        assert shown.body.count(f"# TYPE {family.shown} {kind}\n".encode()) == 1
    assert scrape.sum("gemproxy_stream_repair_delay_seconds_bucket", le="0.5") == 1
    assert scrape.sum("gemproxy_stream_repair_delay_seconds_bucket", le="+Inf") == 2
    assert scrape.sum("gemproxy_stream_repair_delay_seconds_count") == 2
    assert scrape.sum("gemproxy_requests_total") == 3.5


@pytest.mark.parametrize("accept", [OPENMETRICS, PROMETHEUS])
async def test_openmetrics_is_whole_and_has_exemplars(accept: str) -> None:
    shown = await page.text(everything(), accept)
    parse: Any = openmetrics.text_string_to_metric_families  # has no types
    found = {family.name: family for family in parse(shown.body.decode())}

    assert shown.body.endswith(b"# EOF\n")
    assert shown.body.count(b"# EOF") == 1
    assert set(found) == {family.name for family in FAMILIES}
    exemplars = [
        sample.exemplar
        for family in found.values()
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert {one.labels["request_id"] for one in exemplars} == {"request-1"}
    assert {float(one.timestamp) for one in exemplars} == {1_795_000_000.25}


async def test_a_long_request_id_is_no_exemplar() -> None:
    counts = Counts()
    histogram = counts.histograms[families.REQUEST_SECONDS]
    histogram.observe_with(("stream", "m"), 0.3, "x" * 101, 1.0)
    shown = await page.text(take(counts, (), 1.0), OPENMETRICS)

    assert b"xxx" not in shown.body


async def test_the_loop_has_its_turn_while_a_large_page_is_written() -> None:
    counts = Counts()
    for number in range(page.AT_ONCE * 10):
        counts.counters[families.ATTEMPTS]["m", "200", f"key-{number}"] = 1
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    shown = await page.text(take(counts, (), 1.0), "")
    task.cancel()

    assert turns >= 10
    assert shown.body.count(b"\ngemproxy_upstream_attempts_total{") == page.AT_ONCE * 10


async def test_json_has_the_same_numbers() -> None:
    document = json.loads((await page.json(everything())).body)

    assert list(document) == [family.shown for family in FAMILIES]
    assert document["gemproxy_keys"] == {
        "type": "gauge",
        "help": families.KEYS.help,
        "samples": [
            {"labels": {"state": "a-state"}, "value": 1},
            {"labels": {"state": "b-state"}, "value": 2},
        ],
    }
    (delay,) = document["gemproxy_stream_repair_delay_seconds"]["samples"]
    assert delay["count"] == 2
    assert delay["buckets"]["0.25"] == 0
    assert delay["buckets"]["0.5"] == 1


def test_names_follow_the_conventions() -> None:
    names = [family.name for family in FAMILIES]

    assert len(set(names)) == len(names)
    for family in FAMILIES:
        assert not family.name.endswith("_total")
        assert family.help.endswith(".")
        assert bool(family.bounds) is (family.kind is Kind.HISTOGRAM)
        assert not family.unit or family.name.endswith(f"_{family.unit}")
        assert list(family.bounds) == sorted(family.bounds)
