"""A stream of responses joined into the one response of the unary method.

``Collector`` gets the responses of one answer in order. It joins fields that come in pieces, and
replaces fields that come again:

- text is joined with the text before it if both are of one kind, thought or not, and neither is
  signed: a signature belongs to its part (Gemini API, thought signatures). Unsigned empty text is
  omitted. All other parts keep their place;
- citations and logprobs come piece by piece and are concatenated;
- the fields of groundingMetadata and urlContextMetadata come again, more complete, so the last one
  that is not empty counts;
- usageMetadata is a running total, so the last one counts, as for all other fields;
- a continuationToken counts only if the last response has it; an earlier one is a checkpoint.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from gemproxy.core.answer.transcript import join_surrogates

Json = dict[str, Any]

_TEXT, _THOUGHT = "text", "thought"


@attrs.define
class Collector:
    """The answer so far; the collector may change a response that was added."""

    _rest: Json = attrs.field(factory=dict)
    _candidates: dict[int, Json] = attrs.field(factory=dict)

    def add(self, response: Json) -> None:
        """Add the next response of the stream."""
        for candidate in _mappings(response.pop("candidates", None)):
            index = candidate.get("index")
            whole = self._candidates.setdefault(index if isinstance(index, int) else 0, {})
            whole.pop("continuationToken", None)
            _join(whole, candidate)
        self._rest |= {name: value for name, value in response.items() if value is not None}

    def response(self) -> Json:
        """Return the whole answer."""
        candidates = [_finished(self._candidates[index]) for index in sorted(self._candidates)]
        return {"candidates": candidates, **self._rest} if candidates else dict(self._rest)


def joined_parts(parts: Iterable[Json]) -> list[Json]:
    """Return the parts, with neighbouring unsigned texts of one kind joined to one part."""
    whole: list[Json] = []
    said = (part for part in parts if part and (_kind(part) is None or part["text"]))
    for kind, run in itertools.groupby(said, _kind):
        if kind is None:
            whole.extend(run)
            continue
        text = join_surrogates("".join(part["text"] for part in run))
        whole.append({"text": text, "thought": True} if kind == _THOUGHT else {"text": text})
    return whole


def _kind(part: Json) -> str | None:
    """Return the kind of a text part that may be joined; None for any other part."""
    given = {name for name, value in part.items() if value is not None}
    if not isinstance(part.get("text"), str) or given - {"text", "thought"}:
        return None
    return _THOUGHT if part.get("thought") else _TEXT


def _join(whole: Json, piece: Json) -> None:
    for name, value in piece.items():
        if value is None:
            continue
        join, before = _JOINS.get(name), whole.get(name)
        if join and isinstance(before, dict) and isinstance(value, dict):
            whole[name] = join(before, value)
        else:
            whole[name] = value


def _with_parts(before: Json, content: Json) -> Json:
    parts = before.get("parts")
    parts = parts if isinstance(parts, list) else []
    parts += _mappings(content.get("parts"))  # in place: an answer has thousands of pieces
    return {**before, **content, "parts": parts}


def _with_lists(before: Json, piece: Json) -> Json:
    """Join metadata whose lists come piece by piece."""
    lists = {
        name: before[name] + value
        for name, value in piece.items()
        if isinstance(value, list) and isinstance(before.get(name), list)
    }
    return {**before, **piece, **lists}


def _with_news(before: Json, piece: Json) -> Json:
    """Join metadata that comes again; an empty field replaces nothing."""
    return {**before, **{name: value for name, value in piece.items() if value}}


_JOINS: Mapping[str, Callable[[Json, Json], Json]] = {
    "content": _with_parts,
    "citationMetadata": _with_lists,
    "logprobsResult": _with_lists,
    "groundingMetadata": _with_news,
    "urlContextMetadata": _with_news,
}


def _finished(candidate: Json) -> Json:
    content = candidate.get("content")
    if not isinstance(content, dict) or "parts" not in content:
        return candidate
    parts = joined_parts(_mappings(content["parts"]))
    rest = {name: value for name, value in content.items() if name != "parts"}
    return {**candidate, "content": {"parts": parts, **rest} if parts else rest}


def _mappings(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
