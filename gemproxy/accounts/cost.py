"""Tokens by kind -> nano-dollars, in exact integers.

The number of prompt tokens, cached ones included, chooses between the usual prices and those of a
long prompt; they hold for the whole request, its output too. Cached tokens are a part of the
prompt, and each token is paid once, by its own kind.

A request's cost is summed exactly and then rounded once, to the nearest nano-dollar, a half up. So
the cost of many requests is a sum of integers, which does not drift.
"""

import attrs

from gemproxy.accounts.prices import MILLION, PriceList, Rates
from gemproxy.core.answer.usage import Billed

_THOUSAND = 1000


def cost_of(used: Billed, prices: PriceList | None, context: int | None = None) -> int | None:
    """Return the nano-dollars that ``used`` costs; None where a kind of it has no price.

    ``context`` is the number of prompt tokens that chooses the prices; by default that of ``used``.
    """
    if prices is None:
        return None
    factor = prices.factors.get(used.tier, None if used.tier else _THOUSAND)
    if factor is None:
        return None
    millionths = 0
    rates = prices.for_prompt(used.prompt if context is None else context)
    for count, rate in _by_price(used, rates):
        if count and rate is None:
            return None
        millionths += count * (rate or 0)
    whole = MILLION * _THOUSAND
    return (millionths * factor + whole // 2) // whole


def most_cost(most: Billed, prices: PriceList | None) -> int | None:
    """Return the nano-dollars of an estimate, its output at the dearest price of an output.

    Whether an answer is text, thoughts, sound or pictures is known only when it has come.
    """
    if prices is None:
        return None
    rates = prices.for_prompt(most.prompt)
    outputs = (rates.output, rates.thoughts, rates.output_audio, rates.output_image)
    known = [rate for rate in (*outputs, rates.output_video) if rate is not None]
    dearest = attrs.evolve(rates, output=max(known, default=None))
    return cost_of(most, attrs.evolve(prices, rates=dearest, above=None))


def _by_price(used: Billed, rates: Rates) -> tuple[tuple[int, int | None], ...]:
    """Return the counts of all kinds with the price of each; every token is in one of them."""
    cached_text = max(used.cached - used.cached_audio, 0)
    audio = max(used.audio - used.cached_audio, 0)
    media = audio + used.images + used.video
    text = max(used.prompt - used.cached_audio - media, 0)
    # Cached tokens whose kind is not said are text first, then images, then video.
    from_text = min(cached_text, text)
    from_images = min(cached_text - from_text, used.images)
    from_video = min(cached_text - from_text - from_images, used.video)
    said = used.audio_output + used.image_output + used.video_output
    return (
        (text - from_text, rates.input),
        (audio, rates.input_audio),
        (used.images - from_images, rates.input_image),
        (used.video - from_video, rates.input_video),
        (from_text + from_images + from_video, rates.cached),
        (used.cached_audio, rates.cached_audio),
        (max(used.output - said, 0), rates.output),
        (used.audio_output, rates.output_audio),
        (used.image_output, rates.output_image),
        (used.video_output, rates.output_video),
        (used.thoughts, rates.thoughts),
        (used.pictures, rates.per_picture),
        (used.seconds, rates.per_second),
    )
