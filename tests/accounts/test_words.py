"""Limits in words and in header fields."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts import words
from gemproxy.accounts.gauges import State
from gemproxy.accounts.user import NANO, Kind, Limit


def state(kind: Kind, amount: int, spent: int, held: int = 0, model: str = "") -> State:
    return State(Limit(kind, amount, model), spent, held, 1, 30.0, 20.0, 60.0, 60)


@pytest.mark.parametrize(
    ("nano_usd", "said"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (1_500_000_000, "$1.50"),
        (123_000, "$0.000123"),
        (10**18 + 10_000_000, "$1000000000.01"),
        (-NANO, "-$1.00"),
    ],
)
def test_money_is_exact(nano_usd: int, said: str) -> None:
    assert words.dollars(nano_usd) == said


@given(st.integers(0, 10**24))
def test_money_in_words_loses_nothing(nano_usd: int) -> None:
    assert Decimal(words.dollars(nano_usd)[1:]) * NANO == nano_usd


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (Limit(Kind.RPM, 1), "1 request per minute"),
        (Limit(Kind.TPM, 9000, "gemini-x"), "9000 tokens per minute for gemini-x"),
        (Limit(Kind.RPD, 20), "20 requests per day"),
        (Limit(Kind.CONCURRENCY, 10), "10 requests at the same time"),
        (Limit(Kind.TOKENS_PER_DAY, 5), "5 tokens per day"),
        (Limit(Kind.TOKENS_PER_MONTH, 5), "5 tokens per month"),
        (Limit(Kind.USD_PER_DAY, NANO // 2), "$0.50 per day"),
        (Limit(Kind.USD_PER_MONTH, 25 * NANO), "$25.00 per month"),
        (Limit(Kind.PER_IP_RPM, 2), "2 requests per minute and client address"),
        (Limit(Kind.PER_IP_RPD, 2), "2 requests per day and client address"),
    ],
)
def test_each_kind_has_words(limit: Limit, said: str) -> None:
    assert words.name(limit) == said


def test_the_fields_of_openai_show_the_limit_with_the_fewest_left() -> None:
    states = [state(Kind.RPD, 20, 1), state(Kind.RPM, 5, 2), state(Kind.TPM, 100, 40, 10)]

    fields = words.fields(states, now=10.0)

    assert fields["x-ratelimit-limit-requests"] == "5"
    assert fields["x-ratelimit-remaining-requests"] == "3"
    assert fields["x-ratelimit-reset-requests"] == "50s"
    assert fields["x-ratelimit-limit-tokens"] == "100"
    assert fields["x-ratelimit-remaining-tokens"] == "50"


def test_the_fields_of_the_draft_show_every_limit() -> None:
    states = [state(Kind.RPM, 5, 2, model="gemini-x"), state(Kind.USD_PER_DAY, 3 * NANO, NANO)]

    fields = words.fields(states, now=10.0)

    assert fields["RateLimit-Policy"] == (
        '"rpm:gemini-x";q=5;w=60, "usd_per_day";q=3000000;qu="gemproxy-micro-dollars";w=60'
    )
    assert fields["RateLimit"] == '"rpm:gemini-x";r=3;t=10, "usd_per_day";r=2000000;t=10'


def test_a_limit_of_concurrency_has_the_unit_of_the_draft_and_no_window() -> None:
    busy = State(Limit(Kind.CONCURRENCY, 2), 0, 2, 1, None, None, None)

    fields = words.fields([busy], now=10.0, refused=busy)

    assert fields == {
        "RateLimit-Policy": '"concurrency";q=2;qu="concurrent-requests"',
        "RateLimit": '"concurrency";r=0;t=1',
    }


def test_the_limit_that_refused_is_the_one_that_is_shown() -> None:
    refused, other = state(Kind.RPD, 20, 20), state(Kind.RPM, 5, 5)

    fields = words.fields([other, refused], now=10.0, refused=refused)

    assert fields["x-ratelimit-limit-requests"] == "20"
    assert fields["RateLimit"] == '"rpd";r=0;t=20'


def test_a_field_has_only_what_a_structured_field_may_have() -> None:
    odd = state(Kind.USD_PER_DAY, 10**30, 0, model='x"\\\r\nüé')

    fields = words.fields([odd], now=10.0)

    assert fields["RateLimit"] == '"usd_per_day:x\\"\\\\????";r=999999999999999'


def test_without_limits_there_are_no_fields() -> None:
    assert words.fields([], now=10.0) == {}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0s"), (0.2, "1s"), (59.0, "59s"), (60.0, "1m0s"), (3599.5, "1h0m0s"), (7322, "2h2m2s")],
)
def test_durations_are_written_as_openai_does(seconds: float, said: str) -> None:
    full = State(Limit(Kind.RPM, 1), 1, 0, 1, seconds, seconds, seconds, 60)

    assert words.fields([full], now=0.0)["x-ratelimit-reset-requests"] == said


BUSY = State(Limit(Kind.CONCURRENCY, 2, "gemini-x"), 0, 2, 1, None, None, None)


@pytest.mark.parametrize(
    ("told", "resets", "rest"),
    [
        (state(Kind.RPM, 1, 1), "in 30 s", "1 request, held 0 requests of 1 request per minute."),
        (
            BUSY,
            "when a running request ends",
            "0 requests, held 2 requests of 2 requests at the same time for gemini-x.",
        ),
        (
            state(Kind.USD_PER_DAY, 10**9, 4, 5),
            "in 30 s",
            "$0.000000004, held $0.000000005 of $1.00 per day.",
        ),
    ],
)
def test_a_limit_is_told_in_few_words(told: State, resets: str, rest: str) -> None:
    assert words.brief(told, 30.0) == f"Limit reached, resets {resets}: spent {rest}"
