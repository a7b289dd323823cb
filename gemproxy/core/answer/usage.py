"""usageMetadata over several attempts: what the client is told and what was billed.

Gemini's counts are running totals within one attempt (the last one stands). To the client
the answer is one generation: the prompt of the first attempt, the output that it received,
all thoughts. What the attempts cost together is the other account, for the log.
"""

from typing import Any

import attrs
import msgspec

from gemproxy.core.answer.chunk import Undecodable, loads

Usage = dict[str, Any]

_PROMPT_FIELDS = (
    "promptTokenCount",
    "promptTokensDetails",
    "cachedContentTokenCount",
    "cacheTokensDetails",
)
_CHARS_PER_TOKEN = 4


@attrs.frozen
class Billed:
    """What all attempts of one generation cost, in tokens."""

    prompt: int = 0
    output: int = 0
    thoughts: int = 0
    total: int = 0

    def report(self) -> dict[str, int]:
        """Return the figures by name, for a log line."""
        return {
            "prompt": self.prompt,
            "output": self.output,
            "thoughts": self.thoughts,
            "total": self.total,
        }

    def __add__(self, other: "Billed") -> "Billed":
        """Add two accounts, field by field."""
        return Billed(
            self.prompt + other.prompt,
            self.output + other.output,
            self.thoughts + other.thoughts,
            self.total + other.total,
        )


@attrs.frozen
class Ledger:
    """The usage of the attempts so far, and the sum that the client is shown."""

    billed: Billed = attrs.field(factory=Billed)
    delivered_tokens: int = 0
    thought_tokens: int = 0
    _first: Usage = attrs.field(factory=dict)

    def settled(self, usage: Usage, *, received: int, delivered: int, text: str = "") -> "Ledger":
        """Return the ledger with one more attempt.

        It brought ``received`` visible characters and delivered some. Output is counted by
        the share that the client got: an echo, or text that was held and dropped, is billed
        but not shown. ``text`` is what was delivered, from which the tokens are estimated
        when the attempt was cut before it counted them; else it is not looked at.
        """
        output = _count(usage, "candidatesTokenCount")
        shown = round(output * delivered / received) if received else 0
        if not output:
            shown = estimate_tokens(text)
            output = round(shown * received / delivered) if delivered else 0
        return Ledger(
            billed=self.billed + billed(usage, output),
            delivered_tokens=self.delivered_tokens + shown,
            thought_tokens=self.thought_tokens + _count(usage, "thoughtsTokenCount"),
            first=self._first or {name: usage[name] for name in _PROMPT_FIELDS if name in usage},
        )

    def merged(self, usage: Usage, *, received: int, dropped: int) -> Usage:
        """Return ``usage`` of the present attempt as the client should see it.

        ``dropped`` of the ``received`` visible characters so far were an echo.
        """
        own_prompt = _PROMPT_FIELDS if self._first else ()
        shown = {name: count for name, count in usage.items() if name not in own_prompt}
        shown |= self._first
        own = _count(usage, "candidatesTokenCount")
        echo = round(own * dropped / received) if received else 0
        output = self.delivered_tokens + max(own - echo, 0)
        thoughts = self.thought_tokens + _count(usage, "thoughtsTokenCount")
        shown["candidatesTokenCount"] = output
        if thoughts:
            shown["thoughtsTokenCount"] = thoughts
        _restate_details(shown, output)
        shown["totalTokenCount"] = (
            _count(shown, "promptTokenCount")
            + output
            + thoughts
            + _count(shown, "toolUsePromptTokenCount")
        )
        return shown

    def expected_prompt(self) -> int:
        """Return the tokens that another attempt's prompt will take, as far as is known."""
        return _count(self._first, "promptTokenCount") + self.delivered_tokens

    def extra(self) -> int:
        """Return the tokens that the attempts cost beyond what the client is shown."""
        shown = _count(self._first, "promptTokenCount") + self.delivered_tokens
        return max(self.billed.total - shown - self.thought_tokens, 0)


def billed(usage: Usage, output: int | None = None) -> Billed:
    """Return what one attempt cost, from its last usageMetadata."""
    prompt = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    output = _count(usage, "candidatesTokenCount") if output is None else output
    thoughts = _count(usage, "thoughtsTokenCount")
    return Billed(prompt, output, thoughts, prompt + output + thoughts)


def parse_usage(raw: msgspec.Raw) -> Usage:
    """Return the usageMetadata that a chunk carried; empty where it carried none."""
    if not raw:
        return {}
    try:
        usage = loads(bytes(raw), "replace")
    except Undecodable:
        return {}
    return usage if isinstance(usage, dict) else {}


def counts_output(usage: Usage) -> bool:
    """Tell a usageMetadata that counts the answer's tokens: an attempt that is cut has none."""
    return _count(usage, "candidatesTokenCount") > 0


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of ``text``: four ASCII characters, or one other, make one."""
    plain = len(text.encode("ascii", "ignore"))
    return -(-plain // _CHARS_PER_TOKEN) + len(text) - plain


def _count(usage: Usage, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _restate_details(shown: Usage, output: int) -> None:
    """Keep candidatesTokensDetails only where it can be made to agree with the sum."""
    details = shown.pop("candidatesTokensDetails", None)
    match details:
        case [{"modality": "TEXT" as text}]:
            shown["candidatesTokensDetails"] = [{"modality": text, "tokenCount": output}]
