"""The rosters of all models."""

from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.place import Place
from gemproxy.pool.rests import Rests
from gemproxy.pool.rosters import MOST, Rosters

NOW = 1_783_713_600.0
PLACES = [Place.of(Project(name, (Key(name, name),)), ()) for name in ("A", "B")]


def rosters(**limits: Limits) -> Rosters:
    made = Rosters("least_used", limits, 1, Rests())
    made.replace(PLACES)
    return made


def test_few_rosters_of_made_up_models_are_kept() -> None:
    all_of_them = rosters(limited=Limits(rpm=1))
    limited, lately = all_of_them.of("limited", NOW), all_of_them.of("lately", NOW)

    for number in range(MOST - 1):
        all_of_them.of(f"made up {number}", NOW)
        all_of_them.of("lately", NOW)
    all_of_them.of("one more", NOW)

    assert all_of_them.of("limited", NOW) is limited
    assert all_of_them.of("lately", NOW) is lately
    assert len(all_of_them._lately) == MOST


def test_other_projects_come_to_all_rosters() -> None:
    all_of_them = rosters(limited=Limits(rpm=1))
    known = [all_of_them.of(model, NOW) for model in ("limited", "other")]

    all_of_them.replace(PLACES[1:])

    assert [set(roster.seats) for roster in known] == [{"B"}, {"B"}]
    assert set(all_of_them.of("new", NOW).seats) == {"B"}


def test_a_project_is_woken_for_one_model_or_for_all() -> None:
    all_of_them = rosters()
    known = [all_of_them.of(model, NOW) for model in ("one", "other")]
    PLACES[0].leave("A")
    PLACES[0].leave(Key("A", "A").name)
    for roster in known:
        seat = roster.first(0, frozenset(), NOW)
        assert seat is not None
        assert seat.name == "B"
    PLACES[0].come_back(Key("A", "A").name)

    all_of_them.wake("A", "one")
    assert [bool(roster.seats["A"].entry) for roster in known] == [True, False]
    all_of_them.wake("A")
    assert [bool(roster.seats["A"].entry) for roster in known] == [True, True]
