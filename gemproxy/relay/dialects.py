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

A stream that is passed through unread ends with an error only where its path says what its
reader understands, and where the reader is not past its end: behind ``[DONE]`` nothing is looked
at. OpenAI's SDKs raise APIError for ``data: {"error": ...}``, after all the text before it
(openai 3.57, Python).

In the JSON array that Gemini sends without ``alt=sse``, white space is free once the opening
bracket has gone out, and only then (measured with google-generativeai 0.8).
"""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.relay.headers import is_event_stream

DEFAULT_EOL = b"\r\n"
"""Gemini's own line end."""

_OK = 200
_OPENAI_STREAM = re.compile(r"/openai/(?:chat/)?completions/?$")
_INTERACTION = re.compile(r"/interactions(?:/[^/:]+)?/?$")
_IS_OVER = re.compile(rb"[\r\n]data:[ \t]*\[DONE\]")
_INTERACTION_IS_OVER = re.compile(
    _IS_OVER.pattern + rb'|"event_type"\s{0,9}:\s{0,9}"interaction\.complete'
)
_OVERLAP = 64
"""Bytes; an end mark is shorter."""

_BLANK_LINES = (b"\n\n", b"\r\r", b"\n\r\n", b"\r\r\n")
"""What an event ends with: a line end, and a line without anything (WHATWG HTML, 9.2.6)."""

_JS = re.compile(r"\bgoogle-genai-sdk/([0-9]{1,6})\.([0-9]{1,6})\S* gl-node/")
_GO = re.compile(r"\bgl-go/")
_FIRST_GENERATION = re.compile(r"(?:^|\s)genai-\w+/")
_JS_SKIPS_BLANK_LINES = (1, 30)


@attrs.frozen
class Dialect:
    """How to speak to one kind of client, besides passing on what Gemini says."""

    name: str
    blank_lines: bool = True
    bare_errors: bool = False
    array: bool = False
    interactions: bool = False
    one_value: bool = False
    openai: bool = False
    mute: bool = False
    end_mark: re.Pattern[bytes] | None = None

    def heartbeat(self, eol: bytes | None) -> bytes | None:
        """Return bytes that keep the connection warm between frames, or None for none.

        ``eol`` is the line end of the frames sent so far; None when none was sent.
        """
        if not self.blank_lines:
            return None
        if self.array:
            return None if eol is None else b"\n"
        if eol is None and self.bare_errors:
            return None  # go-genai: a blank line in the other style would glue events
        return (eol or DEFAULT_EOL) * 2

    def may_speak_after(self, tail: bytes) -> bool:
        """Tell whether the last bytes sent, none or up to four, leave room for an error."""
        if self.mute:
            return False
        if self.one_value:
            return not tail.strip()
        if self.array:
            return not tail or tail.rstrip().endswith(b"}")
        return not tail or tail.endswith(_BLANK_LINES)

    def error_bytes(self, payload: Mapping[str, Any], eol: bytes | None) -> bytes:
        """Return a google.rpc error body as the last thing that this client receives.

        ``eol`` is as in ``heartbeat``. The array stays open: the cut that follows is what
        the array's readers notice.
        """
        if self.interactions:
            return _error_event(payload["error"], eol or b"\n")
        if self.openai:
            payload = _openai_error(payload["error"])
        body = json.dumps(payload, separators=(",", ":")).encode()
        if self.array:
            return b"[" + body if eol is None else b",\r\n" + body
        prefix = b"" if self.bare_errors else b"data: "
        return prefix + body + (eol or DEFAULT_EOL) * 2


STANDARD = Dialect("standard")
GO = Dialect("go", bare_errors=True)
FRAGILE = Dialect("fragile", blank_lines=False)
ARRAY = Dialect("array", array=True)
INTERACTIONS = Dialect("interactions", interactions=True, end_mark=_INTERACTION_IS_OVER)
OPENAI = Dialect("openai", openai=True, end_mark=_IS_OVER)
MUTE = Dialect("mute", blank_lines=False, mute=True)


def passed_through(path: str, status: int, headers: Mapping[str, str]) -> Dialect:
    """Return how to end an answer that is passed through unread; MUTE where that is not known."""
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    readable = status == _OK and is_event_stream(headers) and coding == "identity"
    if not readable or "Content-Length" in headers:
        return MUTE
    if _OPENAI_STREAM.search(path):
        return OPENAI
    return INTERACTIONS if _INTERACTION.search(path) else MUTE


@attrs.define(eq=False)
class EndMark:
    """Finds the event by which a stream of a dialect says that it is over, however it is cut."""

    _dialect: Dialect
    _overlap: bytes = b"\n"

    def is_in(self, data: bytes) -> bool:
        """Tell whether ``data``, the next bytes of the stream, complete it."""
        mark = self._dialect.end_mark
        if mark is None:
            return False
        looked_at = self._overlap + data
        self._overlap = looked_at[-_OVERLAP:]
        return mark.search(looked_at) is not None


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
