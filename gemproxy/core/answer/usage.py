"""usageMetadata over several attempts: the counts for the client and the billed ones.

Gemini's counts are running totals within one attempt, so the last one counts. For the client the
answer is one generation: the prompt of the first attempt, the output that it received, all
thoughts. The log gets the cost of all attempts together.
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
    """The cost of all attempts of one generation, in tokens."""

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

    def __sub__(self, other: "Billed") -> "Billed":
        """Subtract an account, field by field."""
        return Billed(
            self.prompt - other.prompt,
            self.output - other.output,
            self.thoughts - other.thoughts,
            self.total - other.total,
        )


@attrs.frozen
class Tally:
    """The usage of the attempts so far, and the sum that the client is shown."""

    billed: Billed = attrs.field(factory=Billed)
    delivered_tokens: int = 0
    thought_tokens: int = 0
    _first: Usage = attrs.field(factory=dict)

    def settled(self, usage: Usage, *, received: int, delivered: int, text: str = "") -> "Tally":
        """Return the tally with one more attempt.

        The attempt brought ``received`` visible characters, of which ``delivered`` went to the
        client. The client's output counts the same share: an echo, or text that was held and
        dropped, is billed but not shown. If the attempt was cut before it counted its tokens, they
        are estimated from ``text``, the delivered text; otherwise ``text`` is not used.
        """
        output = _count(usage, "candidatesTokenCount")
        shown = round(output * delivered / received) if received else 0
        if not output:
            shown = estimate_tokens(text)
            output = round(shown * received / delivered) if delivered else 0
        return Tally(
            billed=self.billed + billed(usage, output),
            delivered_tokens=self.delivered_tokens + shown,
            thought_tokens=self.thought_tokens + _count(usage, "thoughtsTokenCount"),
            first=self._first or {name: usage[name] for name in _PROMPT_FIELDS if name in usage},
        )

    def merged(self, usage: Usage, *, received: int, dropped: int) -> Usage:
        """Return the client's version of ``usage`` of the present attempt.

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
        """Return the expected tokens of another attempt's prompt, as far as they are known."""
        return _count(self._first, "promptTokenCount") + self.delivered_tokens

    def extra(self) -> int:
        """Return the tokens that the attempts cost beyond those shown to the client."""
        shown = _count(self._first, "promptTokenCount") + self.delivered_tokens
        return max(self.billed.total - shown - self.thought_tokens, 0)


def billed(usage: Usage, output: int | None = None) -> Billed:
    """Return the cost of one attempt, from its last usageMetadata."""
    prompt = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    output = _count(usage, "candidatesTokenCount") if output is None else output
    thoughts = _count(usage, "thoughtsTokenCount")
    return Billed(prompt, output, thoughts, prompt + output + thoughts)


def parse_usage(raw: msgspec.Raw) -> Usage:
    """Return the usageMetadata of a chunk; empty if it has none."""
    if not raw:
        return {}
    try:
        usage = loads(bytes(raw), "replace")
    except Undecodable:
        return {}
    return usage if isinstance(usage, dict) else {}


def counts_output(usage: Usage) -> bool:
    """Return whether ``usage`` counts the answer's tokens; that of a cut attempt does not."""
    return _count(usage, "candidatesTokenCount") > 0


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of ``text``: four ASCII characters, or one other, make one."""
    plain = len(text.encode("ascii", "ignore"))
    return -(-plain // _CHARS_PER_TOKEN) + len(text) - plain


def _count(usage: Usage, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _restate_details(shown: Usage, output: int) -> None:
    """Keep candidatesTokensDetails only if they can be corrected to match the sum."""
    details = shown.pop("candidatesTokensDetails", None)
    match details:
        case [{"modality": "TEXT" as text}]:
            shown["candidatesTokensDetails"] = [{"modality": text, "tokenCount": output}]
