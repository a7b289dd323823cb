"""What one frame of an interaction's stream says.

The events are those of Google's Interactions API as its SDKs read them: ``event_type`` in the
JSON decides, the ``event:`` line only repeats it, and ``[DONE]`` ends the stream. The names
before the API's general availability (``interaction.start``, ``interaction.complete``,
``content.*``) are understood, too. Unknown events are news like any other.

Like ``chunk``, this decodes a frame once, and only for the fields that decide.
"""

import hashlib
from typing import Any

import msgspec

from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.core.wire.frame import Data, Frame

CREATED = frozenset({"interaction.created", "interaction.start"})
COMPLETED = frozenset({"interaction.completed", "interaction.complete"})
STATUS = "interaction.status_update"
ERROR = "error"

_DONE = b"[DONE]"
_SHORT = 64
_FAILS_FOR_NOW = frozenset(
    {
        "deadline_exceeded",
        "gateway_timeout",
        "internal",
        "internal_error",
        "internal_server_error",
        "server_error",
        "service_unavailable",
        "timeout",
        "unavailable",
    }
)


class Event(msgspec.Struct, frozen=True, gc=False):
    """The machine's view of one frame; ``silent`` is a frame that says nothing.

    ``id`` is the event_id, ``token`` a continuation_token, ``speaks`` a piece of text, and ``text``
    the piece. ``usage`` is what the interaction cost so far.
    """

    type: str = ""
    id: str | None = None
    interaction_id: str | None = None
    status: str | None = None
    token: str | None = None
    error: dict[str, Any] | None = None
    speaks: bool = False
    done: bool = False
    silent: bool = False
    text: str = ""
    usage: msgspec.Raw = msgspec.Raw()

    @property
    def is_lifecycle(self) -> bool:
        """Whether it is about the whole interaction and brings no content."""
        return self.type in CREATED or self.type == STATUS

    @property
    def is_fault(self) -> bool:
        """Whether it is an error of the way to the interaction, which may be gone the next time.

        Such an error has no place among the interaction's own events, so no event_id.
        """
        return self.error is not None and self.id is None and _is_passing(self.error)


class EventReceived(msgspec.Struct, frozen=True, gc=False):
    """One frame of an interaction's stream, and what it says: an input of the machine."""

    frame: Frame
    event: Event


SILENT = Event(silent=True)
DONE = Event(done=True)


class _Interaction(msgspec.Struct, gc=False):
    id: str | None = None
    status: str | None = None
    continuation_token: str | None = None
    usage: msgspec.Raw = msgspec.Raw()


class _Delta(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None


class _Decoded(msgspec.Struct, gc=False):
    event_type: str | None = None
    event_id: str | None = None
    interaction: _Interaction | None = None
    interaction_id: str | None = None
    status: str | None = None
    continuation_token: str | None = None
    delta: _Delta | None = None
    error: dict[str, Any] | None = None
    usage: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Decoded).decode


def read(data: Data | None) -> Event:
    """Return what ``data``, the data of one frame, says; raise Undecodable when it is no event."""
    if not data:
        return SILENT
    if len(data) < _SHORT and bytes(data).strip() == _DONE:
        return DONE
    try:
        return _summary(_decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _summary(_read_slowly(data))


def _summary(event: _Decoded) -> Event:
    about = event.interaction or _Interaction()
    return Event(
        event.event_type or "",
        event.event_id or None,
        event.interaction_id or about.id or None,
        event.status or about.status,
        event.continuation_token or about.continuation_token or None,
        event.error,
        event.delta is not None and event.delta.type == "text",
        text=(event.delta.text or "") if event.delta is not None else "",
        usage=_kept(about.usage or event.usage),
    )


def _kept(usage: msgspec.Raw) -> msgspec.Raw:
    """Return a copy, which does not keep its whole frame in memory."""
    return usage.copy() if usage else usage


def _read_slowly(data: Data) -> _Decoded:
    """Read what the typed decoder refuses: other types, lone surrogates, an error in a list."""
    document = loads(data)
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        raise Undecodable("an event's data is no JSON object")
    about, delta, error = (_mapping(document.get(n)) for n in ("interaction", "delta", "error"))
    return _Decoded(
        event_type=_text(document.get("event_type")),
        event_id=_text(document.get("event_id")),
        interaction=_Interaction(
            _text(about.get("id")),
            _text(about.get("status")),
            _text(about.get("continuation_token")),
            _raw(about.get("usage")),
        ),
        interaction_id=_text(document.get("interaction_id")),
        status=_text(document.get("status")),
        continuation_token=_text(document.get("continuation_token")),
        delta=_Delta(_text(delta.get("type")), _text(delta.get("text"))),
        error=error or None,
        usage=_raw(document.get("usage")),
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _raw(value: object) -> msgspec.Raw:
    """Return JSON again; none for a null, and for what only the standard library can write."""
    try:
        return msgspec.Raw(msgspec.json.encode(value)) if value is not None else msgspec.Raw()
    except (ValueError, TypeError, UnicodeError, OverflowError):
        return msgspec.Raw()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_passing(error: dict[str, Any]) -> bool:
    """Tell an error that another try may not meet; codes are words, URIs that end in one, numbers.

    A word that is not known is taken for the interaction's own failure.
    """
    code = error.get("code")
    if isinstance(code, int):
        return code >= 500  # noqa: PLR2004 - HTTP
    return str(code or error.get("status")).rpartition("/")[2].lower() in _FAILS_FOR_NOW


def fingerprint(data: Data) -> bytes:
    """Return what is the same for one event in every replay: a digest without its event_id."""
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        document.pop("event_id", None)
        data = msgspec.json.encode(document, order="sorted")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # it is compared as it is written
    return hashlib.blake2b(data, digest_size=16).digest()
