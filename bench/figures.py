"""Figures, ratios and tables from the counts of a run.

The speed of a machine varies from minute to minute, so only the ratio of two figures of one round
is comparable. Ratios are computed for each round and shown as minimum, median and maximum over the
rounds.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence

import attrs

from bench.scenarios import Scenario

Figures = Mapping[str, float]
"""Key of a metric -> value, of one run."""

DIRECT = "direct"
"""The name of the runs without a proxy between clients and upstream."""


@attrs.frozen(kw_only=True)
class Counted:
    """The measurements of a proxy's run, besides those of the clients.

    ``cpu_seconds`` is the proxy's processor time in the measured window; sizes are bytes.
    """

    cpu_seconds: float = 0.0
    idle_bytes: int = 0
    peak_bytes: int = 0
    start_seconds: float = 0.0


@attrs.frozen
class Run:
    """The figures of one contender in one scenario and one round."""

    scenario: str
    contender: str
    round: int
    figures: Figures


@attrs.frozen
class Spread:
    """Minimum, median and maximum over the rounds."""

    low: float
    middle: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    return Spread(min(values), statistics.median(values), max(values))


def figures(scenario: Scenario, report: Mapping[str, float], counted: Counted) -> dict[str, float]:
    """Return the figures of a run: the clients' own, and derived ones."""
    seconds, events = report["seconds"], report["events"]
    growth = max(0, counted.peak_bytes - counted.idle_bytes)
    found = {
        **report,
        "events_per_s": events / seconds,
        "requests_per_s": report["answers"] / seconds,
        "mb_per_s": report["bytes"] / seconds / 1e6,
    }
    if counted.start_seconds:
        found["start_ms"] = counted.start_seconds * 1000
        found["idle_mb"] = counted.idle_bytes / 1e6
        found["kb_per_stream"] = growth / scenario.connections / 1000
    if counted.start_seconds and events:
        found["cpu_us_per_event"] = counted.cpu_seconds / events * 1e6
    if counted.start_seconds and scenario.big_bytes:
        found["growth_in_events"] = growth / scenario.big_bytes
    return found


def with_added_latency(runs: Iterable[Run]) -> list[Run]:
    """Return the runs with the time that each proxy adds to the direct way in its round."""
    runs = list(runs)
    direct = {(run.scenario, run.round): run.figures for run in runs if run.contender == DIRECT}
    return [
        attrs.evolve(run, figures={**run.figures, **_added(run.figures, base)})
        if (base := direct.get((run.scenario, run.round))) is not None and run.contender != DIRECT
        else run
        for run in runs
    ]


def _added(own: Figures, direct: Figures) -> dict[str, float]:
    names = {
        "added_p50_us": "age_p50_us",
        "added_p99_us": "age_p99_us",
        "added_first_us": "first_event_p50_us",
    }
    return {name: own[key] - direct[key] for name, key in names.items()}


@attrs.frozen
class Table:
    """Runs, indexed by scenario, contender and metric."""

    runs: Sequence[Run]

    def by_round(self, scenario: str, contender: str, key: str) -> dict[int, float]:
        """Return a figure for each round that has it."""
        return {
            run.round: run.figures[key]
            for run in self.runs
            if (run.scenario, run.contender) == (scenario, contender) and key in run.figures
        }

    def contenders(self, scenario: str) -> list[str]:
        """Return the contenders of a scenario, in the order of the first round."""
        return list(dict.fromkeys(run.contender for run in self.runs if run.scenario == scenario))

    def figure(self, key: str, whose: tuple[str, str]) -> Spread | None:
        """Return a figure of a (scenario, contender) over the rounds; None without any."""
        values = list(self.by_round(*whose, key).values())
        return spread(values) if values else None

    def ratio(self, key: str, one: tuple[str, str], other: tuple[str, str]) -> Spread | None:
        """Return the ratio of two figures, each of a (scenario, contender), over the rounds.

        None if no round has both; a round with a divisor that is not positive has no ratio.
        """
        above, below = self.by_round(*one, key), self.by_round(*other, key)
        ratios = [above[r] / below[r] for r in sorted(above) if below.get(r, 0) > 0]
        return spread(ratios) if ratios else None


def number(value: float, decimals: int = 0) -> str:
    """Return a figure for people: 1,234 or 0.29."""
    return f"{value:,.{decimals}f}"


def span(values: Spread, decimals: int = 0) -> str:
    """Return "median (minimum..maximum)", or one figure where there was only one round."""
    if values.low == values.high:
        return number(values.middle, decimals)
    low, middle, high = (number(v, decimals) for v in (values.low, values.middle, values.high))
    return f"{middle} ({low}..{high})"


def lines_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with columns, the first left-aligned, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def scenario_report(table: Table, scenario: Scenario, subject: str) -> list[str]:
    """Return the lines of one scenario: the figures, then the ratios of ``subject``."""
    present = table.contenders(scenario.name)
    head = ["", *(metric.title for metric in scenario.metrics)]
    rows = [head, *([name, *_cells(table, scenario, name)] for name in present)]
    lines = [f"{scenario.name}  {scenario.title}", *lines_of(rows)]
    others = [name for name in present if name != subject]
    if subject in present and others:
        ratios = [
            [f"{subject} / {name}", *_ratios(table, scenario, subject, name)] for name in others
        ]
        lines += ["", *lines_of([["ratio", *head[1:]], *ratios])]
    return [*lines, *_failures(table, scenario, present), ""]


def _cells(table: Table, scenario: Scenario, name: str) -> Iterable[str]:
    for metric in scenario.metrics:
        values = table.figure(metric.key, (scenario.name, name))
        yield span(values, metric.decimals) if values else "-"


def _ratios(table: Table, scenario: Scenario, subject: str, other: str) -> Iterable[str]:
    for metric in scenario.metrics:
        ratio = table.ratio(metric.key, (scenario.name, subject), (scenario.name, other))
        yield span(ratio, 2) if ratio else "-"


def _failures(table: Table, scenario: Scenario, present: Sequence[str]) -> Iterable[str]:
    """Yield a line for each contender with bad answers."""
    for name in present:
        bad, late = (
            sum(table.by_round(scenario.name, name, key).values()) for key in ("bad", "unfinished")
        )
        if bad or late:
            yield f"{name}: {bad:.0f} answers wrong or broken, {late:.0f} not complete in time"
