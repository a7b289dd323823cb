"""Reads a page of metrics as a scraper does."""

from collections.abc import Mapping
from typing import Any

import attrs
from prometheus_client import parser

from tests.running import Proxy
from tests.wire import Answer

Labels = tuple[tuple[str, str], ...]


@attrs.frozen
class Scrape:
    """The samples of one page, by name and labels."""

    samples: Mapping[tuple[str, Labels], float]
    page: str

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the series that have these labels."""
        wanted = set(labels.items())
        found = [
            number
            for (sample, given), number in self.samples.items()
            if sample == name and wanted <= set(given)
        ]
        return sum(found)

    def has(self, name: str, **labels: str) -> bool:
        """Return whether there is this series."""
        return (name, tuple(sorted(labels.items()))) in self.samples


def read(page: str) -> Scrape:
    """Return the samples of a page in Prometheus' text; no series may come twice."""
    found: dict[tuple[str, Labels], float] = {}
    parse: Any = parser.text_string_to_metric_families  # has no types
    for family in parse(page):
        assert family.documentation, family.name
        for sample in family.samples:
            series = sample.name, tuple(sorted(sample.labels.items()))
            assert series not in found, series
            found[series] = sample.value
    return Scrape(found, page)


async def ask(proxy: Proxy, target: str = "/metrics", **headers: str) -> Answer:
    """Ask a proxy for its metrics."""
    return await proxy.ask(target, b"", headers, method="GET")


async def scrape(proxy: Proxy) -> Scrape:
    """Return the samples of a proxy."""
    answer = await ask(proxy)
    assert answer.status == 200
    return read(answer.body.decode())
