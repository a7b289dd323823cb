r"""What each SDK tolerates on the wire, beyond what Gemini itself sends.

Google's SDKs are no SSE parsers: comments, ``id:`` and ``event:`` lines break most of them,
or make them lose text in silence. Two additions are left, and each has an exception.
Measured with google-genai 1.10 to 3.4 (Python), @google/genai 0.8 to 3.1 and
@google/generative-ai 0.24 (JavaScript), langchain and the Vercel AI SDK; read in the source
of go-genai and java-genai:

- *A blank line between two events* is skipped by all but @google/generative-ai (on which
  @langchain/google-genai is built) and @google/genai before 1.30. It has to be the blank
  line that ends an event, two line ends in the stream's own style: go-genai cuts its input
  at ``\n\n`` or ``\r\n\r\n`` and refuses an event that begins with a lone line end. The
  other clients that call themselves ``genai-<language>`` are of the same generation as the
  one that breaks, and untested: they get no blank lines either.
- *An error event*, ``data: {"error": ...}``, raises in all of them when the connection is then
  cut short. go-genai logs the cut and yields an empty chunk for the event, but raises the
  typed error for the bare JSON object, so that is what it gets.

The streams of interactions are read by other code, a whole SSE parser (google-genai 3.4,
@google/genai 2.32): blank lines of any style are skipped, and an error event is an event like
any other. What raises is the cut behind it.

OpenAI's SDKs raise APIError for ``data: {"error": ...}``, after all the text before it (openai
3.57, Python), and look for words as codes.

In the JSON array that Gemini sends without ``alt=sse``, white space is free once the opening
bracket has gone out, and only then (measured with google-generativeai 0.8).
"""

import enum
import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

DEFAULT_EOL = b"\r\n"
"""Gemini's own line end."""

_BLANK_LINES = (b"\n\n", b"\r\r", b"\n\r\n", b"\r\r\n")
"""What an event ends with: a line end, and a line without anything (WHATWG HTML, 9.2.6)."""

_JS = re.compile(r"\bgoogle-genai-sdk/([0-9]{1,6})\.([0-9]{1,6})\S* gl-node/")
_GO = re.compile(r"\bgl-go/")
_FIRST_GENERATION = re.compile(r"(?:^|\s)genai-\w+/")
_JS_SKIPS_BLANK_LINES = (1, 30)


class Words(enum.Enum):
    """The form in which a client is told of an error as the last thing."""

    EVENT = "event"
    BARE = "bare"  # the JSON object without "data: "
    ELEMENT = "element"  # of the JSON array, which stays open
    VALUE = "value"  # where one JSON value is waited for
    INTERACTION = "interaction"
    OPENAI = "openai"
    NONE = "none"


@attrs.frozen
class Dialect:
    """How to speak to one kind of client, besides passing on what Gemini says."""

    name: str
    words: Words = Words.EVENT
    blank_lines: bool = True

    def heartbeat(self, eol: bytes | None) -> bytes | None:
        """Return bytes that keep the connection warm between frames, or None for none.

        ``eol`` is the line end of the frames sent so far; None when none was sent.
        """
        if not self.blank_lines:
            return None
        if self.words is Words.ELEMENT:
            return None if eol is None else b"\n"
        if eol is None and self.words is Words.BARE:
            return None  # go-genai: a blank line in the other style would glue events
        return (eol or DEFAULT_EOL) * 2

    def may_speak_after(self, tail: bytes) -> bool:
        """Tell whether the last bytes sent, none or up to four, leave room for an error."""
        match self.words:
            case Words.NONE:
                return False
            case Words.VALUE:
                return not tail.strip()
            case Words.ELEMENT:
                return not tail or tail.rstrip().endswith(b"}")
        return not tail or tail.endswith(_BLANK_LINES)

    def error_bytes(self, payload: Mapping[str, Any], eol: bytes | None) -> bytes:
        """Return a google.rpc error body as the last thing that this client receives.

        ``eol`` is as in ``heartbeat``. The array stays open: the cut that follows is what
        the array's readers notice.
        """
        if self.words is Words.INTERACTION:
            return _error_event(payload["error"], eol or b"\n")
        if self.words is Words.OPENAI:
            payload = _openai_error(payload["error"])
        body = json.dumps(payload, separators=(",", ":")).encode()
        if self.words is Words.ELEMENT:
            return b"[" + body if eol is None else b",\r\n" + body
        prefix = b"" if self.words in {Words.BARE, Words.VALUE} else b"data: "
        return prefix + body + (eol or DEFAULT_EOL) * 2


STANDARD = Dialect("standard")
GO = Dialect("go", Words.BARE)
FRAGILE = Dialect("fragile", blank_lines=False)
ARRAY = Dialect("array", Words.ELEMENT)
UNARY = Dialect("unary", Words.VALUE)
INTERACTIONS = Dialect("interactions", Words.INTERACTION)
OPENAI = Dialect("openai", Words.OPENAI)
MUTE = Dialect("mute", Words.NONE, blank_lines=False)


def _openai_error(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an error of ours in OpenAI's form, whose codes are words."""
    word = str(error.get("status", "unknown")).lower()
    told = {"message": error.get("message"), "type": "server_error", "param": None, "code": word}
    return {"error": told}


def _error_event(error: Mapping[str, Any], eol: bytes) -> bytes:
    """Return an error of ours as the Interactions API words its own: codes are words there."""
    code = error.get("code")
    word = code if isinstance(code, str) else str(error.get("status", "unknown")).lower()
    event = {"error": {**error, "code": word}, "event_type": "error"}
    data = json.dumps(event, separators=(",", ":")).encode()
    return eol.join((b"event: error", b"data: " + data, b"", b""))


def dialect_of(headers: Mapping[str, str], *, sse: bool = True) -> Dialect:
    """Return the dialect of the client that sent these request headers."""
    if not sse:
        return ARRAY
    return _dialect(f"{headers.get('x-goog-api-client', '')} {headers.get('User-Agent', '')}")


@functools.lru_cache
def _dialect(client: str) -> Dialect:
    if _GO.search(client):
        return GO
    if _FIRST_GENERATION.search(client):
        return FRAGILE
    js = _JS.search(client)
    if js and (int(js[1]), int(js[2])) < _JS_SKIPS_BLANK_LINES:
        return FRAGILE
    return STANDARD


def eol_of(raw: bytes) -> bytes:
    """Return the line end of a frame: that of its last line, or Gemini's when it has none."""
    for eol in (b"\r\n", b"\n", b"\r"):
        if raw.endswith(eol):
            return eol
    return DEFAULT_EOL
