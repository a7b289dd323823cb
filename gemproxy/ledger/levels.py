"""What roll-ups are kept of: the lengths of time, and the names that are kept apart.

A *shape* is a set of names. Sums are kept in every shape, so any filter finds its sums. How times
to the first byte are spread is kept in all shapes but the largest, where nearly each request would
have a row of its own. Quarters of an hour are kept in the small shapes, for the days of zones whose
offset is no whole number of hours.
"""

from collections.abc import Collection, Sequence

QUARTERS, HOURS, DAYS, MONTHS = -1, 0, 1, 2
"""The levels of roll-ups."""

DIMENSIONS = ("user", "model", "project", "key")
SHAPES: Sequence[frozenset[str]] = (
    frozenset(),
    *(frozenset({name}) for name in DIMENSIONS),
    frozenset({"user", "model"}),
    frozenset({"model", "project"}),
    frozenset({"model", "key"}),
    frozenset(DIMENSIONS),
)
"""The dimensions that a roll-up keeps apart; its ``shape`` is the index. Small ones come first."""

WHOLE_SHAPE = len(SHAPES) - 1

SPREAD_SHAPES: Sequence[int] = range(WHOLE_SHAPE)
"""The shapes in which the spread of the times to the first byte is kept."""

QUARTER_SHAPES: Sequence[int] = range(1 + len(DIMENSIONS))
"""The shapes that are kept by quarters of hours."""


def shape_of(names: Collection[str]) -> int:
    """Return the smallest shape that keeps these names apart."""
    return next(shape for shape, kept in enumerate(SHAPES) if kept >= {*names})
