"""Goals: which way a bound goes, and what is compared with what."""

import pytest

from bench.figures import Run, Spread, Table
from bench.goals import GOALS, Goal, goals_report
from bench.scenarios import CPU, EVENTS, GROWTH, REQUESTS, SCENARIOS

MORE = Goal("S1b", EVENTS, "pipe", 0.5, 0.7)
LESS = Goal("S2", CPU, "pipe", 1.2, 1.1)


@pytest.mark.parametrize(
    ("goal", "median", "verdict"),
    [
        (MORE, 0.4, "MISSED"),
        (MORE, 0.5, "met"),
        (MORE, 0.7, "aim"),
        (LESS, 1.3, "MISSED"),
        (LESS, 1.2, "met"),
        (LESS, 1.1, "aim"),
    ],
)
def test_the_metric_says_which_way_a_bound_goes(goal: Goal, median: float, verdict: str) -> None:
    assert goal.verdict(Spread(0, median, 9)) == verdict


def test_a_goal_may_compare_two_scenarios_of_gemproxy() -> None:
    table = Table(
        [
            Run("S7", "gemproxy", 0, {"events_per_s": 60}),
            Run("S1b", "gemproxy", 0, {"events_per_s": 100}),
        ]
    )
    goal = Goal("S7", EVENTS, "gemproxy", 0.65, 0.85, beside="S1b")

    assert goal.value(table) == Spread(0.6, 0.6, 0.6)


def test_a_goal_may_compare_gemproxy_with_itself() -> None:
    table = Table(
        [
            Run("S4", "pooled", 0, {"requests_per_s": 95}),
            Run("S4", "gemproxy", 0, {"requests_per_s": 100}),
        ]
    )
    goal = Goal("S4", REQUESTS, "gemproxy", 0.93, 1, of="pooled")

    assert goal.value(table) == Spread(0.95, 0.95, 0.95)
    assert goal.title == "S4 requests/s pooled"


def test_a_goal_that_is_not_relative_is_the_figure_itself() -> None:
    table = Table([Run("S6", "gemproxy", 0, {"growth_in_events": 2.5})])

    assert Goal("S6", GROWTH, "", 3, 3, relative=False).value(table) == Spread(2.5, 2.5, 2.5)


def test_every_goal_is_about_a_figure_that_its_scenario_shows() -> None:
    assert [goal for goal in GOALS if goal.metric not in SCENARIOS[goal.scenario].metrics] == []


def test_only_goals_that_were_measured_are_reported() -> None:
    table = Table(
        [
            Run("S1b", "gemproxy", 0, {"events_per_s": 60}),
            Run("S1b", "pipe", 0, {"events_per_s": 100}),
        ]
    )

    assert goals_report(table) == [
        "goal          against  ratio    bound      aim",
        "S1b events/s     pipe   0.60  >= 0.50  >= 0.70  met",
    ]
    assert goals_report(Table([])) == []
