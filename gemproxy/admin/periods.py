"""The span of time of a question, and the clock that it is asked by.

``from`` and ``to`` are dates, dates with times, or Unix seconds. ``from`` is inclusive. A time in
``to`` is exclusive, so spans that meet share no request; a date in ``to`` is inclusive, as people
say it: from the 1st to the 7th has seven days. Without an offset a time is of the zone
``timezone``, by default the proxy's own (``accounts.timezone``). The answer has the zone, and both
ends with their offsets.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated
from zoneinfo import ZoneInfo

import attrs
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.calendar import Calendar
from gemproxy.admin.desk import Desk, Figures
from gemproxy.admin.texts import Time
from gemproxy.admin.texts import Zone as ZoneText
from gemproxy.core.errors import BadField, Busy, Unrouted
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.pieces import SECOND_MS, Span
from gemproxy.ledger.queries import Queries, TooManyGroups
from gemproxy.ledger.times import Moment, read_moment

From = Annotated[
    Time | None,
    msgspec.Meta(description="The first date, or the earliest time (ISO 8601 or Unix seconds)"),
]
To = Annotated[
    Time | None,
    msgspec.Meta(description="The last date, or the time before which requests are wanted"),
]
Zone = Annotated[ZoneText | None, msgspec.Meta(description="A time zone, such as Europe/Berlin")]

_NO_LEDGER = (
    "This proxy keeps no ledger, and so no figures: set ledger.enabled to true and start it again"
)
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")
"""An offset in a query whose ``+`` was not percent-encoded."""

ZoneName = Annotated[str, msgspec.Meta(description="The time zone of the answer")]
Begin = Annotated[
    str | None, msgspec.Meta(description="When the period begins, inclusive; null without a limit")
]
End = Annotated[
    str | None, msgspec.Meta(description="When the period ends, exclusive; null without a limit")
]
"""What an answer says of its period."""


@attrs.frozen(eq=False)
class Period:
    """A span by the clock of a zone. ``queries`` has days and hours of the zone."""

    queries: Queries
    span: Span
    begin: str | None
    end: str | None

    @property
    def timezone(self) -> str:
        """The name of the zone."""
        return str(self.queries.calendar.zone)


def figures_of(desk: Desk) -> Figures:
    """Return what has figures. Raises Unrouted without a ledger."""
    if desk.figures is None:
        raise Unrouted(_NO_LEDGER)
    return desk.figures


def period_of(desk: Desk, begin: str | None, end: str | None, zone: str | None) -> Period:
    """Return the period of a question. Raises Unrouted without a ledger, BadField."""
    queries = figures_of(desk).queries
    if zone is not None:
        queries = queries.by_clock(_zone(zone))
    always, calendar = Span(), queries.calendar
    start = None if begin is None else moment_of("from", begin, calendar).at
    stop = None if end is None else moment_of("to", end, calendar).end
    if start is not None and stop is not None and start > stop:
        raise BadField("from", "is later than `to`")
    span = Span(
        always.start if start is None else start,
        always.end if stop is None else stop,
    )
    return Period(queries, span, _shown(start, calendar), _shown(stop, calendar))


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Turn failures of the database and answers too large into errors. Raises Busy, BadField."""
    try:
        yield
    except TooManyGroups as error:
        raise BadField("by", f"is too much: {error}") from None
    except (SQLAlchemyError, OSError) as error:
        raise Busy(f"The ledger cannot be read: {words_of(error)}") from error


def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise BadField("timezone", "is no time zone, such as Europe/Berlin or UTC") from None


def moment_of(field: str, words: str, calendar: Calendar) -> Moment:
    """Return the time that a field of a query means. Raises BadField."""
    try:
        return read_moment(_LOST_PLUS.sub(r"\1+\2", words.strip()), calendar)
    except (ValueError, OverflowError, OSError):
        raise BadField(
            field, "is no time: a date (2026-11-28), a time (2026-11-28T09:30Z) or Unix seconds"
        ) from None


def _shown(at: int | None, calendar: Calendar) -> str | None:
    """Return a time as people of the zone write it; None for one after their last year, 9999."""
    try:
        return None if at is None else calendar.clock(at / SECOND_MS)
    except (ValueError, OverflowError, OSError):
        return None
