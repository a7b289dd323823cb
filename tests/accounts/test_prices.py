"""The price table: its names, its days, and what is wrong with a bad one."""

from datetime import UTC, datetime

import pytest

from gemproxy.accounts.prices import BadPrices, Rates, parse_prices

HEAD = """\
[[models]]
name = "gemini-x"
also = ["gemini-x-0##", "gemini-x-preview-##-####", "gemini-x-latest"]

[[models.prices]]
source = "invented"
checked = 2026-11-28
"""
PRICED = HEAD + "input = 1.25\noutput = 10\n"


def at(year: int, month: int, day: int, hour: int = 0) -> float:
    return datetime(year, month, day, hour, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "name",
    [
        "gemini-x",
        "models/gemini-x",
        "gemini-x-001",
        "gemini-x-preview-09-2025",
        "models/gemini-x-latest",
    ],
)
def test_a_name_is_found_as_the_table_writes_it(name: str) -> None:
    found = parse_prices(PRICED).of(name, 0.0)

    assert found is not None
    assert found.rates.input == 1_250_000_000


@pytest.mark.parametrize(
    "name",
    [
        *("gemini-x-1001", "gemini-x-01", "gemini-x-00a", "gemini-x-lite", "gemini-x-0011"),
        *("gemini", "", "GEMINI-X", "models/models/gemini-x", "gemini-x-preview-9-2025"),
        *("gemini-x-00\u0661", "gemini-x-0##", "gemini-x\n", "tunedModels/gemini-x"),
    ],
)
def test_no_name_is_taken_for_another(name: str) -> None:
    assert parse_prices(PRICED).of(name, 0.0) is None


def test_an_empty_table_knows_no_price() -> None:
    assert parse_prices("").of("gemini-x", 0.0) is None


def test_a_name_goes_before_a_pattern() -> None:
    own = PRICED.replace('"gemini-x"', '"gemini-x-001"').replace('"gemini-x-0##", ', "")
    own = own.replace('"gemini-x-preview-##-####", "gemini-x-latest"', "").replace("1.25", "7")
    found = parse_prices(PRICED + own).of("gemini-x-001", 0.0)

    assert found is not None
    assert found.rates.input == 7_000_000_000


def test_the_list_of_the_day_counts() -> None:
    later = PRICED.partition("[[models.prices]]")[2].replace("1.25", "2.5")
    table = parse_prices(f"{PRICED}\n[[models.prices]]\nfrom = 2027-01-01{later}")

    def input_at(when: float) -> int | None:
        found = table.of("gemini-x", when)
        return found.rates.input if found else None

    assert input_at(at(2026, 12, 31, 23)) == 1_250_000_000
    assert input_at(at(2027, 1, 1)) == 2_500_000_000
    assert input_at(at(2030, 1, 1)) == 2_500_000_000


def test_before_its_first_day_a_model_has_no_price() -> None:
    table = parse_prices(PRICED.replace("source", "from = 2026-06-01\nsource"))

    assert table.of("gemini-x", at(2026, 5, 31, 23)) is None
    assert table.of("gemini-x", at(2026, 6, 1)) is not None


def test_a_part_has_the_price_of_its_whole_unless_it_has_its_own() -> None:
    found = parse_prices(HEAD + "input = 1\ninput_audio = 3\ncached = 0.1\noutput = 2\n")
    listed = found.of("gemini-x", 0.0)

    assert listed is not None
    assert listed.rates == Rates(
        input=10**9,
        input_audio=3 * 10**9,
        input_image=10**9,
        input_video=10**9,
        cached=10**8,
        cached_audio=10**8,
        output=2 * 10**9,
        output_audio=2 * 10**9,
        output_image=2 * 10**9,
        output_video=2 * 10**9,
        thoughts=2 * 10**9,
    )


def test_without_a_cached_price_cached_tokens_cost_what_others_cost() -> None:
    listed = parse_prices(HEAD + "input = 1\ninput_audio = 3\n").of("gemini-x", 0.0)

    assert listed is not None
    assert listed.rates.cached == 10**9
    assert listed.rates.cached_audio == 3 * 10**9
    assert listed.rates.output is None


def test_a_long_prompt_keeps_the_prices_that_its_table_leaves_out() -> None:
    text = PRICED + "cached = 0.125\n\n[models.prices.long]\nabove = 200_000\ninput = 2.5\n"
    listed = parse_prices(text).of("gemini-x", 0.0)

    assert listed is not None
    assert listed.for_prompt(200_000).input == 1_250_000_000
    long = listed.for_prompt(200_001)
    assert (long.input, long.cached, long.output) == (25 * 10**8, 125 * 10**6, 10**10)
    assert long.input_audio == 25 * 10**8


def test_prices_are_exact_decimals() -> None:
    listed = parse_prices(HEAD + "input = 0.1\noutput = 0.000000001\n").of("gemini-x", 0.0)

    assert listed is not None
    assert (listed.rates.input, listed.rates.output) == (10**8, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models = 3", "models: must be an array of tables"),
        ("[[models]]\nname = ", "is not TOML: "),
        ("modles = []", "line 1: modles is unknown"),
        ('[[models]]\nname = "x"\n', "line 1: prices must be an array of tables"),
        (HEAD, "line 5: prices has no price"),
        (HEAD + 'input = "1"\n', "line 8: input must be a number, without quotes"),
        (HEAD + "input = true\n", "line 8: input must be a number, without quotes"),
        (HEAD + "input = -1\n", "line 8: input must be a number that is not negative"),
        (HEAD + "output = 1\ninput = inf\n", "line 9: input must be a number"),
        (HEAD + "input = nan\n", "line 8: input must be a number"),
        (HEAD + "input = 1e9\n", "line 8: input must be at most 1000000 dollars"),
        (HEAD + "input = 0.0000000001\n", "line 8: input has more than nine decimals"),
        (HEAD + "inptu = 1\n", "line 8: inptu is unknown; known are "),
        (HEAD + "input = 1\nbatch = 0\n", "line 9: batch must be a factor"),
        (HEAD + "input = 1\nlong = 2\n", "line 9: long must be a table"),
        (HEAD + "input = 1\n[models.prices.long]\ninput = 2\n", "above must be a number of tokens"),
        (PRICED.replace("2026-11-28", '"today"'), "line 7: checked must be a date"),
        (PRICED.replace("checked = 2026-11-28", ""), "line 5: checked must be a date"),
        (PRICED.replace("2026-11-28", "2026-11-28T00:00:00Z"), "line 7: checked must be a date"),
        (PRICED.replace('source = "invented"', ""), "line 5: source must say where"),
        (PRICED.replace('"gemini-x"', "7"), "line 2: name must be the name of a model"),
        (PRICED.replace('"gemini-x"', '"models/x"'), "line 2: name must not begin with models/"),
        (PRICED.replace('"gemini-x-latest"', '"a b"'), "line 3: also must be the name of a model"),
        (PRICED + "\n" + PRICED, "line 12: name gemini-x has prices already"),
        (PRICED.replace("-latest", "-0##"), "line 3: also gemini-x-0## has prices already"),
        (
            PRICED + "\n[[models.prices]]" + PRICED.partition("[[models.prices]]")[2],
            "line 11: from must be a later day",
        ),
    ],
)
def test_a_bad_table_is_refused_with_line_and_field(text: str, said: str) -> None:
    with pytest.raises(BadPrices) as refused:
        parse_prices(text)

    assert said in str(refused.value)
