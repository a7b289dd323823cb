"""gemproxy's goals, as ratios to others in the same round, and to itself with less to do."""

import attrs

from bench.contenders import CHAT, GEMPROXY, KEYED, LITELLM_CHAT, METERED, POOLED, TRACED
from bench.figures import Spread, Table, lines_of, number, span
from bench.scenarios import CPU, DOWN, EVENTS, FIRST, GROWTH, MEMORY, P50, P99, REQUESTS, Metric


@attrs.frozen
class Goal:
    """A bound for a ratio of gemproxy (``of``: as which contender), and a goal beyond it.

    ``against`` is a contender in the same scenario, or gemproxy in the scenario ``beside``.
    The metric determines whether a bound is an upper or a lower one. A bound that is not
    ``relative`` applies to the figure itself.
    """

    scenario: str
    metric: Metric
    against: str
    bound: float
    aim: float
    beside: str = ""
    relative: bool = True
    of: str = GEMPROXY.name

    @property
    def title(self) -> str:
        """The scenario and the figure; the contender, too, unless it is gemproxy itself."""
        whose = "" if self.of == GEMPROXY.name else f" {self.of}"
        return f"{self.scenario} {self.metric.title}{whose}"

    def value(self, table: Table) -> Spread | None:
        """Return the measured values, or None if there are none."""
        own = (self.scenario, self.of)
        if not self.relative:
            return table.figure(self.metric.key, own)
        return table.ratio(self.metric.key, own, (self.beside or self.scenario, self.against))

    def verdict(self, value: Spread) -> str:
        """Return the verdict of the median."""
        if self._within(value.middle, self.aim):
            return "aim"
        return "met" if self._within(value.middle, self.bound) else "MISSED"

    def _within(self, value: float, bound: float) -> bool:
        return value >= bound if self.metric.more_is_better else value <= bound


GOALS = (
    Goal("S1b", EVENTS, "pipe", 0.5, 0.7),
    Goal("S1b", EVENTS, "fastapi", 5, 7),
    Goal("S2", CPU, "pipe", 1.2, 1.1),
    Goal("S2", CPU, "nginx", 2.3, 1.5),
    Goal("S2", CPU, "fastapi", 1 / 5, 1 / 7),
    Goal("S2L", P50, "pipe", 1.2, 1.1),
    Goal("S2L", P99, "pipe", 3, 1.5),
    Goal("S3", MEMORY, "pipe", 1.6, 1.3),
    Goal("S4", REQUESTS, "fastapi", 8, 12),
    Goal("S5", FIRST, "pipe", 1.8, 1.3),
    Goal("S6", DOWN, "pipe", 0.4, 0.8),
    Goal("S6", GROWTH, "", 3, 3, relative=False),
    Goal("S7", EVENTS, GEMPROXY.name, 0.65, 0.85, beside="S1b"),
    Goal("S1b", EVENTS, GEMPROXY.name, 0.97, 1, of=POOLED.name),
    Goal("S4", REQUESTS, GEMPROXY.name, 0.93, 1, of=POOLED.name),
    Goal("S1b", EVENTS, GEMPROXY.name, 0.95, 1, of=METERED.name),
    Goal("S4", REQUESTS, GEMPROXY.name, 0.85, 1, of=METERED.name),
    Goal("S1b", EVENTS, GEMPROXY.name, 0.85, 0.95, of=TRACED.name),
    Goal("S4", REQUESTS, GEMPROXY.name, 0.85, 0.95, of=TRACED.name),
    Goal("S1b", EVENTS, GEMPROXY.name, 0.85, 0.95, of=KEYED.name),
    Goal("S2", CPU, GEMPROXY.name, 1.15, 1.05, of=KEYED.name),
    Goal("S1b", EVENTS, GEMPROXY.name, 0.6, 0.8, of=CHAT.name),
    Goal("S2", CPU, GEMPROXY.name, 1.3, 1.15, of=CHAT.name),
    Goal("S1b", EVENTS, LITELLM_CHAT.name, 40, 60, of=CHAT.name),
)


def goals_report(table: Table) -> list[str]:
    """Return the lines of all goals that were measured."""
    rows = [["goal", "against", "ratio", "bound", "aim", ""]]
    for goal in GOALS:
        value = goal.value(table)
        if value is not None:
            rows.append(
                [
                    goal.title,
                    f"{goal.against} {goal.beside}".strip() or "the event",
                    span(value, 2),
                    _bound(goal, goal.bound),
                    _bound(goal, goal.aim),
                    goal.verdict(value),
                ]
            )
    return lines_of(rows) if len(rows) > 1 else []


def _bound(goal: Goal, bound: float) -> str:
    return f"{'>=' if goal.metric.more_is_better else '<='} {number(bound, 2)}"
