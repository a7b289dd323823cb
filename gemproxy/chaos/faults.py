"""The faults, their places, and their grammar on the command line.

    fault    = kind [":" argument ["," "retry=" seconds]] ["@" place]
    place    = number | "event:" number | "utf8" [":" number] | "thinking" | "headers" | "end"

A bare number counts bytes of the response body before chunked encoding; the fault comes after
them. ``event:n`` is after n frames, ``utf8:n`` inside the n-th character of several bytes,
``thinking`` after the first frame with a thought, ``headers`` before the status line. The default
place is the beginning of the body.
"""

import enum
import json
import re
from collections.abc import Callable
from typing import Any

import attrs

from gemproxy.core.errors import status_payload


class Kind(enum.Enum):
    """The kinds of fault, by their names on the command line."""

    CLEAN_EOF = "clean"  # the body ends correctly, without a finishReason
    FIN = "fin"  # the socket is closed without the chunk terminator
    RST = "rst"  # the connection is reset
    TRUNCATED_CHUNK = "truncated-chunk"  # a chunk is shorter than its announced size
    BAD_CHUNK = "bad-chunk"  # a chunk size that is not a number
    SHORT_LENGTH = "short-length"  # the body is shorter than its Content-Length
    STALL = "stall"  # silence until the peer closes
    ERROR_FRAME = "error"  # an error object in a frame, then a clean end
    RAW_ERROR = "raw-error"  # the same, pretty-printed and outside the framing
    GARBAGE = "garbage"  # a frame without JSON; the stream continues after it
    BARE = "bare"  # an event without its "data: "; the stream continues after it
    ENDLESS_LINE = "endless-line"  # a frame whose text never ends
    BAD_FINISH = "finish"  # the stream ends with this finishReason
    STATUS = "status"  # an HTTP error with Google's error body
    HTML = "html"  # an HTML page, like a gateway's own error
    EMPTY = "empty"  # 200 with no body
    BAD_GZIP = "bad-gzip"  # Content-Encoding: gzip with other bytes
    REFUSE_CONNECT = "refuse"  # the connection is reset as soon as it is accepted
    DRIP = "drip"  # an intact answer, with so few bytes in each write


CUTS = frozenset(
    {
        Kind.CLEAN_EOF,
        Kind.FIN,
        Kind.RST,
        Kind.TRUNCATED_CHUNK,
        Kind.BAD_CHUNK,
        Kind.SHORT_LENGTH,
        Kind.STALL,
    }
)
"""The kinds that act at an exact byte of the body."""

INSERTS = frozenset(
    {
        Kind.ERROR_FRAME,
        Kind.RAW_ERROR,
        Kind.GARBAGE,
        Kind.BARE,
        Kind.ENDLESS_LINE,
        Kind.BAD_FINISH,
    }
)
"""The kinds that act on frames; a place inside a frame means its end."""

WITHOUT_HEADERS = frozenset({Kind.FIN, Kind.RST, Kind.STALL})
"""The kinds that can also come before the status line."""

HARMLESS = frozenset({Kind.DRIP, Kind.GARBAGE, Kind.BARE})
"""The kinds after which the answer continues to its end."""


class Where(enum.Enum):
    """The unit in which a place in the stream is counted."""

    BYTE = "byte"
    EVENT = "event"
    UTF8 = "utf8"
    THINKING = "thinking"
    HEADERS = "headers"
    END = "end"


@attrs.frozen
class Place:
    """The place of a fault in the stream; ``number`` counts the units of ``where``."""

    where: Where = Where.BYTE
    number: int = 0

    def __str__(self) -> str:
        if self.where is Where.BYTE:
            return str(self.number)
        counted = self.where in (Where.EVENT, Where.UTF8)
        return f"{self.where.value}:{self.number}" if counted else self.where.value


HEADERS = Place(Where.HEADERS)
THINKING = Place(Where.THINKING)
END = Place(Where.END)


def byte(number: int) -> Place:
    """Return the place after ``number`` bytes of the body."""
    return Place(Where.BYTE, number)


def event(number: int) -> Place:
    """Return the place after ``number`` frames."""
    return Place(Where.EVENT, number)


def utf8(number: int = 1) -> Place:
    """Return the place after the first byte of the ``number``-th multi-byte character."""
    return Place(Where.UTF8, number)


@attrs.frozen
class Fault:
    """One fault of one attempt.

    ``code`` is the status of an error (STATUS, HTML, ERROR_FRAME, RAW_ERROR), ``retry`` the
    seconds of its RetryInfo, ``reason`` the finishReason of BAD_FINISH, ``size`` the bytes
    of one write of DRIP, ``body`` replaces the body of STATUS and HTML, and ``headers`` are
    added to theirs.
    """

    kind: Kind
    at: Place = attrs.field(default=Place())
    code: int = 503
    retry: float | None = None
    reason: str = "OTHER"
    size: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    body: bytes | None = attrs.field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = ()

    @at.validator
    def _makes_sense(self, _: object, at: Place) -> None:
        if self.kind not in CUTS | INSERTS and at != Place():
            raise ValueError(f"{self.kind.value} concerns the whole answer and takes no place")
        if at.where is Where.HEADERS and self.kind not in WITHOUT_HEADERS:
            raise ValueError(f"{self.kind.value} needs a response, so it cannot come at headers")

    def __str__(self) -> str:
        argument = _argument_of(self)
        place = f"@{self.at}" if self.kind in CUTS | INSERTS else ""
        return f"{self.kind.value}{argument}{place}"


def _argument_of(fault: Fault) -> str:
    shown = {
        Kind.BAD_FINISH: fault.reason,
        Kind.DRIP: fault.size,
        **dict.fromkeys((Kind.STATUS, Kind.HTML, Kind.ERROR_FRAME, Kind.RAW_ERROR), fault.code),
    }.get(fault.kind)
    retry = f",retry={fault.retry:g}" if fault.retry is not None else ""
    return f":{shown}{retry}" if shown is not None else ""


def error_of(fault: Fault) -> dict[str, Any]:
    """Return the google.rpc.Status body of this fault."""
    payload = status_payload(fault.code, f"The chaos server answers {fault.code}, as told.")
    if fault.retry is not None:
        payload["error"]["details"] = [
            {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": f"{fault.retry:g}s",
            }
        ]
    return payload


class BadFault(ValueError):
    """A fault specification is invalid; the message names the expected form."""


_SPEC = re.compile(r"(?P<kind>[a-z0-9-]+)(?::(?P<argument>[^@]*))?(?:@(?P<place>.*))?", re.DOTALL)


def parse_fault(spec: str) -> Fault | None:
    """Return the fault that ``spec`` names, None for ``none``; raise BadFault."""
    if spec == "none":
        return None
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise BadFault(f"{spec!r}: expected kind[:argument][@place]")
    kind = _kind(match["kind"], spec)
    settings = _settings(kind, match["argument"], spec)
    if match["place"] is not None:
        settings["at"] = _place(match["place"], spec)
    try:
        return Fault(kind, **settings)
    except ValueError as exc:
        raise BadFault(f"{spec!r}: {exc}") from None


def _kind(name: str, spec: str) -> Kind:
    try:
        return Kind(name)
    except ValueError:
        names = ", ".join(["none", *(kind.value for kind in Kind)])
        raise BadFault(f"{spec!r}: no such kind as {name!r}; there are {names}") from None


def _settings(kind: Kind, argument: str | None, spec: str) -> dict[str, Any]:
    """Parse the argument between the colon and the at sign."""
    if kind is Kind.HTML and argument is None:
        return {"code": 502}
    if argument is None:
        if kind is Kind.BAD_FINISH:
            raise BadFault(f"{spec!r}: finish needs a reason, as in finish:OTHER@event:3")
        return {}
    value, _, extra = argument.partition(",")
    reader = _READERS.get(kind)
    if reader is None:
        raise BadFault(f"{spec!r}: {kind.value} takes no argument")
    settings = reader(value, spec)
    if extra:
        settings["retry"] = _retry(kind, extra, spec)
    return settings


def _retry(kind: Kind, extra: str, spec: str) -> float:
    match = re.fullmatch(r"retry=(\d+(?:\.\d+)?)s?", extra)
    if match is None or kind not in (Kind.STATUS, Kind.ERROR_FRAME, Kind.RAW_ERROR):
        raise BadFault(f"{spec!r}: expected retry=SECONDS of an error, got {extra!r}")
    return float(match[1])


def _code(value: str, spec: str) -> dict[str, Any]:
    if not re.fullmatch(r"[2-5]\d\d", value):
        raise BadFault(f"{spec!r}: expected an HTTP status, got {value!r}")
    return {"code": int(value)}


def _reason(value: str, spec: str) -> dict[str, Any]:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
        raise BadFault(f"{spec!r}: expected a finishReason such as OTHER, got {value!r}")
    return {"reason": value}


def _size(value: str, spec: str) -> dict[str, Any]:
    return {"size": _number(value, spec)}


_READERS: dict[Kind, Callable[[str, str], dict[str, Any]]] = {
    Kind.STATUS: _code,
    Kind.HTML: _code,
    Kind.ERROR_FRAME: _code,
    Kind.RAW_ERROR: _code,
    Kind.BAD_FINISH: _reason,
    Kind.DRIP: _size,
}


def _place(text: str, spec: str) -> Place:
    name, colon, number = text.partition(":")
    if text.isascii() and text.isdecimal():
        return byte(int(text))
    if name == "event" and colon:
        return event(_number(number, spec))
    if name == "utf8":
        return utf8(_number(number, spec) if colon else 1)
    for place in (HEADERS, THINKING, END):
        if text == place.where.value:
            return place
    raise BadFault(
        f"{spec!r}: no such place as {text!r}; expected a number of bytes, event:N, "
        "utf8 or utf8:N, thinking, headers or end"
    )


def _number(text: str, spec: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise BadFault(f"{spec!r}: expected a number, got {text!r}")
    return int(text)


def html_page(fault: Fault) -> bytes:
    """Return the page of an HTML fault."""
    title = json.dumps(fault.code)
    return f"<!DOCTYPE html>\n<html><title>{title}</title><h1>{title}</h1></html>\n".encode()
