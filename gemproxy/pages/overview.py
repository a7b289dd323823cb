"""The page that says how the proxy is doing: use, money, interruptions, and how fast it answers.

All figures are those of the API's ``/usage`` and ``/usage/interruptions``. The sums of a period are
asked for once, by day (by hour for today), so the tiles are the total of the bars beneath them.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

from gemproxy.admin import usage as api
from gemproxy.admin.streams import StreamsQuery, streams
from gemproxy.admin.sums import UsageSums
from gemproxy.pages.charts import Chart, Shown, draw
from gemproxy.pages.page import ROOT, Page, Visit, queried
from gemproxy.pages.rendering import clocked, milliseconds, money, number
from gemproxy.pages.request_words import CAUSES, worded_by
from gemproxy.pages.words import worded

RANGES = (
    (1, worded("Today")),
    (7, worded("7 days")),
    (30, worded("30 days")),
    (90, worded("90 days")),
)
"""Days of a period, today among them, and its name."""

ROWS = 10
"""Rows of a table by name; those that have the most requests."""

GROUPINGS = (
    ("model", worded("By model"), worded("Model")),
    ("user", worded("By access key"), worded("Access key")),
    ("project", worded("By project"), worded("Project")),
)
"""What the tables are by: its name in the API, their heading, and that of their first column."""

ENDINGS: Mapping[str | None, str] = {
    "done": worded("answered in full"),
    "failed": worded("failed"),
    "client_left": worded("the client left"),
    "shutdown": worded("shut down"),
    "lost": worded("the process died"),
    None: worded("still running"),
}
"""How the requests ended whose attempts broke off."""

_LOST = ("failed", "shutdown", "lost")


@attrs.frozen
class _Period:
    """The dates of a page, and its query for the API; one day is told by hours."""

    days: int
    first: dt.date
    last: dt.date
    zone: dt.tzinfo
    only: Mapping[str, str]

    @classmethod
    def of(cls, visit: Visit) -> "_Period":
        given = visit.query.get("days", "")
        known = {str(days): days for days, _ in RANGES}
        days, last = known.get(given, RANGES[0][0]), dt.datetime.now(visit.zone).date()
        names = [name for name, _, _ in GROUPINGS]
        only = {name: visit.query[name] for name in names if visit.query.get(name)}
        return cls(days, last - dt.timedelta(days=days - 1), last, visit.zone, only)

    @property
    def by(self) -> str:
        return "hour" if self.days == 1 else "day"

    def asked(self, form: type[api.UsageQuery | api.InterruptionsQuery], **more: Any) -> Any:  # noqa: ANN401 (a form)
        """Return a query of the API about it."""
        ends = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        given = {**ends, "timezone": str(self.zone), **self.only, **more}
        return msgspec.convert(given, form, strict=False)

    def times(self) -> list[str]:
        """Return the keys of all its days or hours, also of those without requests."""
        if self.days > 1:
            days = range(self.days)
            return [(self.first + dt.timedelta(days=day)).isoformat() for day in days]
        begin = dt.datetime.combine(self.first, dt.time(), self.zone).timestamp()
        end = dt.datetime.combine(self.first + dt.timedelta(days=1), dt.time(), self.zone)
        hours = range(int(begin), int(end.timestamp()), 3600)
        return [dt.datetime.fromtimestamp(at, self.zone).isoformat() for at in hours]

    def path(self, **other: str) -> str:
        """Return the path of the page with other fields; an empty one is left out."""
        return queried(f"{ROOT}/", {"days": str(self.days), **self.only, **other})


async def overview(visit: Visit) -> Mapping[str, Any]:
    """Return what the overview shows."""
    running = await visit.ask(streams, StreamsQuery(limit=1))
    if visit.desk.figures is None:
        return {"figures": None, "streams": running.total}
    period = _Period.of(visit)
    seen, broken = await _seen(visit, period)
    found = await visit.ask(api.usage, period.asked(api.UsageQuery, by=[period.by], limit=10_000))
    charts = await asyncio.to_thread(_charts, visit, period, found.groups)
    return {
        "figures": True,
        "period": period,
        "choices": [(days, name, period.path(days=str(days))) for days, name in RANGES],
        "filters": [(value, period.path(**{name: ""})) for name, value in period.only.items()],
        "groupings": GROUPINGS,
        "charts": charts,
        "rows": [_timed(period, group) for group in found.groups],
        "texts": _texts(visit, found.total, broken, running.total),
        "at": clocked(dt.datetime.now(dt.UTC), visit.zone),
        "endings": list(ENDINGS.values()),
        "blank": _blank(),
        "blank_cause": {"id": "", "texts": dict.fromkeys(["cause", *ENDINGS.values(), "all"], "")},
        "seen": seen,
    }


async def overview_now(visit: Visit) -> Mapping[str, Any]:
    """Return what has changed on it."""
    running = await visit.ask(streams, StreamsQuery(limit=1))
    if visit.desk.figures is None:
        return {"texts": {"streams": number(running.total)}}
    period = _Period.of(visit)
    found = await visit.ask(api.usage, period.asked(api.UsageQuery))
    seen, broken = await _seen(visit, period)
    return {"texts": _texts(visit, found.total, broken, running.total), "lists": seen}


async def _seen(
    visit: Visit, period: _Period
) -> tuple[Mapping[str, Sequence[Any]], Sequence[api.Interruption]]:
    """Return the rows of the tables by name and of the interruptions, and the interruptions."""
    seen: dict[str, Sequence[Any]] = {}
    for name, _, _ in GROUPINGS:
        query = period.asked(api.UsageQuery, by=[name], limit=10_000)
        groups = (await visit.ask(api.usage, query)).groups
        most = sorted(groups, key=lambda group: (-group.sums.requests, group.of[name]))
        seen[name] = [_named(visit, period, name, group) for group in most[:ROWS]]
    broken = await visit.ask(api.interruptions, period.asked(api.InterruptionsQuery))
    listed = broken.interruptions
    return seen | {"interruptions": _causes(visit, listed)}, listed


def _texts(
    visit: Visit, total: UsageSums, broken: Sequence[api.Interruption], running: int
) -> Mapping[str, str]:
    """Return the texts of the tiles."""
    say = visit.say
    tokens = total.input_tokens + total.output_tokens + total.thought_tokens
    healed = sum(one.attempts for one in broken if one.ending == "done")
    unpriced = say("%(count)s requests have no price", count=number(total.unpriced))
    return {
        "streams": number(running),
        "requests": number(total.requests),
        "failed": say("%(count)s failed", count=number(_sum(total, _LOST))),
        "tokens": number(tokens),
        "tokens of": say(
            "%(input)s in, %(output)s out",
            input=number(total.input_tokens),
            output=number(total.output_tokens + total.thought_tokens),
        ),
        "cost": money(total.cost_usd),
        "repair cost": unpriced
        if total.unpriced
        else say("repairs cost %(money)s more", money=money(total.operator_cost_usd)),
        "interruptions": number(sum(one.attempts for one in broken)),
        "healed": say("%(count)s of them in full answers", count=number(healed)),
        "p50": milliseconds(total.first_byte_p50_ms),
        "p95": say("95 of 100 within %(time)s", time=milliseconds(total.first_byte_p95_ms)),
    }


def _sum(sums: UsageSums, names: Sequence[str]) -> int:
    return sum(getattr(sums, name) for name in names)


def _figures(sums: UsageSums) -> dict[str, str]:
    """Return the cells of a row."""
    return {
        "requests": number(sums.requests),
        "failed": number(_sum(sums, _LOST)),
        "tokens": number(sums.input_tokens + sums.output_tokens + sums.thought_tokens),
        "cost": money(sums.cost_usd),
        "retries": number(sums.retries),
        "p50": milliseconds(sums.first_byte_p50_ms),
        "p95": milliseconds(sums.first_byte_p95_ms),
    }


def _blank() -> Mapping[str, Any]:
    """Return a row by name before it is filled."""
    names = ["name", "requests", "failed", "tokens", "cost", "retries", "p50", "p95"]
    return {"id": "", "texts": dict.fromkeys(names, ""), "links": {"only": ""}}


def _named(visit: Visit, period: _Period, name: str, group: api.UsageGroup) -> Mapping[str, Any]:
    """Return a group by name as a row, as the page's script reads it."""
    key = group.of[name]
    texts = {"name": key or visit.say("(none)"), **_figures(group.sums)}
    path = period.path(**{name: key}) if key else period.path()
    return {"id": key, "texts": texts, "links": {"only": visit.link(path)}}


def _timed(period: _Period, group: api.UsageGroup) -> Mapping[str, str]:
    return {"name": _label(period, group.of[period.by], whole=True), **_figures(group.sums)}


def _label(period: _Period, key: str, *, whole: bool = False) -> str:
    """Return a day or an hour for people."""
    if period.days > 1:
        return key if whole else key[5:]
    return key[11:16]


def _causes(visit: Visit, listed: Sequence[api.Interruption]) -> list[Mapping[str, Any]]:
    """Return a row for each cause: its attempts by the ending of their requests."""
    counted: dict[str, dict[str, int]] = {}
    for one in listed:
        row = counted.setdefault(one.cause, dict.fromkeys(ENDINGS.values(), 0))
        row[ENDINGS.get(one.ending, ENDINGS["failed"])] += one.attempts
    ordered = sorted(counted.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))
    return [
        {
            "id": cause,
            "texts": {
                "cause": worded_by(visit, CAUSES, cause),
                "all": number(sum(row.values())),
                **{ending: number(count) for ending, count in row.items()},
            },
        }
        for cause, row in ordered
    ]


def _charts(
    visit: Visit, period: _Period, groups: Sequence[api.UsageGroup]
) -> Sequence[Mapping[str, Any]]:
    """Return the charts with their headings and the names of their rows."""
    found = {group.of[period.by]: group.sums for group in groups}
    times = period.times()
    sums = [found.get(key) for key in times]
    labels = [_label(period, key) for key in times]
    made = []
    for name, title, stacked, shown, rows in _CHARTS:
        values = {visit.say(word): [_value(one, names) for one in sums] for word, names in rows}
        chart = Chart(labels, values, shown, stacked=stacked)
        place = f"chart-{name}"
        drawn = draw(chart, place)
        made.append({"id": place, "title": title, "names": list(values), "svg": drawn})
    return made


def _value(sums: UsageSums | None, names: Sequence[str]) -> float | None:
    """Return a figure of a chart; None where nothing was measured."""
    if sums is None:
        return None
    found = [getattr(sums, name) for name in names]
    return None if None in found else sum(found)


def _count(value: float) -> str:
    return number(round(value))


_CHARTS: Sequence[tuple[str, str, bool, Shown, Sequence[tuple[str, Sequence[str]]]]] = (
    (
        "requests",
        worded("Requests"),
        True,
        _count,
        (
            (worded("answered in full"), ["done"]),
            (worded("failed"), _LOST),
            (worded("the client left"), ["client_left"]),
        ),
    ),
    (
        "first",
        worded("Time to the first chunk"),
        False,
        milliseconds,
        ((worded("half"), ["first_byte_p50_ms"]), (worded("95 of 100"), ["first_byte_p95_ms"])),
    ),
    (
        "tokens",
        worded("Tokens"),
        True,
        _count,
        (
            (worded("in"), ["input_tokens"]),
            (worded("out"), ["output_tokens", "thought_tokens"]),
        ),
    ),
)
"""Charts: a name, a heading, whether it has bars, how figures are written, and its rows."""

PAGES = (
    Page("/", "Overview", "overview.html", overview, in_menu=True, live=overview_now, every=5.0),
)
