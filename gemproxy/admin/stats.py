"""The figures of an earlier tool: what each model was asked in this minute, and this day.

A minute is the last sixty seconds, a day that of ``accounts.timezone``. Tokens are those of users:
input, output and thoughts. A model that is known and was not asked has zeros.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from gemproxy.admin.periods import figures_of, reading
from gemproxy.admin.route import Call, Form, Nothing, Route
from gemproxy.ledger.pieces import SECOND_MS, Span
from gemproxy.ledger.queries import By, Queries

_MINUTE = 60


class Counted(Form, frozen=True):
    """What a model was asked in a time."""

    requests: Annotated[int, msgspec.Meta(description="Requests")] = 0
    tokens: Annotated[
        int, msgspec.Meta(description="Tokens of users: input, output and thoughts")
    ] = 0


class ModelStats(Form, frozen=True):
    """What a model was asked lately."""

    minute: Annotated[Counted, msgspec.Meta(description="The last sixty seconds")] = Counted()
    day: Annotated[Counted, msgspec.Meta(description="This day in accounts.timezone")] = Counted()


class Stats(Form, frozen=True):
    """What each model was asked lately, by its name."""

    usage_stats: Annotated[
        dict[str, ModelStats], msgspec.Meta(description="The figures of each model, by its name")
    ]


async def stats(call: Call[Nothing, Any]) -> Stats:
    """Return the figures of all models. Raises Unrouted without a ledger, Busy."""
    figures = figures_of(call.desk)
    now = figures.clock()
    with reading():
        minute = await _by_model(figures.queries, now - _MINUTE)
        day = await _by_model(figures.queries, figures.queries.calendar.day(now).start)
    names = sorted({*figures.models(), *minute, *day} - {""})
    nothing = Counted()
    return Stats(
        usage_stats={
            name: ModelStats(minute=minute.get(name, nothing), day=day.get(name, nothing))
            for name in names
        }
    )


async def _by_model(queries: Queries, since: float) -> Mapping[str, Counted]:
    groups = await queries.usage([By.MODEL], Span(int(since * SECOND_MS)))
    return {
        group.keys[0]: Counted(
            requests=group.sums.requests,
            tokens=group.sums.input_tokens + group.sums.output_tokens + group.sums.thought_tokens,
        )
        for group in groups
    }


ROUTES = (
    Route(
        "GET",
        "/admin/stats",
        stats,
        "Show what each model was asked in the last minute and this day.",
        Stats,
        tag="usage",
        base="",
    ),
)
