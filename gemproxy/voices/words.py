"""How an error is worded: a google.rpc error body in the form that one kind of client reads."""

import json

from gemproxy.core.wire.sse import CRLF, event
from gemproxy.voices.voice import Payload


def bare(payload: Payload, eol: bytes) -> bytes:
    """Return the JSON object alone, behind it a blank line."""
    return compact(payload) + (eol or CRLF) * 2


def as_event(payload: Payload, eol: bytes) -> bytes:
    """Return an event of Gemini's."""
    return event(compact(payload), eol or CRLF)


def as_event_of_openai(payload: Payload, eol: bytes) -> bytes:
    """Return an event in OpenAI's form, whose codes are words."""
    error = payload["error"]
    word = str(error.get("status", "unknown")).lower()
    worded = {"message": error.get("message"), "type": "server_error", "param": None, "code": word}
    return as_event({"error": worded}, eol)


def as_event_of_an_interaction(payload: Payload, eol: bytes) -> bytes:
    """Return an event as the Interactions API words its own: codes are words there."""
    error = payload["error"]
    code = error.get("code")
    word = code if isinstance(code, str) else str(error.get("status", "unknown")).lower()
    eol = eol or b"\n"
    worded = {"error": {**error, "code": word}, "event_type": "error"}
    return b"event: error" + eol + event(compact(worded), eol)


def compact(payload: Payload) -> bytes:
    """Return JSON on one line, in ASCII."""
    return json.dumps(payload, separators=(",", ":")).encode()


def refusal(payload: Payload | list[Payload]) -> bytes:
    """Return the body of an error answer as Google's APIs give it."""
    return json.dumps(payload).encode()
