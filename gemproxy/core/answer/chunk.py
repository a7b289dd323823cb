"""The content of one frame.

A frame is decoded once, and only for the fields that the machine needs for its decisions. The
client gets the frame's own bytes, so unknown fields pass unchanged. The fast decoder (msgspec,
typed) reads the JSON that Gemini sends. The standard library reads the JSON that msgspec refuses
(lone surrogates, enums as ints, a null in place of a flag). A null counts as an absent field, as in
protobuf.

Only the parts of the candidate with index 0 are read. For each of several candidates, ``Said``
gives its state: several candidates can be passed on and replayed, but not continued.
"""

import codecs
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

from gemproxy.core.wire.frame import Data
from gemproxy.core.wire.image import without_images

FINISH_REASONS = (
    None,
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "IMAGE_RECITATION",
)
"""finishReason by its number in google.ai.generativelanguage.Candidate, for clients that
ask for ``$alt=json;enum-encoding=int``. Zero is FINISH_REASON_UNSPECIFIED: no reason."""

_UNSPECIFIED = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED",
        "BLOCK_REASON_UNSPECIFIED",
        "BLOCKED_REASON_UNSPECIFIED",  # Vertex AI
        "",
    }
)


class Undecodable(ValueError):
    """The data of a frame is not a JSON object."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """The state of one of several candidates in a frame: its content and its finishReason."""

    index: int
    news: bool
    finish_reason: str | None


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """The machine's view of one frame; a msgspec struct because one is made for each event.

    ``plain`` is the frequent case: visible text of a single candidate and nothing to decide.
    ``news``: the frame has content, that is text, a thought, a call or an opaque part.
    ``candidates`` is empty if the frame has only the candidate with index 0.
    """

    plain: bool = False
    news: bool = False
    text: str = ""
    thought: bool = False
    call: bool = False
    opaque: bool = False
    candidates: tuple[Said, ...] = ()
    finish_reason: str | None = None
    block_reason: str | None = None
    token: str | None = None
    error: dict[str, Any] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    grounding: msgspec.Raw = msgspec.Raw()
    response_id: str | None = None
    model_version: str | None = None

    @property
    def ends(self) -> bool:
        """Whether any candidate has a finishReason."""
        return self.finish_reason is not None or any(c.finish_reason for c in self.candidates)


@attrs.frozen
class Named:
    """What an answer calls itself: its responseId, and the model that it names."""

    response_id: str | None = None
    model: str | None = None


NAMELESS = Named()

SILENT = Chunk()
"""A frame without content: a comment, a blank line."""


class _Part(msgspec.Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    function_call: msgspec.Raw = msgspec.Raw()
    inline_data: msgspec.Raw = msgspec.Raw()


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part] = []


class _Candidate(msgspec.Struct, gc=False, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    continuation_token: str | None = None
    grounding_metadata: msgspec.Raw = msgspec.Raw()
    index: int | None = None


class _Feedback(msgspec.Struct, gc=False, rename="camel"):
    block_reason: str | None = None


class _Response(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] = []
    usage_metadata: msgspec.Raw = msgspec.Raw()
    prompt_feedback: _Feedback | None = None
    response_id: str | None = None
    model_version: str | None = None
    error: dict[str, Any] | None = None


class _KeyedContent(msgspec.Struct, gc=False):
    parts: list[dict[str, msgspec.Raw]] = []


class _KeyedCandidate(msgspec.Struct, gc=False):
    content: _KeyedContent | None = None


class _KeyedResponse(msgspec.Struct, gc=False):
    candidates: list[_KeyedCandidate] = []


_Keyed = Sequence[Mapping[str, object]]  # the parts of a candidate, with all their keys
_NULL = msgspec.Raw(b"null")
_NO_USAGE = msgspec.Raw()
_SAY_NOTHING = (_NULL, msgspec.Raw(b"{}"))
_SLICE = 1 << 16
_UNDERSTOOD = frozenset({"text", "thought", "thoughtSignature", "functionCall"})

_decode = msgspec.json.Decoder(_Response).decode
_decode_keys = msgspec.json.Decoder(_KeyedResponse).decode


def read(data: Data) -> Chunk:
    """Return the content of a frame with this JSON; raise Undecodable for other ``data``."""
    try:
        if isinstance(data, memoryview):
            data = without_images(data)
        response = _decode(data)
        candidates = response.candidates
        if len(candidates) == 1 and response.prompt_feedback is None and response.error is None:
            candidate = candidates[0]
            content = candidate.content
            if (
                content is not None
                and len(content.parts) == 1
                and candidate.finish_reason is None
                and candidate.continuation_token is None
                and not candidate.grounding_metadata
                and not candidate.index
            ):
                part, usage = content.parts[0], response.usage_metadata
                if part.text and not part.thought and not part.function_call:
                    return Chunk(
                        True,
                        True,
                        part.text,
                        usage=_NO_USAGE if usage in _SAY_NOTHING else usage,
                        response_id=response.response_id,
                        model_version=response.model_version,
                    )
        _check_characters(data)  # the typed decoder checks only the strings that it reads
        if any(_is_wordless(part) and not _given(part.inline_data) for part in _parts(response)):
            return _summary(response, _keyed_parts(data, _first(response)))
        return _summary(response, ())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return read_tolerantly(data)


def _check_characters(data: Data) -> None:
    """Raise UnicodeDecodeError if ``data`` is not UTF-8; without copying an image."""
    whole = data.obj if isinstance(data, memoryview) else data
    if isinstance(whole, bytes) and whole.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _SLICE):
        decoder.decode(data[start : start + _SLICE])
    decoder.decode(b"", final=True)


def _first(response: _Response) -> int:
    """Return the place of the candidate with index 0 in a frame, -1 if it is absent."""
    places = (place for place, one in enumerate(response.candidates) if not one.index)
    return next(places, -1)


def _parts(response: _Response) -> list[_Part]:
    place = _first(response)
    content = response.candidates[place].content if place >= 0 else None
    return content.parts if content else []


def _keyed_parts(data: Data, place: int) -> _Keyed:
    content = _decode_keys(data).candidates[place].content
    return content.parts if content else ()


def _summary(response: _Response, keyed: _Keyed) -> Chunk:
    """Return a frame's content; ``keyed`` is needed if one of its parts is wordless."""
    place = _first(response)
    candidate = response.candidates[place] if place >= 0 else _Candidate()
    candidates = _candidates(response)
    parts = _parts(response)
    text = "".join([p.text for p in parts if p.text and not p.thought])
    thought = any(p.thought for p in parts)
    call = any(_given(p.function_call) for p in parts)
    inline = any(p.inline_data and _is_wordless(p) and _given(p.inline_data) for p in parts)
    opaque = any(said.news for said in candidates) or inline or _any_payload(parts, keyed)
    feedback, usage = response.prompt_feedback, response.usage_metadata
    return Chunk(
        news=bool(text or thought or call or opaque),
        text=text,
        thought=thought,
        call=call,
        opaque=opaque,
        candidates=candidates,
        finish_reason=_specified(candidate.finish_reason),
        block_reason=_specified(feedback.block_reason) if feedback else None,
        token=candidate.continuation_token or None,
        error=_error(response.error),
        usage=_NO_USAGE if usage in _SAY_NOTHING else _kept(usage),
        grounding=_kept(candidate.grounding_metadata),
        response_id=response.response_id,
        model_version=response.model_version,
    )


def _candidates(response: _Response) -> tuple[Said, ...]:
    """Return the state of each of several candidates; empty for a single one with index 0.

    Protobuf omits an index of zero. If several candidates lack an index, their places count.
    """
    if len(response.candidates) <= 1 and not any(c.index for c in response.candidates):
        return ()
    said: dict[int, Said] = {}
    for place, candidate in enumerate(response.candidates):
        index = candidate.index or 0
        index = place if candidate.index is None and index in said else index
        parts = candidate.content.parts if candidate.content else []
        said[index] = Said(index, bool(parts), _specified(candidate.finish_reason))
    return tuple(said.values())


def _error(error: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return an error unless it is empty; some gateways add an empty one to content."""
    return error if error and any(error.values()) else None


def _given(value: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw() if value == _NULL else value


def _kept(value: msgspec.Raw) -> msgspec.Raw:
    """Return a copy of a value, which does not keep its whole frame in memory."""
    given = _given(value)
    return given.copy() if given else given


def _any_payload(parts: list[_Part], keyed: _Keyed) -> bool:
    if not keyed:
        return False
    pairs = zip(parts, keyed, strict=True)
    return any(_is_wordless(part) and _has_payload(keys) for part, keys in pairs)


def _is_wordless(part: _Part) -> bool:
    return part.text is None and not part.thought and not _given(part.function_call)


def _has_payload(part: Mapping[str, object]) -> bool:
    """Return whether a part holds content that text cannot continue.

    That is an image, code, a server tool, or an unknown field. Such a part may be signed, so a
    signature alone does not count as content.
    """
    return any(
        name not in _UNDERSTOOD and value is not None and value != _NULL
        for name, value in part.items()
    )


def _specified(reason: str | None) -> str | None:
    return None if reason in _UNSPECIFIED else reason


def read_tolerantly(data: Data) -> Chunk:
    """Read a frame that the typed decoder refuses, field by field; raise Undecodable."""
    document = loads(data)
    if isinstance(document, list) and document and _mapping(document[0]).get("error"):
        document = document[0]
    if not isinstance(document, dict):
        raise Undecodable("a frame's data is no JSON object")
    candidates = _sequence(document.get("candidates"))
    response = _tolerant(document)
    place = _first(response)
    return _summary(response, _tolerant_parts(candidates[place]) if place >= 0 else ())


def loads(data: Data, errors: str = "strict") -> Any:  # noqa: ANN401 - JSON is any
    """Decode JSON by RFC 8259, lone surrogates allowed; raise Undecodable.

    A number beyond a double becomes the largest double, because JSON has no infinity. ``errors``
    is the handling of bytes that are not UTF-8, as for ``bytes.decode``.
    """
    try:
        return _decoder.decode(str(data, "utf-8", errors))
    except (ValueError, RecursionError) as exc:
        raise Undecodable(f"a frame's data is no JSON: {type(exc).__name__}") from None


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else math.copysign(sys.float_info.max, value)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)


def _tolerant(document: dict[str, Any]) -> _Response:
    feedback = _mapping(document.get("promptFeedback"))
    error = document.get("error")
    return _Response(
        candidates=[
            _tolerant_candidate(_mapping(c)) for c in _sequence(document.get("candidates"))
        ],
        usage_metadata=_raw(document.get("usageMetadata")),
        prompt_feedback=_Feedback(_enum(feedback.get("blockReason"), ())) if feedback else None,
        response_id=_text(document.get("responseId")),
        model_version=_text(document.get("modelVersion")),
        error=error if isinstance(error, dict) else {"message": str(error)} if error else None,
    )


def _tolerant_candidate(candidate: dict[str, Any]) -> _Candidate:
    index = candidate.get("index")
    return _Candidate(
        content=_Content([_tolerant_part(part) for part in _tolerant_parts(candidate)]),
        finish_reason=_enum(candidate.get("finishReason"), FINISH_REASONS),
        continuation_token=_text(candidate.get("continuationToken")),
        grounding_metadata=_raw(candidate.get("groundingMetadata")),
        index=index if isinstance(index, int) else None,
    )


def _tolerant_parts(candidate: object) -> list[dict[str, Any]]:
    content = _mapping(_mapping(candidate).get("content"))
    return [_mapping(part) for part in _sequence(content.get("parts"))]


def _tolerant_part(part: dict[str, Any]) -> _Part:
    return _Part(
        text=_text(part.get("text")),
        thought=bool(part.get("thought")),
        thought_signature=_text(part.get("thoughtSignature")),
        function_call=_raw(part.get("functionCall")),
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode()) if value is not None else msgspec.Raw()


def _enum(value: object, names: tuple[str | None, ...]) -> str | None:
    """Return the name of an enum value sent as a name or as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else str(value) if value else None
    return _text(value)
