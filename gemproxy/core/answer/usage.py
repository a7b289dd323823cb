"""usageMetadata over several attempts: the counts for the client and the billed ones.

Gemini's counts are running totals within one attempt, so the last one counts. For the client the
answer is one generation: the prompt of the first attempt, the output that it received, all
thoughts. The log gets the cost of all attempts together.
"""

from collections.abc import Iterable
from operator import add, attrgetter, sub
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
_LIVE_DETAILS = "responseTokensDetails"
_EMBEDDED_DETAILS = "promptTokenDetails"
_DETAILS = frozenset(
    {
        "promptTokensDetails",
        _EMBEDDED_DETAILS,
        "cacheTokensDetails",
        "candidatesTokensDetails",
        _LIVE_DETAILS,
        "toolUsePromptTokensDetails",
    }
)
TIERS = frozenset({"flex", "priority"})
"""Service tiers with prices of their own."""
_CHARS_PER_TOKEN = 4


class Billed(msgspec.Struct, frozen=True, gc=False):
    """The cost of one attempt, or of several together, in tokens by kind.

    ``total`` is ``prompt`` + ``output`` + ``thoughts``; all other kinds are parts of these three.
    ``prompt`` has the results of Google's tools too, and ``cached`` is its part from a cache. The
    part without audio, images or video is text. ``pictures`` and ``seconds`` (of video) count what
    is made by models that bill no tokens. ``tier`` is the service tier, empty for the standard one.
    """

    prompt: int = 0
    output: int = 0
    thoughts: int = 0
    total: int = 0
    cached: int = 0
    audio: int = 0
    images: int = 0
    video: int = 0
    cached_audio: int = 0
    audio_output: int = 0
    image_output: int = 0
    video_output: int = 0
    pictures: int = 0
    seconds: int = 0
    tier: str = ""

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
        return _of(map(add, _counts(self), _counts(other)), self.tier or other.tier)

    def __sub__(self, other: "Billed") -> "Billed":
        """Subtract an account, field by field."""
        return _of(map(sub, _counts(self), _counts(other)), self.tier)


def _of(counts: Iterable[Any], tier: str) -> Billed:
    billed = Billed(*counts)
    return msgspec.structs.replace(billed, tier=tier) if tier else billed


_counts = attrgetter(*Billed.__struct_fields__[:-1])
_NOTHING = Billed()


@attrs.frozen
class Tally:
    """The usage of the attempts so far, and the sum that the client is shown.

    ``bills`` has the cost of each attempt. ``own_thoughts`` are the thoughts of attempts whose
    answer the client got. ``estimated``: an attempt ended before it had counted its tokens.
    """

    bills: tuple[Billed, ...] = ()
    delivered_tokens: int = 0
    thought_tokens: int = 0
    own_thoughts: int = 0
    estimated: bool = False
    _first: Usage = attrs.field(factory=dict)
    _prompt: Billed = attrs.field(factory=Billed)
    _media: Billed = attrs.field(factory=Billed)

    @property
    def billed(self) -> Billed:
        """The cost of all attempts together."""
        bills = self.bills
        return bills[0] if len(bills) == 1 else sum(bills, _NOTHING)

    @property
    def own(self) -> Billed:
        """The part of the cost that one undisturbed answer would have had.

        It is the prompt of the first attempt that counted it, the output that was delivered, and
        the thoughts behind it. It never exceeds ``billed``.
        """
        bill, media, output = self._prompt, self._media, self.delivered_tokens
        if len(self.bills) == 1 and (output, self.own_thoughts) == (bill.output, bill.thoughts):
            return bill
        return msgspec.structs.replace(
            bill,
            output=output,
            thoughts=self.own_thoughts,
            total=bill.prompt + output + self.own_thoughts,
            audio_output=min(media.audio_output, output),
            image_output=min(media.image_output, output),
            video_output=min(media.video_output, output),
        )

    def settled(  # noqa: PLR0913 - what one attempt brought
        self,
        usage: Usage,
        *,
        received: int,
        delivered: int,
        text: str = "",
        opaque: bool = False,
        swallowed: bool = False,
        final: bool = False,
    ) -> "Tally":
        """Return the tally with one more attempt.

        The attempt brought ``received`` visible characters, of which ``delivered`` went to the
        client. The client's output counts the same share: an echo, or text that was held and
        dropped, is billed but not shown. If the attempt was cut before it counted its tokens, they
        are estimated from ``text``, the delivered text; otherwise ``text`` is not used. An attempt
        without text counts in full if ``opaque``: the client got something else, or its ending.
        ``swallowed``: the client got none of its thoughts, and nothing that they led to. ``final``:
        it was not cut, so where it says that its output has 0 tokens, that is the count.
        """
        output = _count(usage, "candidatesTokenCount")
        shown = round(output * delivered / received) if received else output * opaque
        estimated = opaque and not usage
        if not output and received and not (final and "candidatesTokenCount" in usage):
            shown = estimate_tokens(text)
            output = round(shown * received / delivered) if delivered else 0
            estimated = True
        bill = billed(usage, output)
        thoughts = bill.thoughts
        plain = not (shown and (bill.audio_output or bill.image_output or bill.video_output))
        return Tally(
            bills=(*self.bills, bill),
            delivered_tokens=self.delivered_tokens + shown,
            thought_tokens=self.thought_tokens + thoughts,
            own_thoughts=self.own_thoughts + (0 if swallowed else thoughts),
            estimated=self.estimated or estimated,
            first=self._first or {name: usage[name] for name in _PROMPT_FIELDS if name in usage},
            prompt=self._prompt if self._prompt.prompt else bill,
            media=self._media if plain else self._media + _shared(bill, shown),
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
    """Return the cost of one attempt, from its last usageMetadata.

    ``output`` replaces its count of output. Live calls the output ``responseTokenCount``,
    and an embedding its breakdown ``promptTokenDetails``.
    """
    tools = _count(usage, "toolUsePromptTokenCount")
    prompt = _count(usage, "promptTokenCount") + tools
    if output is None:
        output = _count(usage, "candidatesTokenCount") or _count(usage, "responseTokenCount")
    thoughts = _count(usage, "thoughtsTokenCount")
    total = prompt + output + thoughts
    cached = min(_count(usage, "cachedContentTokenCount"), prompt)
    tier = str(usage["serviceTier"]).lower() if "serviceTier" in usage else ""
    tier = tier if tier in TIERS else ""
    plain = Billed(prompt, output, thoughts, total, cached, tier=tier)
    if _details_of(usage):
        return _detailed(plain, usage)
    return plain


def _details_of(usage: Usage) -> bool:
    """Return whether a breakdown names anything besides text."""
    for name in _DETAILS & usage.keys():
        details = usage[name]
        if isinstance(details, list) and [item for item in details if not _is_text(item)]:
            return True
    return False


def _is_text(item: object) -> bool:
    return isinstance(item, dict) and item.get("modality") == "TEXT"


def _detailed(plain: Billed, usage: Usage) -> Billed:
    """Return ``plain`` with the modalities of its parts, none above the whole."""
    asked = "promptTokensDetails" if "promptTokensDetails" in usage else _EMBEDDED_DETAILS
    prompt = _by_modality(usage, asked, plain.prompt)
    tools = _by_modality(usage, "toolUsePromptTokensDetails", plain.prompt)
    cached = _by_modality(usage, "cacheTokensDetails", plain.cached)
    said = "candidatesTokensDetails" if usage.get("candidatesTokensDetails") else _LIVE_DETAILS
    output = _by_modality(usage, said, plain.output)
    audio = prompt.get("AUDIO", 0) + tools.get("AUDIO", 0)
    images = prompt.get("IMAGE", 0) + prompt.get("DOCUMENT", 0) + tools.get("IMAGE", 0)
    video = prompt.get("VIDEO", 0) + tools.get("VIDEO", 0)
    return msgspec.structs.replace(
        plain,
        audio=audio,
        images=images,
        video=video,
        cached_audio=min(cached.get("AUDIO", 0), audio),
        audio_output=output.get("AUDIO", 0),
        image_output=output.get("IMAGE", 0),
        video_output=output.get("VIDEO", 0),
    )


def _by_modality(usage: Usage, name: str, whole: int) -> dict[str, int]:
    """Return the tokens of a breakdown by modality; their sum is at most ``whole``."""
    counts: dict[str, int] = {}
    details = usage.get(name)
    for item in details if isinstance(details, list) else ():
        modality = _modality(item)
        count = min(_count(item, "tokenCount"), whole) if modality else 0
        whole -= count
        counts[modality] = counts.get(modality, 0) + count
    return counts


def _modality(item: object) -> str:
    return str(item.get("modality", "")).upper() if isinstance(item, dict) else ""


def _shared(bill: Billed, shown: int) -> Billed:
    """Return the media in an attempt's output, of which ``shown`` tokens were delivered."""
    whole = bill.output
    return Billed(
        audio_output=bill.audio_output * shown // whole,
        image_output=bill.image_output * shown // whole,
        video_output=bill.video_output * shown // whole,
    )


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


@attrs.define
class Characters:
    """Counts the characters of a text that comes in pieces; ``others`` are those beyond ASCII."""

    plain: int = 0
    others: int = 0

    def add(self, text: str) -> None:
        """Count a piece."""
        plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
        self.plain += plain
        self.others += len(text) - plain

    @property
    def tokens(self) -> int:
        """The tokens of the whole text, like ``estimate_tokens``."""
        return -(-self.plain // _CHARS_PER_TOKEN) + self.others


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of ``text``: four ASCII characters, or one other, make one."""
    whole = Characters()
    whole.add(text)
    return whole.tokens


def _count(usage: Usage, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _restate_details(shown: Usage, output: int) -> None:
    """Keep candidatesTokensDetails only if they can be corrected to match the sum."""
    details = shown.pop("candidatesTokensDetails", None)
    match details:
        case [{"modality": "TEXT" as text}]:
            shown["candidatesTokensDetails"] = [{"modality": text, "tokenCount": output}]
