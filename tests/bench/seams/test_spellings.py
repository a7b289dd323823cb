"""Spellings of an echo, made from a seed."""

import random

import pytest

from bench.seams.spellings import SPELLINGS, Spelling, exactly, measure, report


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
def test_a_spelling_has_fresh_variants_that_end_with_the_rest(spelling: Spelling) -> None:
    rng = random.Random(4)
    variants = [spelling.variant(rng) for _ in range(5)]

    assert all(attempt.endswith(broken.rest) for broken, attempt in variants)
    assert len({attempt for _, attempt in variants}) == len(variants)
    if spelling.spell is not exactly:
        assert any(attempt != broken.anchor + broken.rest for broken, attempt in variants)


def test_the_table_has_thirty_five_names() -> None:
    assert len({spelling.name for spelling in SPELLINGS}) == 35


def test_a_rule_without_an_opportunity_says_so() -> None:
    never = Spelling("never", lambda *_: None, lambda _: "a b " * 200)

    with pytest.raises(LookupError, match="never"):
        never.variant(random.Random(1))


def test_a_spelling_is_recognised_when_every_variant_is() -> None:
    assert measure(2, 1)["exact"] == 2
    lines = report({"one": 3, "other": 2}, 3)

    assert lines[-1].startswith("recognised: 1 of 2")
