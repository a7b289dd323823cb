"""Changes that have not gone out."""

from gemproxy.pool.journal import Journal
from gemproxy.pool.state import Home, Rest, Result, Sickness, Spent, Use, Why


def test_of_changes_about_the_same_thing_the_last_one_goes_out() -> None:
    journal = Journal()
    rest, later = (Rest("P", "m", 9.0, Why.MINUTE, at) for at in (1.0, 2.0))
    other = Rest("P", "n", 9.0, Why.MINUTE, 1.0)
    sick, well = Sickness("k", Why.INVALID, 1.0), Sickness("k", None, 2.0)
    home = Home(b"x", "P", 1.0)
    used, again = (Use("k", Result.OK, at) for at in (1.0, 2.0))

    for change in (rest, other, sick, home, used, later, well, again):
        journal.note(change)

    assert journal.take() == [later, other, well, home, again]
    assert journal.take() == []


def test_requests_are_summed() -> None:
    journal = Journal()
    for _ in range(3):
        journal.spent("P", "m", "2026-11-28")

    assert journal.unsent("P", "m", "2026-11-28") == 3
    assert journal.take() == [Spent("P", "m", "2026-11-28", 3)]
    assert journal.unsent("P", "m", "2026-11-28") == 0
