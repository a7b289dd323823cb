"""The usage of an answer in OpenAI's form.

Gemini counts the results of its tools and the thoughts beside the prompt and the candidates; OpenAI
counts them within: ``prompt_tokens`` = prompt + tool results, ``completion_tokens`` = candidates +
thoughts, ``total_tokens`` = both. The parts are told in the details. Gemini's counts are running
totals, so the last usageMetadata of a stream is the whole; several answers of one request add up,
the prompt of each included, because Google bills it once for each.

Sources: UsageMetadata in https://ai.google.dev/api/generate-content, the usage object in
https://platform.openai.com/docs/api-reference/chat/object.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gemproxy.core.answer.usage import Billed, billed

Json = dict[str, Any]

_TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}
"""Gemini's serviceTier -> OpenAI's service_tier."""


def told(usages: Iterable[Mapping[str, Any]]) -> Json:
    """Return the sum of the last usageMetadata of each answer; a missing count is 0."""
    whole = sum((billed(dict(usage)) for usage in usages), Billed())
    return {
        "prompt_tokens": whole.prompt,
        "completion_tokens": whole.output + whole.thoughts,
        "total_tokens": whole.total,
        "prompt_tokens_details": {"cached_tokens": whole.cached, "audio_tokens": whole.audio},
        "completion_tokens_details": {
            "reasoning_tokens": whole.thoughts,
            "audio_tokens": whole.audio_output,
        },
    }


def tier(usage: Mapping[str, Any]) -> str | None:
    """Return OpenAI's name of the tier that served, or None where Gemini names none."""
    return _TIERS.get(str(usage.get("serviceTier", "")).lower())
