"""The command line of usage."""

import pytest

from gemproxy.config.arguments import Misused
from gemproxy.ledger.naming import Only
from gemproxy.ledger.queries import By
from gemproxy.usage.options import LAST, LAST_FOR_PROGRAMS, Options, read_options


def test_nothing_is_the_total() -> None:
    assert read_options([]) == Options()


def test_all_options_of_sums() -> None:
    words = (
        "--by day,key --json --since 2026-01-01 --until=2026-02-01 --user ann --model m "
        "--project p --key abcd1234"
    )

    assert read_options(words.split()) == Options(
        by=[By.DAY, By.KEY],
        json=True,
        since="2026-01-01",
        until="2026-02-01",
        only=Only("ann", "m", "p", "abcd1234"),
        last=LAST_FOR_PROGRAMS,
    )


def test_requests_with_a_number_and_without() -> None:
    assert read_options(["requests", "--last", "7"]) == Options(requests=True, last=7)
    assert read_options(["requests"]).last == LAST
    assert read_options(["--json", "requests"]).last == LAST_FOR_PROGRAMS
    assert read_options(["requests", "--last=0"]).last == 0


def test_flags_of_settings_may_stand_anywhere() -> None:
    options = read_options(["--data_dir", "/x", "requests", "--ledger.database_url=y", "--json"])

    assert options.flags == ("--data_dir", "/x", "--ledger.database_url=y")
    assert options.requests


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--by week", "must be one of hour, day, month, model, user, project, key"),
        ("--by day,hour", "one of hour, day and month"),
        ("--by day,model,key", "one to 2 different groupings"),
        ("request", 'only "requests" is'),
        ("requests --by day", "--by groups sums"),
        ("--last 3", '--last is for the newest requests: "gemproxy usage requests --last N"'),
        ("requests --last -1", "must be a number"),
        ("requests --last x", "must be a number"),
        ("requests more", "an argument too many"),
    ],
)
def test_a_wrong_command_line_is_refused_in_words(words: str, why: str) -> None:
    with pytest.raises(Misused) as refused:
        read_options(words.split())

    assert why in str(refused.value)


def test_help_tells_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(["--help"])

    assert "hour|day|month|model|user|project|key" in capsys.readouterr().out
