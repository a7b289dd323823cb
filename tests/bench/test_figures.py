"""Figures, ratios by round, and the tables that show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import (
    DIRECT,
    Counted,
    Run,
    Spread,
    Table,
    figures,
    lines_of,
    scenario_report,
    span,
    spread,
    with_added_latency,
)
from bench.scenarios import SCENARIOS

REPORT = {"seconds": 2.0, "events": 1000, "answers": 10, "bytes": 4_000_000}
PROXY = Counted(cpu_seconds=0.5, idle_bytes=10_000_000, peak_bytes=50_000_000, start_seconds=0.25)


def run(contender: str, turn: int, scenario: str = "S1b", **found: float) -> Run:
    return Run(scenario, contender, turn, found)


def test_rates_are_over_the_measured_window() -> None:
    found = figures(SCENARIOS["S1b"], REPORT, Counted())

    assert (found["events_per_s"], found["requests_per_s"], found["mb_per_s"]) == (500, 5, 2)


def test_processor_time_and_memory_are_shared_among_events_and_streams() -> None:
    found = figures(SCENARIOS["S3"], REPORT, PROXY)

    assert found["cpu_us_per_event"] == 500
    assert found["kb_per_stream"] == 20
    assert (found["start_ms"], found["idle_mb"]) == (250, 10)


def test_memory_of_a_large_event_is_counted_in_events() -> None:
    assert figures(SCENARIOS["S6"], REPORT, PROXY)["growth_in_events"] == 2


def test_a_proxy_that_shrank_has_no_negative_memory() -> None:
    shrunk = Counted(idle_bytes=5, peak_bytes=3, start_seconds=1)

    assert figures(SCENARIOS["S3"], REPORT, shrunk)["kb_per_stream"] == 0


def test_the_direct_way_has_neither_processor_time_nor_memory() -> None:
    assert not figures(SCENARIOS["S6"], REPORT, Counted()).keys() & {
        "cpu_us_per_event",
        "kb_per_stream",
        "growth_in_events",
        "start_ms",
    }


def test_added_latency_is_that_above_the_direct_way_of_the_same_round() -> None:
    def aged(contender: str, turn: int, middle: float) -> Run:
        ages = {"age_p50_us": middle, "age_p99_us": 100.0, "first_event_p50_us": 7.0}
        return Run("S1b", contender, turn, ages)

    runs = [
        aged(DIRECT, 0, 10),
        aged("pipe", 0, 30),
        aged("pipe", 1, 50),
        aged(DIRECT, 1, 40),
    ]

    table = Table(with_added_latency(runs))

    assert table.by_round("S1b", "pipe", "added_p50_us") == {0: 20, 1: 10}
    assert table.by_round("S1b", "pipe", "added_p99_us") == {0: 0, 1: 0}
    assert table.by_round("S1b", DIRECT, "added_p50_us") == {}


def test_a_ratio_is_made_within_each_round() -> None:
    table = Table(
        [
            run("gemproxy", 0, events_per_s=50),
            run("gemproxy", 1, events_per_s=300),
            run("gemproxy", 2, events_per_s=60),
            run("pipe", 0, events_per_s=100),
            run("pipe", 1, events_per_s=1000),
            run("pipe", 2, events_per_s=300),
        ]
    )

    ratio = table.ratio("events_per_s", ("S1b", "gemproxy"), ("S1b", "pipe"))

    assert ratio == Spread(0.2, 0.3, 0.5)


def test_a_round_without_one_of_both_has_no_ratio() -> None:
    table = Table([run("gemproxy", 0, x=1), run("pipe", 1, x=1), run("nginx", 0, x=-1)])

    assert table.ratio("x", ("S1b", "gemproxy"), ("S1b", "pipe")) is None
    assert table.ratio("x", ("S1b", "gemproxy"), ("S1b", "nginx")) is None


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_the_median_lies_between_the_extremes(values: list[float]) -> None:
    found = spread(values)

    assert min(values) == found.low <= found.middle <= found.high == max(values)


@pytest.mark.parametrize(
    ("values", "decimals", "text"),
    [
        (Spread(1000, 2000, 1234567), 0, "2,000 (1,000..1,234,567)"),
        (Spread(0.126, 0.126, 0.126), 2, "0.13"),
    ],
)
def test_a_span_is_written_for_people(values: Spread, decimals: int, text: str) -> None:
    assert span(values, decimals) == text


def test_columns_are_aligned() -> None:
    assert lines_of([["", "n"], ["pipe", "10"], ["nginx", "1,000"]]) == [
        "           n",
        "pipe      10",
        "nginx  1,000",
    ]


def test_a_report_shows_figures_then_ratios_then_failures() -> None:
    table = Table(
        [
            run(DIRECT, 0, events_per_s=1000),
            run("gemproxy", 0, events_per_s=250, cpu_us_per_event=4, bad=2, unfinished=1),
        ]
    )

    assert scenario_report(table, SCENARIOS["S1b"], "gemproxy") == [
        "S1b  64 streams of 200 events, writes of 64 KiB",
        "          events/s  CPU us/event",
        "direct       1,000             -",
        "gemproxy       250          4.00",
        "",
        "ratio              events/s  CPU us/event",
        "gemproxy / direct      0.25             -",
        "gemproxy: 2 answers wrong or broken, 1 not complete in time",
        "",
    ]
