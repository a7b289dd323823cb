"""What the flags of limits mean."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.user import NANO, Kind
from gemproxy.accounts.words import dollars
from gemproxy.config.arguments import Misused
from gemproxy.metering.permits import Amount
from gemproxy.users.values import amounts, expiry, models_of

BERLIN = ZoneInfo("Europe/Berlin")


def one(kind: Kind, value: str) -> Amount:
    (amount,) = amounts([(kind, [value])])
    return amount


@pytest.mark.parametrize(
    ("kind", "value", "amount"),
    [
        (Kind.RPM, "50", Amount(Kind.RPM, "", 50)),
        (Kind.RPM, "gemini-2.5-pro=5", Amount(Kind.RPM, "gemini-2.5-pro", 5)),
        (Kind.TPM, "models/gemini-x=007", Amount(Kind.TPM, "gemini-x", 7)),
        (Kind.RPD, "off", Amount(Kind.RPD, "", None)),
        (Kind.CONCURRENCY, "gemini-x=off", Amount(Kind.CONCURRENCY, "gemini-x", None)),
        (Kind.USD_PER_DAY, "1.50", Amount(Kind.USD_PER_DAY, "", 1_500_000_000)),
        (Kind.USD_PER_DAY, "0.000000001", Amount(Kind.USD_PER_DAY, "", 1)),
        (Kind.USD_PER_MONTH, ".5", Amount(Kind.USD_PER_MONTH, "", 500_000_000)),
        (Kind.USD_PER_MONTH, "7.", Amount(Kind.USD_PER_MONTH, "", 7 * NANO)),
        (Kind.USD_PER_MONTH, "123456.000000789", Amount(Kind.USD_PER_MONTH, "", 123456000000789)),
    ],
)
def test_an_amount_is_read_exactly(kind: Kind, value: str, amount: Amount) -> None:
    assert one(kind, value) == amount


@given(st.integers(min_value=1, max_value=10**18 - 1))
def test_money_that_is_shown_is_read_as_the_same(nano: int) -> None:
    assert one(Kind.USD_PER_DAY, dollars(nano).removeprefix("$")).amount == nano


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Kind.RPM, "0", "would refuse everything"),
        (Kind.USD_PER_DAY, "0.0", "would refuse everything"),
        (Kind.RPM, "-5", "is not a whole number"),
        (Kind.RPM, "1.5", "is not a whole number"),
        (Kind.RPM, "1_000", "is not a whole number"),
        (Kind.RPM, "٥", "is not a whole number"),
        (Kind.RPM, "", "is not a whole number"),
        (Kind.RPM, "1" * 16, "is not a whole number"),
        (Kind.RPM, "=5", "is not the name of a model"),
        (Kind.RPM, "a b=5", "is not the name of a model"),
        (Kind.RPM, "a=b=5", "is not the name of a model"),
        (Kind.RPM, "gemini-*=5", "is not the name of a model"),
        (Kind.USD_PER_DAY, "1.0000000000", "has more than 9 decimals"),
        (Kind.USD_PER_DAY, "-1", "is not an amount in dollars"),
        (Kind.USD_PER_DAY, "$1", "is not an amount in dollars"),
        (Kind.USD_PER_DAY, "1e3", "is not an amount in dollars"),
        (Kind.USD_PER_DAY, "NaN", "is not an amount in dollars"),
        (Kind.USD_PER_DAY, "1,50", "is not an amount in dollars"),
        (Kind.USD_PER_DAY, ".", "is not an amount in dollars"),
    ],
)
def test_a_wrong_amount_is_refused_in_words(kind: Kind, value: str, words: str) -> None:
    with pytest.raises(Misused) as caught:
        one(kind, value)

    assert words in str(caught.value)
    assert str(caught.value).startswith(f"--{kind.value.replace('_', '-')}: ")


def test_no_message_shows_what_looks_like_a_key() -> None:
    with pytest.raises(Misused) as caught:
        one(Kind.RPM, "AIzaSyCanaryCanaryCanaryCanaryCanaryCanary")

    assert "Canary" not in str(caught.value)


@pytest.mark.parametrize("values", [["5", "6"], ["m=5", "M=6"], ["models/m=5", "m=off"]])
def test_a_limit_that_is_given_twice_is_refused(values: Sequence[str]) -> None:
    with pytest.raises(Misused, match="is given twice"):
        amounts([(Kind.RPM, values)])


def test_models_are_lists_with_commas() -> None:
    assert models_of(["a, models/b", "c*,a"]) == ("a", "b", "c*")
    assert models_of(["*"]) == ("*",)
    assert models_of(["off"]) == ()


@pytest.mark.parametrize("value", ["", "a,,b", "a*b", "a b", "off,a=", "**", "x" * 201])
def test_wrong_models_are_refused(value: str) -> None:
    with pytest.raises(Misused, match="is not the name of a model"):
        models_of([value])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 30, 23, tzinfo=UTC)),
        ("2027-07-31T18:00", datetime(2027, 7, 31, 16, tzinfo=UTC)),
        ("2027-01-31T18:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31 18:00:00.250+02:00", datetime(2027, 1, 31, 16, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_date_begins_in_the_zone_of_the_settings(text: str, moment: datetime) -> None:
    assert expiry(text, BERLIN) == moment.timestamp()
    assert expiry("off", BERLIN) is None


@pytest.mark.parametrize(
    "text", ["", "soon", "31.1.2027", "2027-02-30", "0001-01-01", "9999-01-01"]
)
def test_a_wrong_date_is_refused(text: str) -> None:
    with pytest.raises(Misused, match="is neither a date"):
        expiry(text, BERLIN)
