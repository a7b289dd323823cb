"""The keys of a project take turns."""

from yarl import URL

from gemproxy.pool.key import Key, Project
from gemproxy.pool.place import Place

PROXY = URL("http://127.0.0.1:3128")
KEYS = (Key("a", "P"), Key("b", "P"), Key("c", "P", proxy=PROXY))
A, B, C = (key.name for key in KEYS)


def place(*sick: str) -> Place:
    return Place.of(Project("P", KEYS), sick)


def taken(of: Place, count: int) -> list[str]:
    keys = (of.take() for _ in range(count))
    return [key.secret for key in keys if key is not None]


def test_well_keys_take_turns() -> None:
    assert taken(place(), 7) == list("abcabca")
    assert taken(place(B), 4) == list("acac")


def test_a_key_that_was_not_tried_comes_first() -> None:
    here = place()

    assert here.has_other({A})
    assert here.take({A, B}) == KEYS[2]
    assert here.take({A, B, C}) == KEYS[0]
    assert not here.has_other({A, B, C})


def test_keys_behind_a_proxy_to_avoid_do_not_serve() -> None:
    here = place()

    assert here.take(avoiding={None}) == KEYS[2]
    assert here.take(avoiding={PROXY}) == KEYS[0]
    assert here.take(avoiding={None, PROXY}) is None


def test_a_sick_key_leaves_and_comes_back() -> None:
    here = place()
    here.leave(A)
    assert taken(here, 3) == list("bcb")

    here.come_back(A)
    here.come_back(A)
    assert sorted(taken(here, 3)) == list("abc")


def test_a_project_without_well_keys_has_none() -> None:
    assert place(A, B, C).take() is None
