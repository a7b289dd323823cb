"""JSON outside the framing of its stream.

Gateways put a response between the events as a bare line (nyro#182), and Google's SDKs silently
skip such lines. We turn such JSON into events, but only if it is Gemini's: a
GenerateContentResponse, a list of them, or an error. It is cut at its braces, so several objects
may follow one another, on one line or on many.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.core.wire.frame import Data, Frame, line_end
from gemproxy.core.wire.jsonarray import JSONArrayDecoder
from gemproxy.core.wire.sse import CRLF, SSEDecoder, event

_BOM = b"\xef\xbb\xbf"
_OPENS = (b"{", b"[")
_LINE_OPENS = (b"\n{", b"\n[", b"\r{", b"\r[")
_FIELD = re.compile(rb"(?:data|event|id|retry)?:|(?:data|event|id|retry)?[\r\n]*\Z")
_LINE_SEPARATORS = (
    (b"\xc2\x85", b"\\u0085"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)
"""Unicode line ends in UTF-8, at which old SDKs split, and their JSON escapes."""


class _Shape(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[msgspec.Raw] | None = None
    prompt_feedback: dict[str, msgspec.Raw] | None = None
    usage_metadata: dict[str, msgspec.Raw] | None = None
    error: dict[str, msgspec.Raw] | str | None = None


_decode = msgspec.json.Decoder(_Shape).decode


def is_answer(data: Data) -> bool:
    """Return whether ``data`` is the JSON of a GenerateContentResponse or of an error."""
    try:
        shape = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _is_answer_slowly(data)
    responds = (shape.candidates, shape.prompt_feedback, shape.usage_metadata)
    return bool(shape.error) or any(field is not None for field in responds)


def _is_answer_slowly(data: Data) -> bool:
    """Do the same for JSON that the typed decoder refuses, such as lone surrogates."""
    try:
        document = loads(data)
    except Undecodable:
        return False
    return isinstance(document, dict) and (
        isinstance(document.get("candidates"), list)
        or isinstance(document.get("promptFeedback"), dict)
        or isinstance(document.get("usageMetadata"), dict)
        or bool(document.get("error"))
    )


def one_line(data: Data) -> bytes:
    """Return JSON text on one line.

    Line ends occur only between the tokens of JSON, so they can be removed with the whitespace
    around them.
    """
    line = b"".join(map(bytes.strip, bytes(data).splitlines()))
    if not line.isascii():
        for separator, escape in _LINE_SEPARATORS:
            line = line.replace(separator, escape)
    return line


def answers(text: bytes) -> list[bytes] | None:
    """Return the answers in ``text``, alone or in lists; None if it holds anything else."""
    decoder = JSONArrayDecoder(max(len(text), 1))
    found = [bytes(frame.data) for frame in decoder.feed(text) if frame.data is not None]
    rest = decoder.close()
    whole = rest is None or (rest.data is None and rest.raw.strip() in {b"", b"]"})
    return found if found and whole and all(map(is_answer, found)) else None


def says_nothing(document: Any) -> bool:  # noqa: ANN401 - JSON is any
    """Return whether JSON is empty: null, an empty object, or a list of these."""
    if isinstance(document, list):
        return all(map(says_nothing, document))
    return document is None or document == {}


def may_hold_answers(frame: Frame) -> bool:
    """Return, by a cheap test, whether a frame of an event stream may hold bare answers."""
    raw, data = frame.raw.removeprefix(_BOM), frame.data
    is_list = data is not None and data[:1] == b"["
    return is_list or raw.startswith(_OPENS) or any(opens in raw for opens in _LINE_OPENS)


def events_of(frame: Frame) -> list[Frame]:
    """Return a frame of an event stream as events, one for each bare answer in it.

    An event with a list of answers is split in the same way. Any other frame is returned
    unchanged. The events have the line end of the frame.
    """
    eol = line_end(frame.raw) or CRLF
    if frame.data is not None and frame.data[:1] == b"[":
        return _as_events(bytes(frame.data), eol) or [frame]
    events: list[Frame] = []
    bare = False
    for is_bare, lines in _runs(frame.raw.removeprefix(_BOM)):
        bare |= is_bare
        found = _as_events(lines, eol) if is_bare else _framed(lines, eol)
        if found is None:
            return [frame]
        events += found
    return events if bare else [frame]


def _as_events(lines: bytes, eol: bytes) -> list[Frame] | None:
    """Return an event for each answer in these lines; None if they hold anything else."""
    found = answers(lines)
    if found is None:
        return None
    return [Frame(event(one_line(data), eol), data) for data in found]


def _runs(raw: bytes) -> Iterator[tuple[bool, bytes]]:
    """Yield the lines of one event in runs: a flag for bare JSON, and their bytes."""
    bare, run = False, list[bytes]()
    for line in raw.splitlines(keepends=True):
        is_bare = line.startswith(_OPENS) or (bare and not _FIELD.match(line))
        if run and is_bare is not bare:
            yield bare, b"".join(run)
            run = []
        bare = is_bare
        run.append(line)
    yield bare, b"".join(run)


def _framed(lines: bytes, eol: bytes) -> list[Frame]:
    """Return these lines as an event; add the blank line if it is missing."""
    if not lines.strip():
        return []
    decoder = SSEDecoder(2 * len(lines))
    return decoder.feed(lines.rstrip(b"\r\n") + eol + eol)
