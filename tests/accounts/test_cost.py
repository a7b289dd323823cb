"""Tokens by kind -> nano-dollars: exact, rounded once, at the price of the whole prompt."""

from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.cost import cost_of
from gemproxy.accounts.prices import PriceList, parse_prices
from gemproxy.core.answer.usage import Billed

TABLE = """
[[models]]
name = "tiered"

[[models.prices]]
source = "invented"
checked = 2026-11-28
input = 1.00
cached = 0.10
output = 8.00
flex = 0.5

[models.prices.long]
above = 200_000
input = 2.00
cached = 0.20
output = 12.00

[[models]]
name = "media"

[[models.prices]]
source = "invented"
checked = 2026-11-28
input = 1
input_audio = 3
input_image = 4
input_video = 5
cached = 0.1
cached_audio = 0.3
output = 8
output_audio = 20
output_image = 30
output_video = 40
thoughts = 6

[[models]]
name = "pictures"

[[models.prices]]
source = "invented"
checked = 2026-11-28
per_picture = 0.039
per_second = 0.4

[[models]]
name = "fractions"

[[models.prices]]
source = "invented"
checked = 2026-11-28
input = 0.0375
output = 0.000000001
"""
PRICES = parse_prices(TABLE)
MILLION = 1_000_000


def prices(model: str = "tiered") -> PriceList:
    found = PRICES.of(model, 0.0)
    assert found is not None
    return found


def used(prompt: int = 0, output: int = 0, thoughts: int = 0, cached: int = 0) -> Billed:
    return Billed(prompt, output, thoughts, prompt + output + thoughts, cached)


@pytest.mark.parametrize(
    ("prompt", "cached", "candidates", "thoughts", "micro_dollars"),
    [
        (200_000, 0, 2_000, 3_000, 240_000),
        (200_001, 0, 2_000, 3_000, 460_002),
        (250_000, 200_000, 2_000, 3_000, 200_000),
        (1_000, 1_000, 0, 0, 100),
        (0, 0, 0, 0, 0),
        (199_999, 199_999, 1, 0, 20_007.9),
        (200_001, 200_001, 0, 0, 40_000.2),
    ],
)
def test_the_whole_prompt_chooses_the_price_of_all(
    prompt: int, cached: int, candidates: int, thoughts: int, micro_dollars: float
) -> None:
    cost = cost_of(used(prompt, candidates, thoughts, cached), prices())

    assert cost is not None
    assert cost * 10 == round(micro_dollars * 10_000)


def test_many_requests_add_up_without_drift() -> None:
    one = cost_of(used(333, 77, 11, 33), prices())

    assert one == 300_000 + 3_300 + 88 * 8_000
    assert sum(one for _ in range(10_000)) == one * 10_000


@pytest.mark.parametrize(
    ("part", "dollars"),
    [
        ({"prompt": MILLION}, 1),
        ({"prompt": MILLION, "audio": MILLION}, 3),
        ({"prompt": MILLION, "images": MILLION}, 4),
        ({"prompt": MILLION, "video": MILLION}, 5),
        ({"prompt": MILLION, "audio": MILLION // 2, "images": MILLION // 2}, 3.5),
        ({"prompt": MILLION, "cached": MILLION}, 0.1),
        ({"prompt": MILLION, "cached": MILLION, "audio": MILLION, "cached_audio": MILLION}, 0.3),
        ({"prompt": 2 * MILLION, "images": MILLION, "cached": MILLION}, 4.1),
        ({"prompt": 2 * MILLION, "images": MILLION, "cached": 2 * MILLION}, 0.2),
        ({"prompt": MILLION, "video": MILLION, "cached": MILLION // 2}, 2.55),
        ({"output": MILLION}, 8),
        ({"output": MILLION, "audio_output": MILLION}, 20),
        ({"output": 2 * MILLION, "image_output": MILLION}, 38),
        ({"output": MILLION, "video_output": MILLION}, 40),
        ({"thoughts": MILLION}, 6),
    ],
)
def test_each_token_is_paid_once_by_its_kind(part: dict[str, Any], dollars: float) -> None:
    assert cost_of(msgspec.structs.replace(Billed(), **part), prices("media")) == round(
        dollars * 10**9
    )


def test_a_kind_without_a_price_of_its_own_costs_what_its_whole_costs() -> None:
    spoken = Billed(prompt=1_000, audio=1_000, output=1_000, image_output=1_000, thoughts=1_000)

    assert cost_of(spoken, prices()) == 1_000 * 1_000 + 2 * 1_000 * 8_000


def test_pictures_and_seconds_are_paid_by_their_number() -> None:
    assert cost_of(Billed(pictures=4), prices("pictures")) == 156_000_000
    assert cost_of(Billed(seconds=8), prices("pictures")) == 3_200_000_000


def test_what_has_no_price_is_not_free() -> None:
    assert cost_of(used(1), None) is None
    assert cost_of(used(1), prices("pictures")) is None
    assert cost_of(Billed(seconds=1), prices()) is None
    assert cost_of(Billed(prompt=1, tier="priority"), prices()) is None


def test_a_service_tier_has_its_factor() -> None:
    assert cost_of(Billed(prompt=1_000, tier="flex"), prices()) == 500_000


def test_a_cost_is_rounded_once_and_a_half_goes_up() -> None:
    assert cost_of(used(1), prices("fractions")) == 38  # 37.5
    assert cost_of(used(3), prices("fractions")) == 113  # 112.5
    assert cost_of(used(2), prices("fractions")) == 75
    assert cost_of(used(0, 499_999), prices("fractions")) == 0
    assert cost_of(used(0, 500_000), prices("fractions")) == 1


counts = st.integers(0, 3_000_000)


@st.composite
def bills(draw: st.DrawFn) -> Billed:
    prompt, output, thoughts = draw(counts), draw(counts), draw(counts)
    audio = draw(st.integers(0, prompt))
    images = draw(st.integers(0, prompt - audio))
    video = draw(st.integers(0, prompt - audio - images))
    cached = draw(st.integers(0, prompt))
    cached_audio = draw(st.integers(0, min(audio, cached)))
    cached = draw(st.integers(cached_audio, prompt - audio + cached_audio))
    spoken = draw(st.integers(0, output))
    shown = draw(st.integers(0, output - spoken))
    return Billed(
        *(prompt, output, thoughts, prompt + output + thoughts),
        *(cached, audio, images, video, cached_audio, spoken, shown),
    )


@given(bills(), st.sampled_from(["tiered", "media"]))
def test_every_token_is_counted_once(bill: Billed, model: str) -> None:
    flat = attrs.evolve(
        prices(), above=None, rates=attrs.evolve(prices().rates, **dict.fromkeys(FIELDS, 10**9))
    )
    cost = cost_of(bill, prices(model))

    assert cost_of(bill, flat) == bill.total * 1000
    assert cost is not None
    assert cost >= 0


FIELDS = [field.name for field in attrs.fields(type(prices().rates))]


@given(bills(), st.sampled_from(["output", "thoughts"]), st.integers(1, 1000))
def test_more_tokens_never_cost_less(bill: Billed, kind: str, more: int) -> None:
    dearer = msgspec.structs.replace(bill, **{kind: getattr(bill, kind) + more})
    before, after = cost_of(bill, prices()), cost_of(dearer, prices())

    assert before is not None
    assert after is not None
    assert after >= before


@given(counts, counts, counts)
def test_the_cost_of_two_parts_is_that_of_their_sum_at_one_price(
    prompt: int, output: int, thoughts: int
) -> None:
    """Prices of whole nano-dollars per token make no remainders."""
    parts = [used(prompt, 0, 0), used(0, output, 0), used(0, 0, thoughts)]
    together = cost_of(sum(parts, Billed()), prices())

    assert sum(cost_of(part, prices(), prompt) or 0 for part in parts) == together
