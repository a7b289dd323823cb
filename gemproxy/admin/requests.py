"""Single requests: a list in pages, and one request with its attempts.

A page goes on behind the last request of the one before, or before the first one of the one
behind, by its number in the ledger, so rows that come in meanwhile neither repeat nor hide a
request.
"""

import enum
import math
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from gemproxy.accounts.calendar import Calendar
from gemproxy.admin.attempts import Attempt, kept
from gemproxy.admin.periods import (
    Begin,
    End,
    From,
    Period,
    To,
    Zone,
    ZoneName,
    period_of,
    reading,
)
from gemproxy.admin.route import Call, Form, Route
from gemproxy.admin.sums import UsageSums, dollars, shown
from gemproxy.admin.texts import Number
from gemproxy.admin.usage import Key, Model, Project, User
from gemproxy.core.errors import BadField, Unrouted
from gemproxy.core.repair.events import Cause
from gemproxy.ledger.naming import Only
from gemproxy.ledger.pieces import SECOND_MS
from gemproxy.ledger.requests import MOST, Wanted
from gemproxy.ledger.row import Ending, Row

_MOST_DIGITS = 19


class Outcome(enum.Enum):
    """An ending, or that there is none yet."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CLIENT_LEFT = "client_left"
    SHUTDOWN = "shutdown"
    LOST = "lost"


class RequestsQuery(Form, frozen=True, rename={"begin": "from", "end": "to"}):
    """Which requests are wanted, and how many."""

    begin: From = None
    end: To = None
    timezone: Zone = None
    user: User = None
    model: Model = None
    project: Project = None
    key: Key = None
    ending: Annotated[Outcome | None, msgspec.Meta(description="Only with this ending")] = None
    status: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=999)] | None,
        msgspec.Meta(description="Only with this HTTP status"),
    ] = None
    interrupted: Annotated[
        bool, msgspec.Meta(description="Only those that had to be tried again")
    ] = False
    cause: Annotated[
        Cause | None, msgspec.Meta(description="Only those that were interrupted for this cause")
    ] = None
    min_cost_usd: Annotated[
        Annotated[float, msgspec.Meta(ge=0, le=1_000_000_000)] | None,
        msgspec.Meta(description="Only those that cost users this or more"),
    ] = None
    totals: Annotated[
        bool, msgspec.Meta(description="Whether to sum up all requests of the list, not the page")
    ] = False
    cursor: Annotated[Number, msgspec.Meta(description="`next` of the page before")] = ""
    newer: Annotated[Number, msgspec.Meta(description="`previous` of the page behind")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST, description="Most requests")] = 100


class Request(Form, frozen=True):
    """One request. ``ending`` is null while it runs; money is null where it is not known.

    ``id`` is the one of the log, and a client may choose it. ``key`` is the id of the last
    attempt's Gemini key. ``interrupted``: it took more attempts than an undisturbed answer.
    """

    id: Annotated[str, msgspec.Meta(description="The id in the log, which a client may choose")]
    started: Annotated[str, msgspec.Meta(description="When it began")]
    user: Annotated[str, msgspec.Meta(description="The access key by its name")]
    model: Annotated[str, msgspec.Meta(description="The model")]
    route: Annotated[str, msgspec.Meta(description="The kind of request")]
    dialect: Annotated[str, msgspec.Meta(description="Whose API the client speaks")]
    ending: Annotated[str | None, msgspec.Meta(description="Its ending, null while it runs")]
    status: Annotated[int, msgspec.Meta(description="The HTTP status of the answer")]
    project: Annotated[str, msgspec.Meta(description="The project of the last attempt")]
    key: Annotated[str, msgspec.Meta(description="The id of the last attempt's Gemini key")]
    attempts: Annotated[int, msgspec.Meta(description="Requests to Gemini")]
    repairs: Annotated[int, msgspec.Meta(description="Interruptions that were repaired")]
    interrupted: Annotated[
        bool, msgspec.Meta(description="Whether it took more attempts than an undisturbed answer")
    ]
    characters: Annotated[int, msgspec.Meta(description="Characters of answers")]
    input_tokens: Annotated[
        int, msgspec.Meta(description="Tokens of prompts, cached ones among them")
    ]
    cached_tokens: Annotated[int, msgspec.Meta(description="Tokens of prompts that were cached")]
    output_tokens: Annotated[int, msgspec.Meta(description="Tokens of answers")]
    thought_tokens: Annotated[int, msgspec.Meta(description="Tokens of thoughts")]
    extra_input_tokens: Annotated[
        int, msgspec.Meta(description="Tokens of prompts that repair cost")
    ]
    extra_output_tokens: Annotated[
        int, msgspec.Meta(description="Tokens of answers and thoughts that repair cost")
    ]
    estimated: Annotated[
        bool, msgspec.Meta(description="Whether its tokens were not reported in full")
    ]
    cost_usd: Annotated[
        str | None, msgspec.Meta(description="What users pay in dollars, null without a price")
    ]
    operator_cost_usd: Annotated[
        str | None,
        msgspec.Meta(description="What repair cost beyond that in dollars, null without a price"),
    ]
    first_byte_ms: Annotated[
        int | None, msgspec.Meta(description="Milliseconds to the first byte, null without one")
    ]
    duration_ms: Annotated[
        int | None, msgspec.Meta(description="Milliseconds in all, null while it runs")
    ]
    seam_ms: Annotated[
        int, msgspec.Meta(description="Milliseconds that clients waited for repairs")
    ]
    injected: Annotated[bool, msgspec.Meta(description="Whether the operator's prompt was put in")]


class RequestPage(Form, frozen=True, rename={"begin": "from", "end": "to"}):
    """Requests, newest first; ``next`` is the cursor of the page behind, or null.

    ``previous`` leads to the newer requests, those that came in meanwhile among them. ``total``
    sums up all requests of the list, on all its pages; null if it was not asked for.
    """

    timezone: ZoneName
    begin: Begin
    end: End
    requests: Annotated[list[Request], msgspec.Meta(description="The page")]
    next: Annotated[
        str | None, msgspec.Meta(description="The cursor of the page behind, null at the end")
    ]
    previous: Annotated[
        str | None, msgspec.Meta(description="The `newer` of the page before, null without rows")
    ]
    total: Annotated[
        UsageSums | None,
        msgspec.Meta(description="The sums of all pages, null if they were not asked for"),
    ]


class Story(Form, frozen=True):
    """A request and its attempts, which are kept if one broke off or there were several."""

    request: Annotated[Request, msgspec.Meta(description="The request")]
    attempts: Annotated[
        list[Attempt],
        msgspec.Meta(description="Its attempts; none are kept of an answer that came at once"),
    ]


class StoryQuery(Form, frozen=True):
    """By which clock times are told."""

    timezone: Zone = None


class Stories(Form, frozen=True):
    """The requests with an id, newest first: there are several if a client used it again."""

    timezone: ZoneName
    requests: Annotated[list[Story], msgspec.Meta(description="The requests, newest first")]


async def requests(call: Call[RequestsQuery, Any]) -> RequestPage:
    """Return a page of the list. Raises Unrouted without a ledger, BadField, Busy."""
    query = call.query
    period = period_of(call.desk, query.begin, query.end, query.timezone)
    wanted = _wanted(query, period)
    with reading():
        rows = await period.queries.requests(query.limit, wanted)
        total = await period.queries.total_of(wanted) if query.totals else None
    return RequestPage(
        timezone=period.timezone,
        begin=period.begin,
        end=period.end,
        requests=[_request(row, period.queries.calendar) for row in rows],
        next=str(rows[-1].serial) if rows and _has_more(query, len(rows)) else None,
        previous=str(rows[0].serial) if rows else None,
        total=None if total is None else shown(total),
    )


async def request(call: Call[StoryQuery, Any]) -> Stories:
    """Return the requests with an id. Raises Unrouted, BadField, Busy."""
    period = period_of(call.desk, None, None, call.query.timezone)
    with reading():
        rows = await period.queries.request(call.names["id"])
    if not rows:
        raise Unrouted("The ledger has no request with this id.")
    stories = [
        Story(
            request=_request(row, period.queries.calendar),
            attempts=kept(row.tries),
        )
        for row in rows
    ]
    return Stories(timezone=period.timezone, requests=stories)


def _has_more(query: RequestsQuery, found: int) -> bool:
    """Return whether older requests follow; behind newer ones, those of the page that asked."""
    return bool(query.newer) or found == query.limit


def _wanted(query: RequestsQuery, period: Period) -> Wanted:
    running = query.ending is Outcome.RUNNING
    return Wanted(
        only=Only(query.user, query.model, query.project, query.key),
        ending=None if running or query.ending is None else Ending(query.ending.value),
        span=period.span,
        before=_serial("cursor", query.cursor),
        after=_serial("newer", query.newer),
        running=running,
        status=query.status,
        interrupted=query.interrupted,
        least_usd=_dollars(query.min_cost_usd),
        cause=None if query.cause is None else query.cause.value,
    )


def _dollars(amount: float | None) -> Decimal | None:
    if amount is not None and math.isnan(amount):
        raise BadField("min_cost_usd", "is not a number")
    return None if amount is None else Decimal(str(amount))


def _serial(name: str, cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdecimal()) or len(cursor) > _MOST_DIGITS:
        raise BadField(name, "is none that a page of this list gave")
    return min(int(cursor), (1 << 63) - 1)


def _request(row: Row, calendar: Calendar) -> Request:
    own = {name: getattr(row, name) for name in Request.__struct_fields__ if hasattr(row, name)}
    given = {
        "id": row.request_id,
        "started": calendar.clock(row.started / SECOND_MS),
        "ending": None if row.ending is None else row.ending.value,
        "interrupted": row.attempts > row.calls,
        "cost_usd": dollars(row.cost_nano_usd),
        "operator_cost_usd": dollars(row.operator_cost_nano_usd),
    }
    return msgspec.convert({**own, **given}, Request)


ROUTES = (
    Route(
        "GET",
        "/requests",
        requests,
        "List requests, newest first.",
        RequestPage,
        query=RequestsQuery,
        tag="requests",
    ),
    Route(
        "GET",
        "/requests/{id}",
        request,
        "Show the requests with an id, each with its attempts.",
        Stories,
        query=StoryQuery,
        tag="requests",
    ),
)
