"""Times on the command line."""

from zoneinfo import ZoneInfo

import pytest

from gemproxy.accounts.calendar import Calendar
from gemproxy.config.arguments import Misused
from gemproxy.ledger.pieces import Span
from gemproxy.usage.times import span_of

BERLIN = Calendar(ZoneInfo("Europe/Berlin"))
MIDNIGHT = 1_795_820_400_000  # 2026-11-28T00:00+01:00


@pytest.mark.parametrize(
    ("words", "after"),
    [
        ("2026-11-28", 0),
        ("20261128", 0),
        ("2026-11-28T00:00", 0),
        ("2026-11-28 09:30", 9.5 * 3_600_000),
        ("2026-11-28T00:00:00Z", 3_600_000),
        ("2026-11-27T18:00:00-05:00", 0),
        ("2026-11-28T00:00:00.250", 250),
        ("2026-11-28T00:00:00.000001", 1),
    ],
)
def test_a_time_is_of_the_zone_unless_it_has_an_offset(words: str, after: float) -> None:
    assert span_of(words, None, BERLIN).start == MIDNIGHT + after
    assert span_of(None, words, BERLIN).end == MIDNIGHT + after


def test_no_times_are_all_times() -> None:
    assert span_of(None, None, BERLIN) == Span()


def test_a_day_on_which_the_clocks_change_has_its_own_length() -> None:
    span = span_of("2026-10-25", "2026-10-26", BERLIN)

    assert span.end - span.start == 25 * 3_600_000


def test_a_midnight_that_the_clocks_skip_is_the_change() -> None:
    havana = Calendar(ZoneInfo("America/Havana"))
    day = havana.day(span_of("2026-03-08", None, havana).start / 1000)

    assert day.name == "2026-03-08"
    assert span_of("2026-03-08", None, havana).start == day.start * 1000


@pytest.mark.parametrize("words", ["", "yesterday", "2026-13-01", "2026-11-28T25:00", "1", "é"])
@pytest.mark.parametrize("flag", ["--since", "--until"])
def test_other_words_are_refused(words: str, flag: str) -> None:
    times = (words, None) if flag == "--since" else (None, words)

    with pytest.raises(Misused, match=f"^{flag} is no time: give a date"):
        span_of(times[0], times[1], BERLIN)


def test_a_beginning_behind_the_end_is_refused() -> None:
    assert span_of("2026-11-28", "2026-11-28", BERLIN) == Span(MIDNIGHT, MIDNIGHT)
    with pytest.raises(Misused, match="--since is later than --until"):
        span_of("2026-11-29", "2026-11-28", BERLIN)


def test_times_before_the_clock_begins_are_its_beginning() -> None:
    assert span_of("0001-01-01", "9999-12-31", Calendar()).start == 0
