"""Usage and cost: sums over a period, grouped, in JSON or as a table in CSV.

The total is that of all groups, whatever page of them an answer has: all were read at one moment. A
page goes on behind the last group of the one before. A table has all groups; a question that has
more of them than ``ledger.queries.MOST_GROUPS`` is refused.
"""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

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
from gemproxy.admin.route import Call, Form, Route, Text
from gemproxy.admin.sums import COLUMNS, UsageSums, shown
from gemproxy.admin.texts import OF_GROUPS, OfGroups
from gemproxy.core.errors import BadField
from gemproxy.ledger.naming import Only
from gemproxy.ledger.queries import MOST_GROUPINGS, MOST_GROUPS, By, Group, check
from gemproxy.ledger.sums import Sums, added

CSV = "text/csv; charset=utf-8"
PAGE = 1000
"""Groups of an answer, unless the caller says otherwise."""

User = Annotated[str | None, msgspec.Meta(description="Only requests of this access key")]
Model = Annotated[str | None, msgspec.Meta(description="Only requests to this model")]
Project = Annotated[str | None, msgspec.Meta(description="Only requests with keys of this project")]
Key = Annotated[str | None, msgspec.Meta(description="Only requests with the key of this id")]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


_BY = {
    "uniqueItems": True,
    "contains": {"enum": [by.value for by in (By.HOUR, By.DAY, By.MONTH)]},
    "minContains": 0,
    "maxContains": 1,
}
"""The groupings differ, and one at most is of time."""


class TableQuery(Form, frozen=True, rename={"begin": "from", "end": "to"}):
    """Which usage is wanted, and how it is grouped."""

    begin: From = None
    end: To = None
    timezone: Zone = None
    by: Annotated[
        list[By],
        msgspec.Meta(
            max_length=MOST_GROUPINGS,
            description="One or two groupings; none for the total alone",
            extra_json_schema=_BY,
        ),
    ] = msgspec.field(default_factory=list)
    user: User = None
    model: Model = None
    project: Project = None
    key: Key = None


class UsageQuery(TableQuery, frozen=True, rename={"begin": "from", "end": "to"}):
    """Which usage is wanted, how it is grouped, and which page of the groups."""

    cursor: Annotated[OfGroups, msgspec.Meta(description="`next` of the page before")] = ""
    limit: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=MOST_GROUPS)] | None,
        msgspec.Meta(description=f"Most groups of a page; {PAGE} unless it is given"),
    ] = None


class UsageGroup(Form, frozen=True):
    """One group: ``of`` has the key of each grouping, and ``sums`` what its requests sum up to."""

    of: Annotated[dict[str, str], msgspec.Meta(description="The key of each grouping")]
    sums: Annotated[UsageSums, msgspec.Meta(description="What its requests sum up to")]


class Usage(Form, frozen=True, rename={"begin": "from", "end": "to"}):
    """The sums of a period. ``from`` is inclusive, ``to`` exclusive; null is without a limit."""

    timezone: ZoneName
    begin: Begin
    end: End
    by: Annotated[list[By], msgspec.Meta(description="The groupings")]
    groups: Annotated[
        list[UsageGroup], msgspec.Meta(description="A group for each combination that has requests")
    ]
    next: Annotated[
        str | None, msgspec.Meta(description="The cursor of the page behind, null at the end")
    ]
    total: Annotated[UsageSums, msgspec.Meta(description="The sums of all groups, on all pages")]


class InterruptionsQuery(Form, frozen=True, rename={"begin": "from", "end": "to"}):
    """The interruptions of which requests are wanted."""

    begin: From = None
    end: To = None
    timezone: Zone = None
    user: User = None
    model: Model = None
    project: Project = None
    key: Key = None


class Interruption(Form, frozen=True):
    """How many attempts broke off by a cause, in requests with an ending; null while they run."""

    cause: Annotated[str, msgspec.Meta(description="Why attempts broke off")]
    ending: Annotated[
        str | None, msgspec.Meta(description="The ending of their requests, null while they run")
    ]
    attempts: Annotated[int, msgspec.Meta(description="How many attempts broke off so")]


class InterruptionList(Form, frozen=True, rename={"begin": "from", "end": "to"}):
    """What interrupted the requests of a period; the counts stay when rows are deleted."""

    timezone: ZoneName
    begin: Begin
    end: End
    interruptions: Annotated[
        list[Interruption], msgspec.Meta(description="A row for each cause and ending")
    ]
    total: Annotated[int, msgspec.Meta(description="The attempts of all rows")]


async def usage(call: Call[UsageQuery, Any]) -> Usage | Text:
    """Return the usage; as CSV where the caller asks for that. Raises Unrouted, BadField, Busy."""
    query = call.query
    if not OF_GROUPS.fullmatch(query.cursor):
        raise BadField("cursor", "is not the `next` of a page of this list")
    if "text/csv" in call.accept.lower():
        if query.cursor or query.limit is not None:
            raise BadField("limit", "and `cursor` are of JSON alone: a table has all groups")
        return await usage_table(call)
    period, groups, total = await _read(call)
    names = [one.value for one in query.by]
    first = _place(groups, query.cursor)
    last = first + (query.limit or PAGE)
    return Usage(
        timezone=period.timezone,
        begin=period.begin,
        end=period.end,
        by=query.by,
        groups=[
            UsageGroup(of=dict(zip(names, group.keys, strict=True)), sums=shown(group.sums))
            for group in groups[first:last]
        ],
        next=_cursor(groups[last - 1]) if last < len(groups) else None,
        total=shown(total),
    )


async def usage_table(call: Call[Any, Any]) -> Text:
    """Return the usage as CSV: a row for each group, or one with the total if there are none."""
    period, groups, total = await _read(call)
    names = [one.value for one in call.query.by]
    place = (period.timezone, period.begin or "", period.end or "")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*names, *COLUMNS, "timezone", "from", "to"])
    for group in groups if names else [Group((), total)]:
        figures = msgspec.structs.astuple(shown(group.sums))
        writer.writerow([*map(_cell, group.keys), *figures, *place])
    return Text(CSV, out.getvalue().encode(), "usage.csv")


async def interruptions(call: Call[InterruptionsQuery, Any]) -> InterruptionList:
    """Return what interrupted requests. Raises Unrouted, BadField, Busy."""
    query = call.query
    period = period_of(call.desk, query.begin, query.end, query.timezone)
    with reading():
        found = await period.queries.interruptions(period.span, _only(query))
    listed = [
        Interruption(cause=one.cause, ending=one.ending or None, attempts=one.attempts)
        for one in found
    ]
    return InterruptionList(
        timezone=period.timezone,
        begin=period.begin,
        end=period.end,
        interruptions=listed,
        total=sum(one.attempts for one in listed),
    )


async def _read(call: Call[Any, Any]) -> tuple[Period, Sequence[Group], Sums]:
    query: TableQuery = call.query
    period = period_of(call.desk, query.begin, query.end, query.timezone)
    if not query.by:
        with reading():
            return period, (), await period.queries.total(period.span, _only(query))
    try:
        check(query.by)
    except ValueError as error:
        raise BadField("by", f"cannot be so: {error}") from None
    with reading():
        groups = await period.queries.usage(query.by, period.span, _only(query))
    return period, groups, added(group.sums for group in groups)


def _only(query: TableQuery | InterruptionsQuery) -> Only:
    return Only(query.user, query.model, query.project, query.key)


def _cursor(group: Group) -> str:
    """Return the cursor of the page behind a group: its keys, in hexadecimal digits."""
    return ".".join(key.encode().hex() for key in group.keys)


def _place(groups: Sequence[Group], cursor: str) -> int:
    """Return the place of the first group behind a cursor, also where its group is gone."""
    if not cursor:
        return 0
    found = (place for place, group in enumerate(groups, 1) if _cursor(group) == cursor)
    keys = tuple(bytes.fromhex(key).decode(errors="replace") for key in cursor.split("."))
    behind = (place for place, group in enumerate(groups) if group.keys > keys)
    return next(found, next(behind, len(groups)))


def _cell(text: str) -> str:
    """Return a name that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


ROUTES = (
    Route(
        "GET",
        "/usage",
        usage,
        "Sum up usage and cost over any period.",
        Usage,
        query=UsageQuery,
        tag="usage",
        media=(CSV,),
    ),
    Route(
        "GET",
        "/usage.csv",
        usage_table,
        "Sum up usage and cost as a table for spreadsheets.",
        Usage,
        query=TableQuery,
        tag="usage",
        media=(CSV,),
    ),
    Route(
        "GET",
        "/usage/interruptions",
        interruptions,
        "Count interruptions by cause and by how their requests ended.",
        InterruptionList,
        query=InterruptionsQuery,
        tag="usage",
    ),
)
