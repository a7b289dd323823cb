"""Who pays: the user one undisturbed answer, the operator what repair cost beyond it."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.charge import charge
from gemproxy.accounts.prices import parse_prices
from gemproxy.core.answer.usage import Billed, Tally, Usage
from gemproxy.exchange.account import Account, CallResult, Charge, Spent

PRICES = parse_prices("""
[[models]]
name = "tiered"
[[models.prices]]
source = "invented"
checked = 2026-11-28
input = 1.00
cached = 0.10
output = 8.00
[models.prices.long]
above = 200_000
input = 2.00
cached = 0.20
output = 12.00
""")


def usage(prompt: int, candidates: int, thoughts: int = 0, cached: int = 0) -> Usage:
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": cached,
    }


def charged(spent: Spent | None, model: str = "tiered", expected: Billed | None = None) -> Charge:
    account = Account(result=CallResult(1, [], repair=True, spent=spent), expected=expected)
    return charge(account, model, PRICES, 0.0)


def of(tally: Tally, *, unread: bool = False) -> Spent:
    return Spent(tally.bills, tally.own, tally.estimated, unread)


def test_a_resumed_stream_costs_its_user_one_prompt_and_what_was_delivered() -> None:
    tally = Tally().settled({}, received=0, delivered=0)  # refused with 429
    tally = tally.settled(usage(10, 5), received=2, delivered=2)
    tally = tally.settled(usage(16, 4), received=2, delivered=2)

    assert charged(of(tally)) == Charge(
        input_tokens=10,
        output_tokens=9,
        extra_input_tokens=16,
        extra_output_tokens=0,
        cost_nano_usd=10 * 1000 + 9 * 8000,
        operator_cost_nano_usd=16 * 1000,
    )


@pytest.mark.parametrize(
    ("counts", "micro_dollars"),
    [
        (usage(200_000, 2_000, 3_000), 240_000),
        (usage(200_001, 2_000, 3_000), 460_002),
        (usage(250_000, 2_000, 3_000, 200_000), 200_000),
        (usage(1_000, 0, 0, 1_000), 100),
    ],
)
def test_a_clean_answer_costs_what_google_bills(counts: Usage, micro_dollars: int) -> None:
    characters = 4 * counts["candidatesTokenCount"]
    tally = Tally().settled(counts, received=characters, delivered=characters)
    paid = charged(of(tally))

    assert paid.cost_nano_usd == micro_dollars * 1000
    assert paid.operator_cost_nano_usd == 0
    assert paid.cached_tokens == counts["cachedContentTokenCount"]
    assert paid.tokens == sum(counts.values()) - paid.cached_tokens
    assert not paid.estimated


def test_dropped_echoes_and_swallowed_thoughts_are_the_operators() -> None:
    tally = Tally().settled(usage(10, 8, 3), received=40, delivered=40)
    tally = tally.settled(usage(20, 6, 5), received=30, delivered=20, swallowed=True)
    paid = charged(of(tally))

    assert (paid.input_tokens, paid.output_tokens, paid.thought_tokens) == (10, 12, 3)
    assert (paid.extra_input_tokens, paid.extra_output_tokens) == (20, 2 + 5)


def test_the_prices_of_a_long_prompt_hold_for_the_attempt_that_has_it() -> None:
    tally = Tally().settled(usage(200_000, 1_000), received=9, delivered=9)
    tally = tally.settled(usage(200_100, 1_000), received=9, delivered=9)
    paid = charged(of(tally))
    first, second = 200_000 * 1000 + 1_000 * 8000, 200_100 * 2000 + 1_000 * 12000

    assert paid.cost_nano_usd == 200_000 * 1000 + 2_000 * 8000
    assert paid.operator_cost_nano_usd == first + second - paid.cost_nano_usd


def test_what_failed_before_anything_was_delivered_costs_its_user_nothing() -> None:
    paid = charged(Spent((Billed(10, 5, 2, 17),)))

    assert paid.tokens == 0
    assert (paid.extra_input_tokens, paid.extra_output_tokens) == (10, 7)
    assert (paid.cost_nano_usd, paid.operator_cost_nano_usd) == (0, 10 * 1000 + 7 * 8000)


def test_a_blocked_prompt_costs_its_input() -> None:
    tally = Tally().settled({"promptTokenCount": 11}, received=0, delivered=0, opaque=True)
    paid = charged(of(tally))

    assert paid == Charge(input_tokens=11, cost_nano_usd=11_000, operator_cost_nano_usd=0)


def test_a_stream_that_died_uncounted_is_charged_by_its_characters() -> None:
    counted = {"promptTokenCount": 11}
    tally = Tally().settled(counted, received=80, delivered=80, text="word " * 16)
    paid = charged(of(tally))

    assert (paid.input_tokens, paid.output_tokens, paid.estimated) == (11, 20, True)
    assert (paid.extra_input_tokens, paid.extra_output_tokens) == (0, 0)


def test_an_input_that_nothing_counted_is_the_expected_one() -> None:
    tally = Tally().settled({}, received=80, delivered=80, text="word " * 16)
    paid = charged(of(tally, unread=True), expected=Billed(prompt=7, total=7))

    assert (paid.input_tokens, paid.output_tokens, paid.estimated) == (7, 20, True)
    assert (paid.extra_input_tokens, paid.extra_output_tokens) == (0, 0)
    assert paid.cost_nano_usd == 7 * 1000 + 20 * 8000


def test_a_counted_input_is_not_the_expected_one() -> None:
    tally = Tally().settled(usage(10, 5), received=2, delivered=2)

    assert charged(of(tally), expected=Billed(prompt=99)).input_tokens == 10


def test_an_unknown_model_has_tokens_and_no_money() -> None:
    tally = Tally().settled(usage(10, 5), received=2, delivered=2)
    paid = charged(of(tally), "unknown")

    assert (paid.tokens, paid.cost_nano_usd, paid.operator_cost_nano_usd) == (15, None, None)


def test_a_request_that_nobody_counted_has_no_tokens() -> None:
    assert charged(None).tokens == 0


def test_an_answer_without_a_result_of_its_own_counts_as_it_passed() -> None:
    account = Account(passed=Spent((Billed(3, 2, 0, 5),), Billed(3, 2, 0, 5)))

    assert charge(account, "tiered", PRICES, 0.0).tokens == 5


counts = st.integers(0, 300_000)
characters = st.integers(0, 500)


@attrs.frozen
class Cut:
    """One attempt: its usage, and its visible characters, delivered and not."""

    prompt: int
    output: int
    thoughts: int
    cached: int
    delivered: int
    lost: int
    opaque: bool
    swallowed: bool


cuts = st.lists(
    st.builds(
        Cut, counts, counts, counts, counts, characters, characters, st.booleans(), st.booleans()
    ),
    max_size=5,
)


def tally_of(attempts: list[Cut]) -> Tally:
    tally = Tally()
    for one in attempts:
        tally = tally.settled(
            usage(one.prompt, one.output, one.thoughts, one.cached),
            received=one.delivered + one.lost,
            delivered=one.delivered,
            text="x" * one.delivered,
            opaque=one.opaque,
            swallowed=one.swallowed,
        )
    return tally


@given(cuts)
def test_the_users_part_and_the_rest_are_what_was_billed(attempts: list[Cut]) -> None:
    tally = tally_of(attempts)
    paid, billed = charged(of(tally)), tally.billed

    assert paid.input_tokens + paid.extra_input_tokens == billed.prompt
    assert (
        paid.output_tokens + paid.thought_tokens + paid.extra_output_tokens
        == billed.output + billed.thoughts
    )
    assert min(attrs.astuple(paid)[:8]) >= 0
    assert paid.cached_tokens <= paid.input_tokens


@given(cuts)
def test_another_attempt_never_makes_it_cheaper(attempts: list[Cut]) -> None:
    before, after = charged(of(tally_of(attempts[:-1]))), charged(of(tally_of(attempts)))

    for kind in ("output_tokens", "thought_tokens", "extra_input_tokens", "extra_output_tokens"):
        assert getattr(after, kind) >= getattr(before, kind)
    if before.input_tokens:
        assert after.input_tokens == before.input_tokens


@given(st.integers(1, 300_000), st.integers(2, 50), st.integers(0, 9), st.data())
def test_an_interrupted_stream_costs_its_user_what_an_undisturbed_one_does(
    prompt: int, tokens: int, thoughts: int, data: st.DataObject
) -> None:
    """Each token has four characters, as long as usage is complete."""
    cut = data.draw(st.integers(1, tokens - 1))
    echoed = data.draw(st.integers(0, cut))
    whole = Tally().settled(
        usage(prompt, tokens, thoughts), received=4 * tokens, delivered=4 * tokens
    )
    tally = Tally().settled(usage(prompt, cut, thoughts), received=4 * cut, delivered=4 * cut)
    tally = tally.settled(
        usage(prompt + cut, tokens - cut + echoed, 7),
        received=4 * (tokens - cut + echoed),
        delivered=4 * (tokens - cut),
        swallowed=True,
    )
    undisturbed, interrupted = charged(of(whole)), charged(of(tally))

    assert interrupted.tokens == undisturbed.tokens
    assert interrupted.cost_nano_usd == undisturbed.cost_nano_usd
    assert interrupted.extra_input_tokens == prompt + cut
    assert interrupted.extra_output_tokens == echoed + 7


def test_each_turn_of_a_session_has_its_own_prices() -> None:
    turns = (Billed(150_000, 10, 0, 150_010), Billed(150_000, 10, 0, 150_010))
    paid = charged(Spent(turns, sum(turns, Billed())))

    assert (paid.input_tokens, paid.extra_input_tokens) == (300_000, 0)
    assert paid.cost_nano_usd == 2 * (150_000 * 1000 + 10 * 8000)
    assert paid.operator_cost_nano_usd == 0


def test_an_answer_that_was_given_up_for_another_is_the_operators() -> None:
    account = Account(
        passed=Spent((Billed(10, 5, 0, 15),)),
        result=CallResult(
            1, [], repair=True, spent=Spent((Billed(10, 6, 0, 16),), Billed(10, 6, 0, 16))
        ),
    )
    paid = charge(account, "tiered", PRICES, 0.0)

    assert (paid.input_tokens, paid.output_tokens) == (10, 6)
    assert (paid.extra_input_tokens, paid.extra_output_tokens) == (10, 5)


@pytest.mark.parametrize(
    ("usage_told", "output", "spent"),
    [
        (Billed(10, 5, 0, 15), 99, Spent((Billed(10, 5, 0, 15),), Billed(10, 5, 0, 15))),
        (Billed(10, total=10), 0, Spent((Billed(10, total=10),), Billed(10, total=10))),
        (
            Billed(10, total=10),
            7,
            Spent((Billed(10, 7, 0, 17),), Billed(10, 7, 0, 17), estimated=True),
        ),
        (None, 7, Spent((Billed(0, 7, 0, 7),), Billed(0, 7, 0, 7), estimated=True, unread=True)),
        (None, 0, Spent((Billed(),), Billed(), unread=True)),
    ],
)
def test_an_answer_that_passed_by_is_charged_as_it_was_told(
    usage_told: Billed | None, output: int, spent: Spent
) -> None:
    assert Spent.told(usage_told, output) == spent
