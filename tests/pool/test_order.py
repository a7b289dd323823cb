"""The order of seats."""

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.pool.key import Key, Project
from gemproxy.pool.order import Order
from gemproxy.pool.place import Place
from gemproxy.pool.seat import Seat


def seat(name: str, score: float = 0.0) -> Seat:
    return Seat(name, Place.of(Project(name, (Key(name, name),)), ()), None, score)


def popped(order: Order) -> list[str]:
    names = []
    while (first := order.pop()) is not None:
        names.append(first.name)
    return names


def test_the_lowest_score_comes_first_and_of_equal_ones_the_earlier() -> None:
    order = Order()
    for name, score in (("a", 2.0), ("b", 1.0), ("c", 1.0), ("d", 0.5)):
        order.push(seat(name, score))

    assert popped(order) == ["d", "b", "c", "a"]
    assert order.first() is None


def test_a_seat_that_moves_is_there_once() -> None:
    order = Order()
    moving = seat("a")
    order.push(moving)
    order.push(seat("b", 1.0))
    moving.score = 2.0
    order.push(moving)

    assert [here.name for here in order] == ["b", "a"]
    assert popped(order) == ["b", "a"]


def test_seats_that_were_popped_go_back_to_the_front() -> None:
    order = Order()
    order.fill(seat(name) for name in "abc")
    passed = [here for here in (order.pop(), order.pop()) if here is not None]

    order.push_back(passed)

    assert popped(order) == ["a", "b", "c"]


moves = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=300)


@given(moves)
def test_old_entries_change_nothing_and_do_not_pile_up(moves: list[tuple[int, int]]) -> None:
    order, seats = Order(), [seat(name) for name in "abcde"]
    turns: dict[str, int] = {}
    for turn, (number, score) in enumerate(moves):
        seats[number].score = float(score)
        order.push(seats[number])
        order.clean(len(seats))
        turns[seats[number].name] = turn
        assert order._entries <= 4 * len(seats) + 64

    listed = [here for here in seats if here.entry]
    listed.sort(key=lambda here: (here.score, turns[here.name]))
    assert popped(order) == [here.name for here in listed]
