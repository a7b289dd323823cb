"""Frames after an interruption, told as if the first attempt had gone on.

Before an interruption a frame is passed as it came and this module is not involved. After
it, each frame is decoded, made to agree with what the client has, and written again:

- one responseId and one modelVersion, those of the first frame;
- thoughts are swallowed part by part, so a frame with a thought and text keeps its text;
- signatures on text and continuationTokens of an attempt that began in the middle mean
  nothing without its prompt, and go; signatures on calls stay, calls are useless without;
- usageMetadata is the sum over the attempts;
- offsets in groundingMetadata and citationMetadata count UTF-8 bytes of the answer
  (``Segment`` in the API reference), so they move by what was delivered before.
"""

import json
import re
from typing import Any

import attrs

from gemproxy.core.chunk import loads
from gemproxy.core.usage import Ledger, Usage

Json = dict[str, Any]

_KEPT_WITHOUT_PARTS = (
    "finishReason",
    "groundingMetadata",
    "citationMetadata",
    "urlContextMetadata",
)
_LINE_SEPARATORS = re.compile("[\u0085\u2028\u2029]")


@attrs.define
class Rewriter:
    """How the frames of one attempt have to be changed.

    ``swallow_thoughts`` drops thought parts. ``continued`` says that the attempt went on
    from delivered text: ``base`` is that text's length in UTF-8 bytes, and ``grounding`` the
    sources it already came with. ``received`` and ``dropped`` count visible characters.
    ``last_usage`` is set when the attempt is over: it goes into its last frame, because a
    frame that brings nothing but usage is not passed on.
    """

    ledger: Ledger
    response_id: str | None = None
    model_version: str | None = None
    swallow_thoughts: bool = True
    continued: bool = False
    base: int = 0
    grounding: Json = attrs.field(factory=dict)
    received: int = 0
    dropped: int = 0
    dropped_bytes: int = 0
    last_usage: Usage = attrs.field(factory=dict)

    def rewrite(self, data: bytes, drop: int) -> bytes | None:
        """Return the new JSON of a frame, or None when nothing is left to say.

        ``drop`` characters are cut from the front of the frame's visible text.
        """
        document = loads(data)
        self._rename(document)
        for candidate in document.get("candidates") or ():
            self._rewrite_candidate(candidate, drop)
        if not _says_something(document):
            return None
        usage = self.last_usage or document.get("usageMetadata")
        if isinstance(usage, dict):
            document["usageMetadata"] = self._usage(usage)
        return dump(document)

    def _rename(self, document: Json) -> None:
        if self.response_id is not None:
            document["responseId"] = self.response_id
        if self.model_version is not None:
            document["modelVersion"] = self.model_version

    def _usage(self, usage: Usage) -> Usage:
        return self.ledger.merged(usage, received=self.received, dropped=self.dropped)

    def _rewrite_candidate(self, candidate: Json, drop: int) -> None:
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        if isinstance(content, dict) and isinstance(parts, list):
            kept = self._kept_parts(parts, drop)
            content.pop("parts")
            if kept:
                content["parts"] = kept
        if self.continued:
            candidate.pop("continuationToken", None)
            self._shift_grounding(candidate)
            _shift_citations(candidate, self.base - self.dropped_bytes)

    def _kept_parts(self, parts: list[Json], drop: int) -> list[Json]:
        kept = []
        for part in parts:
            if part.get("thought"):
                if not self.swallow_thoughts:
                    kept.append(part)
                continue
            text = part.get("text")
            if isinstance(text, str):
                cut, drop = text[drop:], max(drop - len(text), 0)
                self._note_text(text, len(text) - len(cut))
                part = self._text_part(part, cut)  # noqa: PLW2901 - the part as it will be
                if part.keys() == {"text"} and not cut:
                    continue
            kept.append(part)
        return kept

    def _note_text(self, text: str, dropped: int) -> None:
        self.received += len(text)
        self.dropped += dropped
        self.dropped_bytes += len(text[:dropped].encode("utf-8", "surrogatepass"))

    def _text_part(self, part: Json, text: str) -> Json:
        part = {**part, "text": text}
        if self.continued and "functionCall" not in part:
            part.pop("thoughtSignature", None)
        return part

    def _shift_grounding(self, candidate: Json) -> None:
        new = candidate.get("groundingMetadata")
        if not isinstance(new, dict):
            return
        chunks = _list(self.grounding, "groundingChunks")
        supports = [
            _shifted_support(support, self.base - self.dropped_bytes, len(chunks))
            for support in _list(new, "groundingSupports")
        ]
        merged = {
            "groundingChunks": chunks + _list(new, "groundingChunks"),
            "groundingSupports": _list(self.grounding, "groundingSupports") + supports,
            "webSearchQueries": list(
                dict.fromkeys(
                    _list(self.grounding, "webSearchQueries") + _list(new, "webSearchQueries")
                )
            ),
        }
        candidate["groundingMetadata"] = {**new, **{k: v for k, v in merged.items() if v}}


def without_reason(data: bytes) -> bytes:
    """Return a frame's JSON without its finishReason: the text of an ending not accepted."""
    document = loads(data)
    for candidate in document.get("candidates") or ():
        candidate.pop("finishReason", None)
        candidate.pop("finishMessage", None)
    return dump(document)


def dump(document: Json) -> bytes:
    """Write JSON on one line; line separators that old SDKs split at are escaped."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    text = _LINE_SEPARATORS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate: JSON can only escape it
        return json.dumps(document, separators=(",", ":")).encode()


def _says_something(document: Json) -> bool:
    if document.get("promptFeedback"):
        return True
    return any(
        (candidate.get("content") or {}).get("parts")
        or any(candidate.get(name) for name in _KEPT_WITHOUT_PARTS)
        for candidate in document.get("candidates") or ()
    )


def _shifted_support(support: Json, offset: int, chunks: int) -> Json:
    shifted = dict(support)
    if isinstance(support.get("segment"), dict):
        shifted["segment"] = _shifted(support["segment"], offset)
    if isinstance(support.get("groundingChunkIndices"), list):
        shifted["groundingChunkIndices"] = [i + chunks for i in support["groundingChunkIndices"]]
    return shifted


def _shift_citations(candidate: Json, offset: int) -> None:
    metadata = candidate.get("citationMetadata")
    for name in ("citationSources", "citations"):
        if isinstance(metadata, dict) and isinstance(metadata.get(name), list):
            metadata[name] = [_shifted(source, offset) for source in metadata[name]]


def _shifted(span: Json, offset: int) -> Json:
    """Move a span; an absent startIndex is protobuf's zero."""
    moved = dict(span)
    if "endIndex" in span:
        moved["startIndex"] = span.get("startIndex", 0) + offset
        moved["endIndex"] = span["endIndex"] + offset
    return moved


def _list(mapping: Json, name: str) -> list[Any]:
    value = mapping.get(name)
    return value if isinstance(value, list) else []
