"""What the operator sees of a key."""

from gemproxy.pool.key import Key
from gemproxy.pool.standing import Standing, standing_of
from gemproxy.pool.state import Rest, Result, Sickness, Use, Why

KEY = Key("AIza-of-a-test", "P", "GEMINI_API_KEY")
REST = Rest("P", "m", 9.0, Why.MINUTE, 1.0)


def test_a_key_is_shown_by_its_fingerprint() -> None:
    standing = standing_of(KEY, None, (REST,))

    assert standing == Standing(KEY.name, "P", "GEMINI_API_KEY", None, None, (REST,))
    assert "AIza" not in repr(standing)


def test_a_sick_key_is_shown_with_its_check() -> None:
    standing = standing_of(KEY, Sickness(KEY.name, Why.LEAKED, 1.0, 61.0, 1), ())

    assert (standing.why, standing.again_at) == (Why.LEAKED, 61.0)


def test_a_key_that_is_well_again_is_well() -> None:
    assert standing_of(KEY, Sickness(KEY.name, None, 1.0, times=2), ()).state == "well"


def test_a_disabled_key_is_so_whether_or_not_it_is_sick() -> None:
    sick, used = Sickness(KEY.name, Why.LEAKED, 1.0, 61.0, 1), Use(KEY.name, Result.OK, 1.0)
    standing = standing_of(KEY, sick, (), enabled=False, used=used)

    assert (standing.state, standing.why, standing.used) == ("disabled", Why.LEAKED, used)
    assert standing_of(KEY, sick, ()).state == "sick"
