"""One request's story: attempt by attempt, what was asked, what came, where it broke, who pays.

A request that runs is told from what its worker knows, one that is over from the ledger: with the
same fields, so the same page shows both. Each attempt has a bar on the time line: the wait for the
head of its answer, and the answer. A client may use an id again; then all requests with it are
told, the newest first.

All are figures and words: the record of a request has no prompt and no answer.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gemproxy.admin.attempts import Attempt
from gemproxy.admin.requests import Request, Story, StoryQuery, request
from gemproxy.admin.streams import RunningStream, StreamsQuery, streams
from gemproxy.core.errors import Unrouted
from gemproxy.pages.page import Page, Visit
from gemproxy.pages.rendering import clocked, milliseconds, number, octets, seconds
from gemproxy.pages.request_words import ENDINGS, asked, ended, ending_of, joined
from gemproxy.pages.stream_words import CONDITIONS, colour_of, doing

WIDTH = 1000
"""Units of the time line."""

_LEAST = 3
"""Units of the shortest bar, so that it can be seen."""
_UNKNOWN = "No request with this id runs, and the ledger has none."


@attrs.frozen
class Told:
    """A request as the page tells it: ``texts`` by name, and how bad it is (``colour``)."""

    texts: Mapping[str, str]
    colour: str
    attempts: Sequence[Attempt]
    span_ms: float
    request: Request | None = None


async def story(visit: Visit) -> Mapping[str, Any]:
    """Return what the page shows. Raises Unrouted for an id that nothing has."""
    told = await _told(visit)
    return {
        "id": visit.names["id"],
        "stories": [
            {
                "told": one,
                "rows": _rows(visit, one),
                "running": one.request is None,
                "sums": None if one.request is None else _sums(one.request),
            }
            for one in told
        ],
        "blank": _BLANK,
    }


async def story_now(visit: Visit) -> Mapping[str, Any]:
    """Return what has changed on it: the newest request with the id, if it runs."""
    told = (await _told(visit))[0]
    if told.request is not None:
        return {"running": told.request.ending is None}
    return {
        "running": True,
        "texts": told.texts,
        "states": {"ending": told.colour},
        "lists": {"attempts": _rows(visit, told)},
    }


async def _told(visit: Visit) -> list[Told]:
    name = visit.names["id"]
    found = await visit.ask(streams, StreamsQuery(id=name))
    running = [_of_stream(visit, one) for one in found.streams]
    kept: list[Story] = []
    if visit.desk.figures is not None:
        try:
            stories = await visit.ask(request, StoryQuery(timezone=str(visit.zone)))
            kept = stories.requests
        except Unrouted:
            kept = []
    over = [one for one in kept if one.request.ending is not None or not running]
    told = running + [_of_ledger(visit, one) for one in over]
    if not told:
        raise Unrouted(_UNKNOWN)
    return told


def _of_stream(visit: Visit, one: RunningStream) -> Told:
    first = next((each for each in one.attempts if each.answered_ms is not None), None)
    texts = {
        "ending": visit.say(CONDITIONS[one.condition][0]),
        "doing": doing(visit, one),
        "model": one.model or "–",
        "user": _user(visit, one.user),
        "started": clocked(one.began, visit.zone),
        "lasted": seconds(one.age_seconds),
        "first": "–" if first is None else milliseconds(first.began_ms + (first.answered_ms or 0)),
        "characters": number(one.characters),
        "attempts": number(len(one.attempts)),
        "repairs": number(sum(bool(each.joint) for each in one.attempts)),
        "seam": milliseconds(sum(each.seam_ms for each in one.attempts)),
        "route": f"{one.dialect} {one.route}",
    }
    return Told(texts, colour_of(one), one.attempts, one.age_seconds * 1000)


def _of_ledger(visit: Visit, story: Story) -> Told:
    one, ending = story.request, ending_of(story.request)
    attempts = story.attempts or ([_alone(one)] if one.attempts == 1 else [])
    texts = {
        "ending": visit.say(ENDINGS[ending][0]),
        "doing": visit.say("status %(status)s", status=one.status) if one.status else "",
        "model": one.model or "–",
        "user": _user(visit, one.user),
        "started": clocked(dt.datetime.fromisoformat(one.started), visit.zone),
        "lasted": milliseconds(one.duration_ms),
        "first": milliseconds(one.first_byte_ms),
        "characters": number(one.characters),
        "attempts": number(one.attempts),
        "repairs": number(one.repairs),
        "seam": milliseconds(one.seam_ms),
        "route": f"{one.dialect} {one.route}",
    }
    return Told(texts, ENDINGS[ending][1], attempts, one.duration_ms or 0, one)


def _user(visit: Visit, name: str) -> str:
    return name or visit.say("a Gemini key of its own")


def _alone(one: Request) -> Attempt:
    """Return the attempt that brought a whole answer: the ledger keeps its figures in the row."""
    return Attempt(
        number=1,
        key=one.key,
        project=one.project,
        status=one.status,
        running=one.ending is None,
        how="eof" if one.ending == "done" else "",
        cause=None,
        form="",
        anchor=0,
        joint="",
        characters=one.characters,
        dropped=0,
        swallowed=0,
        bytes=0,
        began_ms=0,
        answered_ms=one.first_byte_ms,
        milliseconds=one.duration_ms or 0,
        seam_ms=0,
        prompt_tokens=one.input_tokens + one.extra_input_tokens,
        output_tokens=one.output_tokens,
        thought_tokens=one.thought_tokens,
    )


def _rows(visit: Visit, told: Told) -> list[Mapping[str, Any]]:
    """Return a row for each attempt, with its bars on the time line."""
    span = max([told.span_ms, *(one.began_ms + one.milliseconds for one in told.attempts), 1])
    rows: list[Mapping[str, Any]] = []
    at = 0
    for one in told.attempts:
        at += one.characters
        rows.append(
            {
                "id": str(one.number),
                "texts": _texts(visit, one, at),
                "states": {"end": _colour(one)},
                "bars": _bars(one, span),
            }
        )
    return rows


def _texts(visit: Visit, one: Attempt, at: int) -> Mapping[str, str]:
    head = "–" if one.answered_ms is None else milliseconds(one.answered_ms)
    return {
        "number": number(one.number),
        "began": milliseconds(one.began_ms),
        "asked": asked(visit, one),
        "key": one.key or visit.say("the client’s own"),
        "project": one.project or "–",
        "status": "–" if one.status is None else str(one.status),
        "head": head,
        "lasted": milliseconds(one.milliseconds),
        "bytes": octets(one.bytes or None),
        "characters": number(one.characters),
        "end": ended(visit, one, at),
        "joined": joined(visit, one),
        "dropped": number(one.dropped),
        "swallowed": number(one.swallowed),
        "input": number(one.prompt_tokens),
        "output": number(one.output_tokens),
        "thoughts": number(one.thought_tokens),
    }


def _colour(one: Attempt) -> str:
    if one.running:
        return ""
    return "warn" if one.cause or one.how != "eof" else "good"


def _bars(one: Attempt, span: float) -> Mapping[str, tuple[int, int]]:
    """Return where the wait and the answer of an attempt begin on the time line, and how long."""
    head = one.milliseconds if one.answered_ms is None else min(one.answered_ms, one.milliseconds)
    scale = WIDTH / span
    begin, middle = round(one.began_ms * scale), round((one.began_ms + head) * scale)
    end = round((one.began_ms + one.milliseconds) * scale)
    answer = (middle, max(end - middle, _LEAST)) if one.answered_ms is not None else (middle, 0)
    return {"wait": (begin, max(middle - begin, _LEAST)), "answer": answer}


def _sums(one: Request) -> Mapping[str, Mapping[str, Any]]:
    """Return what the user pays, what repair cost beyond that, and both together."""
    return {
        "user": {
            "input": one.input_tokens,
            "output": one.output_tokens,
            "thoughts": one.thought_tokens,
            "cost": one.cost_usd,
        },
        "operator": {
            "input": one.extra_input_tokens,
            "output": one.extra_output_tokens,
            "thoughts": None,
            "cost": one.operator_cost_usd,
        },
    }


_BLANK: Mapping[str, Any] = {
    "id": "",
    "texts": dict.fromkeys(
        (
            *("number", "began", "asked", "key", "project", "status", "head", "lasted", "bytes"),
            *("characters", "end", "joined", "dropped", "swallowed", "input", "output"),
            "thoughts",
        ),
        "",
    ),
    "states": {"end": ""},
    "bars": {"wait": (0, 0), "answer": (0, 0)},
}


PAGES = (Page("/requests/{id}", "Request", "story.html", story, live=story_now),)
