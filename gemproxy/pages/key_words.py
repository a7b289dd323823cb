"""What the words of the admin API about keys are for people, and how good or bad each is."""

import datetime as dt
from collections.abc import Mapping

from gemproxy.admin.keys import KeyRest, KeyView
from gemproxy.pages.page import Visit
from gemproxy.pages.rendering import clocked, seconds
from gemproxy.pages.words import worded

STATES: Mapping[str, tuple[str, str]] = {
    "ready": (worded("Ready"), "good"),
    "resting": (worded("Resting"), "warn"),
    "sick": (worded("Sick"), "bad"),
    "disabled": (worded("Disabled"), ""),
}
"""State -> its name, and the word for its colour."""

RESULTS: Mapping[str, tuple[str, str]] = {
    "ok": (worded("Served"), "good"),
    "minute": (worded("Quota of the minute"), "warn"),
    "day": (worded("Quota of the day"), "warn"),
    "absent": (worded("Model not in its tier"), "warn"),
    "bare": (worded("Quota"), "warn"),
    "invalid": (worded("Invalid key"), "bad"),
    "suspended": (worded("Suspended"), "bad"),
    "leaked": (worded("Leaked"), "bad"),
    "disabled": (worded("API not enabled"), "bad"),
    "billing": (worded("No billing"), "bad"),
    "denied": (worded("Denied"), "bad"),
    "location": (worded("Location refused"), "bad"),
    "request": (worded("Request refused"), ""),
    "service": (worded("Service failed"), ""),
    "no_answer": (worded("No answer"), ""),
    "not_gemini": (worded("Not the Gemini API"), ""),
    "not_asked": (worded("Not asked in time"), ""),
}
"""The result of an attempt or a check, or a cause -> its name, and the word for its colour."""

_DAY = dt.timedelta(days=1)
_SHOWN = 2
"""Rests of a key that a list shows."""


def named(visit: Visit, word: str) -> str:
    """Return the name of a result or a cause."""
    return visit.say(RESULTS[word][0])


def kind_of(key: KeyView) -> str:
    """Return the state of a key: one of ``STATES``."""
    if key.state != "well":
        return key.state
    return "resting" if key.rests else "ready"


def clock(visit: Visit, until: dt.datetime, now: dt.datetime) -> str:
    """Return the end of a rest: its time, with the date if that is needed, and what is left."""
    left = seconds(max((until - now).total_seconds(), 0))
    shown = clocked(until, visit.zone)
    return f"{shown[11:] if until - now < _DAY else shown} ({left})"


def rest_words(visit: Visit, rest: KeyRest, now: dt.datetime) -> str:
    """Return a rest in words, without its model."""
    why = named(visit, rest.why)
    if rest.until is None:
        return why
    return visit.say("%(why)s until %(until)s", why=why, until=clock(visit, rest.until, now))


def rests_words(visit: Visit, rests: list[KeyRest], now: dt.datetime) -> str:
    """Return the first rests of a project in words, and how many more there are."""
    shown = [
        f"{rest.model or visit.say('any model')}: {rest_words(visit, rest, now)}"
        for rest in rests[:_SHOWN]
    ]
    if len(rests) > _SHOWN:
        shown.append(visit.say("and %(count)s more", count=len(rests) - _SHOWN))
    return "; ".join(shown) or "–"
