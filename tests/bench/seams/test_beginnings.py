"""What real models said, kept as data."""

from bench.seams.beginnings import Beginning, load, report

TOLD = "The keeper had one rule: the lamp is never left alone, not for an hour"


def test_there_are_thirteen_and_what_is_right_ends_the_attempt() -> None:
    found = load()

    assert len(found) == len({beginning.name for beginning in found}) == 13
    assert all(found.attempt.endswith(found.right or "") for found in found)


def test_a_right_join_is_told_from_a_wrong_one() -> None:
    anchor = TOLD[-40:].lstrip()

    assert Beginning("", TOLD, f"{anchor} of rain", " of rain").is_right()
    assert not Beginning("", TOLD, f"{anchor} of rain", "rain").is_right()


def test_nothing_may_be_shown_where_nothing_new_came() -> None:
    assert Beginning("", TOLD, TOLD[-50:], None).is_right()
    assert not Beginning("", TOLD, " of rain", None).is_right()


def test_the_table_ends_with_a_count() -> None:
    assert report()[-1].endswith(" of 13")
