"""The page where an operator watches a stream being cut and repaired.

The browser sends the prompt to the proxy's own route, with a key that the operator types and that
the page keeps nowhere; so what is seen is what any client gets. What the client cannot see, the
admin API says while the request runs, and the ledger afterwards: where it was cut, and how the rest
was joined.

The answer comes from the upstream of the settings, or from a fake (``gemproxy.playground``). Both
can be cut at any moment, by the API's route that interrupts a stream.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from gemproxy.admin.attempts import Attempt
from gemproxy.admin.models import ModelsQuery, models
from gemproxy.admin.requests import Request, StoryQuery, request
from gemproxy.admin.route import Text
from gemproxy.admin.streams import CancelQuery, StreamsQuery, interrupt, streams
from gemproxy.core.errors import Unrouted
from gemproxy.pages.page import Change, Notice, Page, Visit
from gemproxy.pages.rendering import milliseconds, money, number
from gemproxy.pages.request_words import asked, ended, joined
from gemproxy.playground.wish import ANSWERS, BEHAVIOURS, FAULTS, HEADER, LONGEST_PAUSE

MODEL = "gemini-playground"
"""The model that a fake is asked for: no price list has it, so it costs nobody anything."""


async def playground(visit: Visit) -> Mapping[str, Any]:
    """Return what the page offers."""
    known = await visit.ask(models, ModelsQuery(limit=1000))
    return {
        "models": [one.name for one in known.models],
        "model": MODEL,
        "header": HEADER,
        "answers": ANSWERS,
        "behaviours": BEHAVIOURS,
        "faults": FAULTS,
        "longest_pause": LONGEST_PAUSE,
        "pool": visit.desk.ring is not None,
    }


async def run(visit: Visit) -> Text:
    """Return what ``run_now`` returns, for a browser that does not listen."""
    return Text("application/json", json.dumps(await run_now(visit)).encode())


async def run_now(visit: Visit) -> Mapping[str, Any]:
    """Return what is known of a request by its id: while it runs, and from the ledger later.

    ``cuts`` has, for each interruption, how many characters the client had by then (code points),
    and what was done. ``over``: nothing more will be known.
    """
    name = visit.names["id"]
    running = await visit.ask(streams, StreamsQuery(id=name))
    if running.streams:
        one = running.streams[0]
        return {"over": False, "state": one.state, "cuts": _cuts(visit, one.attempts)}
    try:
        stories = await visit.ask(request, StoryQuery(), id=name)
    except Unrouted:
        return {"over": visit.desk.figures is None, "state": "", "cuts": None}
    story = stories.requests[0]
    over = story.request.ending is not None
    facts = _facts(story.request) if over else {}
    return {"over": over, "state": "", "cuts": _cuts(visit, story.attempts), "facts": facts}


async def cut(visit: Visit) -> Notice:
    """Cut the connection to the upstream of a request that runs."""
    await visit.ask(interrupt, CancelQuery(), id=visit.names["id"])
    return Notice(f"/playground/{quote(visit.names['id'], safe='')}")


def _facts(of: Request) -> Mapping[str, str]:
    spent = of.input_tokens + of.output_tokens + of.thought_tokens
    extra = of.extra_input_tokens + of.extra_output_tokens
    return {
        "attempts": number(of.attempts),
        "first": milliseconds(of.first_byte_ms),
        "duration": milliseconds(of.duration_ms),
        "tokens": number(spent),
        "extra": number(extra),
        "cost": money(of.cost_usd),
    }


def _cuts(visit: Visit, attempts: Sequence[Attempt]) -> list[Mapping[str, Any]]:
    """Return the places where an attempt was followed by another one."""
    places = accumulate(one.characters for one in attempts)
    pairs = zip(attempts, attempts[1:], places, strict=False)
    return [
        {"at": at, "words": [_said(visit, before, ended(visit, before, at)), *_then(visit, after)]}
        for before, after, at in pairs
    ]


def _said(visit: Visit, attempt: Attempt, words: str) -> str:
    return visit.say("Attempt %(number)s: %(words)s.", number=attempt.number, words=words)


def _then(visit: Visit, attempt: Attempt) -> list[str]:
    """Return sentences about how an attempt took over."""
    said = [_said(visit, attempt, asked(visit, attempt))]
    if attempt.joint:
        joint = visit.say(
            "It joined here, %(where)s; %(dropped)s characters that came again were dropped.",
            where=joined(visit, attempt),
            dropped=number(attempt.dropped),
        )
        said.append(joint)
    return said


PAGES = (
    Page("/playground", "Playground", "playground.html", playground, in_menu=True),
    Page("/playground/{id}", "Playground", "", run, live=run_now, every=0.5),
)
CHANGES = (Change("/playground/{id}/cut", cut),)
