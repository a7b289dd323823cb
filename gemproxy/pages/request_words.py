"""The words of a request's story for people: endings, causes, and what an attempt was asked."""

from collections.abc import Mapping

from gemproxy.admin.attempts import Attempt
from gemproxy.admin.requests import Request
from gemproxy.pages.page import Visit
from gemproxy.pages.rendering import milliseconds, number
from gemproxy.pages.words import worded

ENDINGS: Mapping[str, tuple[str, str]] = {
    "running": (worded("Running"), ""),
    "done": (worded("Done"), "good"),
    "failed": (worded("Failed"), "bad"),
    "client_left": (worded("Client left"), "warn"),
    "shutdown": (worded("Ended by a shutdown"), "bad"),
    "lost": (worded("Lost with its process"), "bad"),
}
"""Ending -> its name, and the word for its colour."""

CAUSES: Mapping[str, str] = {
    "drop": worded("the stream ended before the answer did"),
    "stall": worded("nothing came for too long"),
    "garbled": worded("what came could not be read"),
    "error_frame": worded("an error came in the stream"),
    "status": worded("the status was an error"),
    "unreachable": worded("there was no connection"),
    "bad_finish": worded("the answer ended for a bad reason"),
    "empty": worded("the answer ended without saying anything new"),
    "continuation": worded("Gemini asked to be called again"),
    "refused": worded("Gemini refused this way to ask for the rest"),
    "diverged": worded("the attempt told another story"),
    "invalid": worded("the joined JSON was not valid"),
}

HOWS: Mapping[str, str] = {
    "eof": worded("The body ended in order"),
    "reset": worded("The connection broke"),
    "stalled": worded("It fell silent and was given up"),
    "garbled": worded("Unreadable bytes came"),
    "oversized": worded("A frame was too large"),
    "unreachable": worded("No connection was made"),
    "no_first_byte": worded("No answer came in time"),
}

FORMS: Mapping[str, str] = {
    "": worded("As the client asked"),
    "replay": worded("The same again"),
    "native": worded("With Gemini’s own token to go on"),
    "echo": worded("The rest of the text"),
    "uncapped": worded("The rest, with the client’s own output limit"),
    "quoted": worded("The rest, with the text in quotes"),
    "prefill": worded("The rest, behind the text alone"),
}

JOINTS: Mapping[str, str] = {
    "echo": worded("where it repeated the anchor"),
    "overlap": worded("where it repeated a shorter end"),
    "restart": worded("behind a repetition of the whole text"),
    "plain": worded("at its first new character"),
}


def ending_of(one: Request) -> str:
    """Return the ending of a request, one of ``ENDINGS``."""
    return one.ending or "running"


def worded_by(visit: Visit, words: Mapping[str, str], name: str) -> str:
    """Return the words for a name; the name itself where there are none."""
    return visit.say(words[name]) if name in words else name


def asked(visit: Visit, one: Attempt) -> str:
    """Return what an attempt asked for; figures, no content."""
    words = worded_by(visit, FORMS, one.form)
    if not one.anchor:
        return words
    more = visit.say("to begin with the last %(count)s characters", count=number(one.anchor))
    return f"{words}, {more}"


def ended(visit: Visit, one: Attempt, at: int) -> str:
    """Return how an attempt ended, and why another followed.

    ``at`` counts the characters that the client had by then.
    """
    if one.running:
        return visit.say("It runs")
    if one.cause == "status":
        return visit.say("Refused with status %(status)s", status=one.status)
    words = worded_by(visit, HOWS, one.how) if one.how else visit.say("It was left")
    if not one.cause or one.answered_ms is None:
        return words
    if one.characters:
        cut = visit.say("cut at character %(at)s", at=number(at))
        words = f"{words}, {cut}"
    return f"{words}: {worded_by(visit, CAUSES, one.cause)}"


def joined(visit: Visit, one: Attempt) -> str:
    """Return where an attempt was joined to the text before, and how long that took."""
    if not one.joint:
        return "–"
    words = worded_by(visit, JOINTS, one.joint)
    return visit.say("%(where)s, after %(wait)s", where=words, wait=milliseconds(one.seam_ms))
