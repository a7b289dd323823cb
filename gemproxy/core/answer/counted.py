"""Usage in the dialects of Google's API, told as Gemini's usageMetadata.

Gemini says ``promptTokenCount`` and Live ``responseTokenCount``, an interaction
``total_input_tokens``, and the layer for OpenAI's clients ``prompt_tokens`` or, in a response,
``input_tokens``. In that layer output has the reasoning in it where its details say so; Google
itself leaves thoughts out of ``completion_tokens`` and shows them only in ``total_tokens``.
"""

from typing import Any

import msgspec

from gemproxy.core.answer.usage import Billed, Usage, billed, parse_usage

_OF_GEMINI = frozenset({"promptTokenCount", "totalTokenCount", "candidatesTokenCount"})
_OF_INTERACTIONS = {
    "total_input_tokens": "promptTokenCount",
    "total_output_tokens": "candidatesTokenCount",
    "total_thought_tokens": "thoughtsTokenCount",
    "total_cached_tokens": "cachedContentTokenCount",
    "total_tool_use_tokens": "toolUsePromptTokenCount",
}
_BREAKDOWNS = {
    "input_tokens_by_modality": "promptTokensDetails",
    "output_tokens_by_modality": "candidatesTokensDetails",
    "cached_tokens_by_modality": "cacheTokensDetails",
    "tool_use_tokens_by_modality": "toolUsePromptTokensDetails",
}


class _Within(msgspec.Struct, gc=False):
    usage: msgspec.Raw = msgspec.Raw()


class _Document(msgspec.Struct, gc=False):
    usage: msgspec.Raw = msgspec.Raw()
    usage_metadata: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="usageMetadata")
    interaction: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Document).decode
_decode_within = msgspec.json.Decoder(_Within).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def counted(usage: Usage) -> Billed | None:
    """Return the cost that a usage object of any dialect tells, None if it tells none."""
    if not _OF_GEMINI.isdisjoint(usage):
        return billed(usage)
    if not _OF_INTERACTIONS.keys().isdisjoint(usage):
        return billed(_of_interaction(usage))
    if "prompt_tokens" in usage or "input_tokens" in usage:
        return billed(_of_openai(usage))
    return None


def counted_in(document: bytes) -> Billed | None:
    """Return the cost that a JSON text tells: an answer, a list of answers, or one event."""
    try:
        if document.lstrip()[:1] == b"[":
            found = [cost for item in _decode_list(document) if (cost := counted_in(bytes(item)))]
            return found[-1] if found else None
        said = _decode(document)
        raw = said.usage_metadata or said.usage
        for within in (said.interaction, said.response):
            if not raw and bytes(within)[:1] == b"{":
                raw = _decode_within(within).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return counted(parse_usage(raw))


def _of_interaction(usage: Usage) -> Usage:
    told: Usage = {new: usage.get(old) for old, new in _OF_INTERACTIONS.items()}
    for old, new in _BREAKDOWNS.items():
        items = usage.get(old)
        if isinstance(items, list):
            told[new] = [
                {"modality": str(item.get("modality", "")).upper(), "tokenCount": item["tokens"]}
                for item in items
                if isinstance(item, dict) and "tokens" in item
            ]
    return told


def _of_openai(usage: Usage) -> Usage:
    prompt = _number(usage, "prompt_tokens") or _number(usage, "input_tokens")
    output = _number(usage, "completion_tokens") or _number(usage, "output_tokens")
    prompts = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    outputs = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    thoughts = min(_number(outputs, "reasoning_tokens"), output)
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output - thoughts,
        "thoughtsTokenCount": max(thoughts, _number(usage, "total_tokens") - prompt - output),
        "cachedContentTokenCount": _number(prompts, "cached_tokens"),
        "promptTokensDetails": _audio(prompts),
        "candidatesTokensDetails": _audio(outputs),
    }


def _audio(details: object) -> list[Usage]:
    return [{"modality": "AUDIO", "tokenCount": _number(details, "audio_tokens")}]


def _number(usage: Any, name: str) -> int:  # noqa: ANN401 - JSON is any
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
