"""Rewrites frames after an interruption, as if the first attempt had continued.

Before an interruption frames pass unchanged and this module is not used. After it, each frame is
decoded, adapted to the client's part of the answer, and written again:

- all frames have the responseId and the modelVersion of the first one;
- thoughts are dropped part by part, so a frame with a thought and text keeps its text;
- text signatures and continuationTokens of a resumed attempt are removed, because they are useless
  without its prompt; call signatures stay, because calls are useless without them;
- usageMetadata is the sum over the attempts;
- the probabilities of tokens are cut with the text (see ``logprobs``), and the average over the
  tokens of a resumed attempt is removed, because it is not the average over the answer;
- offsets in groundingMetadata and citationMetadata count UTF-8 bytes of the answer (``Segment`` in
  the API reference), so they are shifted by the length of the text delivered before.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import attrs

from gemproxy.core.answer import logprobs
from gemproxy.core.answer.chunk import loads
from gemproxy.core.answer.usage import Tally, Usage, parse_usage
from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Data

Json = dict[str, Any]

_KEPT_WITHOUT_PARTS = (
    "finishReason",
    "continuationToken",
    "groundingMetadata",
    "citationMetadata",
    "urlContextMetadata",
)
_OF_ANOTHER_PROMPT = (b"thoughtSignature", b"citationMetadata", b"avgLogprobs")
"""Fields of plain events of a resumed attempt that require a rewrite of each frame."""

_RESPONSE_ID = re.compile(rb'"responseId"[ \t]*:[ \t]*')
_USAGE = re.compile(rb'"usageMetadata"[ \t]*:[ \t]*')
_LINE_SEPARATORS = re.compile("[\u0085\u2028\u2029]")


@attrs.define
class Rewriter:
    """The changes to the frames of one attempt.

    ``swallow_thoughts`` drops thought parts. ``continued``: the attempt continues delivered text;
    ``base`` is the length of that text in UTF-8 bytes, and ``grounding`` its sources. ``shown`` are
    all sources that the client has seen so far. ``received`` and ``dropped`` count visible
    characters, ``swallowed`` those of thoughts that were dropped. ``last_usage`` is set at the end
    of the attempt and goes into its last frame, because frames with only usage are not passed on.
    """

    tally: Tally
    response_id: str | None = None
    model_version: str | None = None
    swallow_thoughts: bool = True
    continued: bool = False
    base: int = 0
    grounding: Json = attrs.field(factory=dict)
    received: int = 0
    dropped: int = 0
    dropped_bytes: int = 0
    swallowed: int = 0
    last_usage: Usage = attrs.field(factory=dict)
    shown: Json = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.shown = self.grounding

    def rewrite(self, data: Data, drop: int) -> bytes | None:
        """Return the new JSON of a frame, or None if no content is left.

        ``drop`` characters are cut from the front of the frame's visible text.
        """
        document = loads(data, "replace")
        self._rename(document)
        for candidate in _candidates(document):
            self._rewrite_candidate(candidate, drop)
        if not _says_something(document):
            return None
        usage = self.last_usage or document.get("usageMetadata")
        if isinstance(usage, dict) and usage:
            document["usageMetadata"] = self._usage(usage)
        return dump(document)

    def flow(self, flow: Flow) -> bytes | None:
        """Return the rewritten bytes of a run of plain events, or None.

        None means that the run needs more changes than names and usage, so each frame must be
        rewritten by itself. All events of a run get the usage of its end, because the counts are
        running totals and a run comes with one read.
        """
        if self.continued and any(mark in flow.raw for mark in _OF_ANOTHER_PROMPT):
            return None
        raw = self._renamed(flow.raw, flow)
        if raw is None:
            return None
        characters = sum(map(len, flow.texts))
        self.received += characters
        usage = parse_usage(flow.usage)
        if usage:
            raw = _respelt(raw, _USAGE, flow.usages, dump(self._usage(usage)))
        if raw is None:
            self.received -= characters  # each frame is counted by itself
        return raw

    def _renamed(self, raw: bytes, flow: Flow) -> bytes | None:
        """Return the bytes with the names of the first attempt; None if they are ambiguous."""
        own = {(event.response_id, event.model_version) for event in flow.events}
        response_id, version = own.pop()
        same_version = self.model_version in (None, version)
        if own or not same_version or response_id is None:
            return None
        if self.response_id in (None, response_id):
            return raw
        named = [dump(response_id)] * len(flow.events)
        return _respelt(raw, _RESPONSE_ID, named, dump(self.response_id))

    def _rename(self, document: Json) -> None:
        if self.response_id is not None:
            document["responseId"] = self.response_id
        if self.model_version is not None:
            document["modelVersion"] = self.model_version

    def _usage(self, usage: Usage) -> Usage:
        return self.tally.merged(usage, received=self.received, dropped=self.dropped)

    def _rewrite_candidate(self, candidate: Json, drop: int) -> None:
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        if isinstance(content, dict) and isinstance(parts, list):
            kept = self._kept_parts(parts, drop)
            content.pop("parts")
            if kept:
                content["parts"] = kept
            _cut_logprobs(candidate, parts, kept)
        if self.base:
            candidate.pop("avgLogprobs", None)
        if self.continued:
            candidate.pop("continuationToken", None)
            self._shift_grounding(candidate)
            _shift_citations(candidate, self.base - self.dropped_bytes)

    def _kept_parts(self, parts: list[Json], drop: int) -> list[Json]:
        kept = []
        for part in filter(_is_mapping, parts):
            text = part.get("text")
            if part.get("thought"):
                if self.swallow_thoughts:
                    self.swallowed += len(text) if isinstance(text, str) else 0
                else:
                    kept.append(part)
                continue
            if isinstance(text, str):
                cut, drop = text[drop:], max(drop - len(text), 0)
                self._note_text(text, len(text) - len(cut))
                part = {**part, "text": cut}  # noqa: PLW2901 - the part as it will be
            part = self._unsigned(part)  # noqa: PLW2901 - the same
            if part.get("text") or part.keys() - {"text", "thought"}:
                kept.append(part)
        return kept

    def _note_text(self, text: str, dropped: int) -> None:
        self.received += len(text)
        self.dropped += dropped
        self.dropped_bytes += len(text[:dropped].encode("utf-8", "surrogatepass"))

    def _unsigned(self, part: Json) -> Json:
        """Return a part of a resumed attempt; remove a signature on text."""
        signs_text = "text" in part or part.keys() == {"thoughtSignature"}
        if not self.continued or not signs_text or "functionCall" in part:
            return part
        return {name: value for name, value in part.items() if name != "thoughtSignature"}

    def _shift_grounding(self, candidate: Json) -> None:
        new = candidate.get("groundingMetadata")
        if not isinstance(new, dict):
            return
        chunks = _list(self.grounding, "groundingChunks")
        supports = [
            _shifted_support(support, self.base - self.dropped_bytes, len(chunks))
            for support in filter(_is_mapping, _list(new, "groundingSupports"))
        ]
        merged = {
            "groundingChunks": chunks + _list(new, "groundingChunks"),
            "groundingSupports": _list(self.grounding, "groundingSupports") + supports,
            "webSearchQueries": _united(
                _list(self.grounding, "webSearchQueries"), _list(new, "webSearchQueries")
            ),
        }
        self.shown = {**new, **{name: value for name, value in merged.items() if value}}
        candidate["groundingMetadata"] = self.shown


def _respelt(raw: bytes, key: re.Pattern[bytes], values: list[bytes], new: bytes) -> bytes | None:
    """Return the bytes of a run with ``new`` in place of each of the ``values`` of ``key``.

    None unless the key occurs exactly once before each value: it may occur elsewhere too, or be
    written with escapes. Inside a string its quotes would be escaped.
    """
    pieces: list[bytes] = []
    at = 0
    ends = [found.end() for found in key.finditer(raw)]
    if len(ends) != len(values):
        return None
    for end, value in zip(ends, values, strict=True):
        if not raw.startswith(value, end):
            return None
        pieces += (raw[at:end], new)
        at = end + len(value)
    return b"".join([*pieces, raw[at:]])


def without_reason(data: Data) -> bytes:
    """Return a frame's JSON without its finishReason: the text of a refused ending."""
    document = loads(data, "replace")
    for candidate in _candidates(document):
        candidate.pop("finishReason", None)
        candidate.pop("finishMessage", None)
    return dump(document)


def without_content(data: Data) -> bytes:
    """Return a frame's JSON without its parts: an ending whose text was sent before."""
    document = loads(data, "replace")
    for candidate in _candidates(document):
        content = candidate.get("content")
        if isinstance(content, dict):
            candidate["content"] = {
                name: value for name, value in content.items() if name != "parts"
            }
    return dump(document)


def dump(document: Json | str) -> bytes:
    """Write JSON on one line; escape the line separators at which old SDKs split."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    text = _LINE_SEPARATORS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON must escape
        return json.dumps(document, separators=(",", ":")).encode()


def _cut_logprobs(candidate: Json, parts: list[Json], kept: list[Json]) -> None:
    """Remove the tokens of dropped text from a candidate."""
    said, shown = _text(parts), _text(kept)
    if said == shown or "logprobsResult" not in candidate:
        return
    visible = _text([part for part in parts if _is_mapping(part) and not part.get("thought")])
    result = logprobs.cut(candidate.pop("logprobsResult"), (said, visible), shown)
    if result is not None:
        candidate["logprobsResult"] = result


def _text(parts: list[Json]) -> str:
    texts = (part.get("text") for part in parts if _is_mapping(part))
    return "".join(text for text in texts if isinstance(text, str))


def _says_something(document: Json) -> bool:
    if document.get("promptFeedback"):
        return True
    return any(_parts(c) or any(map(c.get, _KEPT_WITHOUT_PARTS)) for c in _candidates(document))


def _shifted_support(support: Json, offset: int, chunks: int) -> Json:
    shifted = {**support, "segment": _shifted(support.get("segment"), offset)}
    shifted["groundingChunkIndices"] = [
        _plus(index, chunks) for index in _list(support, "groundingChunkIndices")
    ]
    return {name: value for name, value in shifted.items() if name in support}


def _shift_citations(candidate: Json, offset: int) -> None:
    metadata = candidate.get("citationMetadata")
    for name in ("citationSources", "citations"):
        if isinstance(metadata, dict) and isinstance(metadata.get(name), list):
            metadata[name] = [_shifted(source, offset) for source in metadata[name]]


def _shifted(span: object, offset: int) -> object:
    """Shift a span; an absent startIndex is protobuf's zero."""
    if not isinstance(span, dict) or "endIndex" not in span:
        return span
    start, end = span.get("startIndex", 0), span["endIndex"]
    return {**span, "startIndex": _plus(start, offset), "endIndex": _plus(end, offset)}


def _plus(index: object, offset: int) -> object:
    """Shift an index; one in dropped text before any delivered text becomes the beginning."""
    return max(index + offset, 0) if isinstance(index, int) else index


def _united(one: list[Any], other: list[Any]) -> list[Any]:
    return one + [item for item in other if item not in one]


def _candidates(document: Json) -> Iterator[Json]:
    return filter(_is_mapping, _list(document, "candidates"))


def _parts(candidate: Json) -> list[Any]:
    content = candidate.get("content")
    return _list(content, "parts") if isinstance(content, dict) else []


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _list(mapping: Json, name: str) -> list[Any]:
    value = mapping.get(name)
    return value if isinstance(value, list) else []
