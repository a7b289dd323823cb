"""What a running request is doing, for people: in a word, and in a sentence with its seconds."""

from collections.abc import Mapping

from gemproxy.admin.conditions import Condition
from gemproxy.admin.streams import RunningStream
from gemproxy.core.repair.engine import Patience
from gemproxy.pages.page import Visit
from gemproxy.pages.rendering import number, seconds
from gemproxy.pages.words import worded

CONDITIONS: Mapping[Condition, tuple[str, str]] = {
    Condition.STREAMING: (worded("Streaming"), "good"),
    Condition.SLOW: (worded("Slow"), "warn"),
    Condition.SILENT: (worded("Silent"), "bad"),
    Condition.THINKING: (worded("Thinking"), ""),
    Condition.CONNECTING: (worded("Connecting"), ""),
    Condition.REPAIRING: (worded("Repairing"), "warn"),
    Condition.PAUSING: (worded("Pausing"), "warn"),
    Condition.QUEUED: (worded("Waits for a key"), "warn"),
    Condition.CLIENT: (worded("Client is slow"), "warn"),
    Condition.ENDING: (worded("Being ended"), "bad"),
}
"""Condition -> its name, and the word for its colour."""

_HALF = 0.5
_WORTH_SAYING = 1.0
"""Seconds of silence."""
_STATED: Mapping[Condition, str] = {
    Condition.QUEUED: worded("every key is in use or rests"),
    Condition.CLIENT: worded("the client reads more slowly than Gemini writes"),
    Condition.ENDING: worded("an operator is ending it"),
}


def colour_of(one: RunningStream) -> str:
    """Return the word for a colour: silence is only bad when half of the patience is over."""
    left, patience = one.patience_left_seconds, one.patience_seconds
    if one.condition is Condition.SILENT and left is not None and patience:
        return "warn" if left > patience * _HALF else "bad"
    return CONDITIONS[one.condition][1]


def doing(visit: Visit, one: RunningStream) -> str:
    """Return what a request is doing, with the seconds that tell a slow one from a stuck one."""
    words = _doing(visit, one)
    return f"{words}; {visit.say('no client follows it')}" if one.detached else words


def _doing(visit: Visit, one: RunningStream) -> str:
    condition = one.condition
    if condition in _STATED:
        return visit.say(_STATED[condition])
    if condition in {Condition.STREAMING, Condition.SLOW}:
        return _pace(visit, one)
    if condition is Condition.PAUSING:
        return visit.say(
            "attempt %(number)s follows in %(left)s",
            number=len(one.attempts) + 1,
            left=seconds(one.patience_left_seconds),
        )
    if condition is Condition.REPAIRING:
        return _repair(visit, one)
    return _silence(visit, one)


def _pace(visit: Visit, one: RunningStream) -> str:
    if one.characters_per_second is None:
        return visit.say("an answer runs")
    return visit.say("%(rate)s characters/s", rate=number(one.characters_per_second))


def _repair(visit: Visit, one: RunningStream) -> str:
    attempt = len(one.attempts)
    if one.state == "splicing":
        words = visit.say("attempt %(number)s answers; its place is looked for", number=attempt)
    else:
        words = visit.say("attempt %(number)s is made", number=attempt)
    if (one.silent_seconds or 0.0) < _WORTH_SAYING:
        return words
    return f"{words}; {_silence(visit, one)}"


def _silence(visit: Visit, one: RunningStream) -> str:
    silent, patience = seconds(one.silent_seconds), seconds(one.patience_seconds)
    if one.silent_seconds is None:
        return ""
    if one.patience_seconds is None:
        return visit.say("silent for %(silent)s", silent=silent)
    if one.awaits == Patience.FIRST_BYTE.value:
        return visit.say(
            "no answer for %(silent)s; patience %(patience)s", silent=silent, patience=patience
        )
    return visit.say(
        "silent for %(silent)s; patience %(patience)s", silent=silent, patience=patience
    )
