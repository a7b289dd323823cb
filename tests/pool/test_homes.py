"""Homes: where a conversation stays, and where a caller creates."""

import collections

import pytest

from gemproxy.pool import homes as homes_module
from gemproxy.pool.homes import REFRESHED, Homes
from gemproxy.pool.state import Home

NOW = 1_783_713_600.0
EVEN = {f"P{number}": 1.0 for number in range(10)}
CALLERS = [f"caller {number}" for number in range(5_000)]


def homes(weights: dict[str, float]) -> Homes:
    made = Homes()
    made.replace(weights)
    return made


def test_a_conversation_has_the_home_of_its_longest_opening() -> None:
    here = homes(EVEN)
    here.settle(b"first", "P1", NOW)

    assert here.of_conversation((b"first", b"answer")) == ["P1"]
    here.settle(b"answer", "P2", NOW)
    assert here.of_conversation((b"first", b"answer")) == ["P2"]
    assert here.of_conversation((b"first", b"other")) == ["P1"]


def test_a_home_is_news_when_it_changes_and_once_an_hour() -> None:
    here = homes(EVEN)

    assert here.settle(b"x", "P1", NOW) == Home(b"x", "P1", NOW)
    assert here.settle(b"x", "P1", NOW + REFRESHED - 1) is None
    assert here.settle(b"x", "P2", NOW + 5) == Home(b"x", "P2", NOW + 5)
    assert here.settle(b"x", "P2", NOW + 5 + REFRESHED) is not None


def test_of_two_homes_the_later_one_counts() -> None:
    here = homes(EVEN)
    here.settle(b"x", "P1", NOW)
    here.put(Home(b"x", "P2", NOW - 1))
    assert here.of_conversation((b"x",)) == ["P1"]

    here.put(Home(b"x", "P2", NOW + 1))
    assert here.of_conversation((b"x",)) == ["P2"]


def test_the_conversation_that_was_silent_for_longest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(homes_module, "MOST", 2)
    here = homes({"other": 1.0})
    for name in (b"a", b"b", b"a", b"c"):
        here.settle(name, "P", NOW)

    assert here.of_conversation((b"a",)) == here.of_conversation((b"c",)) == ["P"]
    assert here.of_conversation((b"b",)) == ["other"]


def test_all_processes_agree_on_what_is_not_remembered() -> None:
    backwards = dict(reversed(EVEN.items()))

    for caller in CALLERS[:50]:
        assert homes(EVEN).of_caller(caller) == homes(backwards).of_caller(caller)


def test_a_project_that_comes_or_goes_moves_only_its_own_homes() -> None:
    before, after = homes(EVEN), homes({**EVEN, "new": 1.0})

    moved = {c for c in CALLERS if before.of_caller(c)[0] != after.of_caller(c)[0]}

    assert moved == {c for c in CALLERS if after.of_caller(c)[0] == "new"}
    assert len(moved) == pytest.approx(len(CALLERS) / 11, rel=0.2)


def test_where_a_home_cannot_serve_the_next_one_is_the_one_without_it() -> None:
    here = homes(EVEN)
    for caller in CALLERS[:50]:
        best, second, *_ = here.of_caller(caller)
        rest = homes({name: 1.0 for name in EVEN if name != best})
        assert rest.of_caller(caller)[0] == second


def test_homes_are_spread_by_weight() -> None:
    here = homes({"light": 1.0, "heavy": 3.0})

    shares = collections.Counter(here.of_caller(caller)[0] for caller in CALLERS)

    assert shares["heavy"] / len(CALLERS) == pytest.approx(0.75, abs=0.03)


def test_without_projects_there_is_no_home() -> None:
    assert homes({}).of_caller("ann") == []
