"""Another strategy, other limits and weights while the pool is at work."""

import collections

import pytest

from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.pool import Nobody, Outcome, Pick, Pool, Wish
from gemproxy.pool.state import Spent

NOW = 1_783_713_600.0
OK = Outcome(200)


def pool_of(strategy: str = "least_used", limits: Limits | None = None, workers: int = 1) -> Pool:
    projects = [Project(name, (Key(f"key of {name}", name),)) for name in "AB"]
    return Pool(projects, strategy, {"m": limits} if limits else {}, workers)


def picked(pool: Pool, now: float = NOW, **wish: object) -> Pick:
    answer = pool.pick(Wish("m", **wish), now)  # type: ignore[arg-type]  # the names are Wish's
    assert isinstance(answer, Pick)
    return answer


def serve(pool: Pool, count: int, **wish: object) -> str:
    """Make attempts that succeed, and return their projects."""
    names = ""
    for _ in range(count):
        pick = picked(pool, NOW, **wish)
        pool.over(pick, OK, NOW)
        names += pick.key.project
    return names


def spent(pool: Pool) -> dict[str, int]:
    """Return what goes to the store of the day's requests."""
    return {change.project: change.requests for change in pool.changes() if type(change) is Spent}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_of_the_day_counts_what_was_served_before_it(workers: int) -> None:
    pool = pool_of(workers=workers)
    serve(pool, 4)

    pool.adopt("least_used", {"m": Limits(rpd=2 * workers)}, {})

    answer = pool.pick(Wish("m"), NOW)
    assert isinstance(answer, Nobody)
    assert answer.until == day_of(NOW).end
    pool.adopt("least_used", {"m": Limits(rpd=3 * workers)}, {})
    assert serve(pool, 2) in {"AB", "BA"}


def test_a_higher_limit_of_the_minute_acts_at_once_and_keeps_the_window() -> None:
    pool = pool_of(limits=Limits(rpm=1))
    serve(pool, 2)
    assert isinstance(pool.pick(Wish("m"), NOW), Nobody)

    pool.adopt("least_used", {"m": Limits(rpm=2)}, {})

    serve(pool, 2)
    assert isinstance(pool.pick(Wish("m"), NOW), Nobody)


def test_a_window_outlives_a_time_without_a_limit() -> None:
    pool = pool_of(limits=Limits(rpm=2))
    serve(pool, 2)
    pool.adopt("least_used", {}, {})
    serve(pool, 10)

    pool.adopt("least_used", {"m": Limits(rpm=6)}, {})

    assert isinstance(pool.pick(Wish("m"), NOW), Nobody)
    picked(pool, NOW + 61)


def test_a_first_limit_of_the_minute_counts_from_the_change_on() -> None:
    pool = pool_of()
    flying = picked(pool)

    pool.adopt("least_used", {"m": Limits(rpm=1)}, {})

    pool.over(flying, OK, NOW)
    serve(pool, 2)
    assert isinstance(pool.pick(Wish("m"), NOW), Nobody)


def test_another_strategy_acts_on_the_next_pick() -> None:
    pool = pool_of()
    serve(pool, 3, project="A")
    assert serve(pool, 3) == "BBB"
    serve(pool, 4, project="A")

    pool.adopt("round_robin", {}, {})
    assert serve(pool, 4) in {"ABAB", "BABA"}
    pool.adopt("weighted", {}, {"A": 3.0})

    assert collections.Counter(serve(pool, 40)) == {"A": 30, "B": 10}
    assert {project.name: project.weight for project in pool.projects} == {"A": 3.0, "B": 1.0}


def test_a_weight_goes_back_to_one() -> None:
    pool = pool_of("weighted")
    pool.adopt("weighted", {}, {"A": 3.0})
    pool.adopt("weighted", {}, {})

    assert collections.Counter(serve(pool, 40)) == {"A": 20, "B": 20}


@pytest.mark.parametrize("before", [{}, {"m": Limits(rpd=9)}])
@pytest.mark.parametrize("after", [{}, {"m": Limits(rpd=9)}])
def test_a_request_that_runs_meanwhile_is_counted_once(
    before: dict[str, Limits], after: dict[str, Limits]
) -> None:
    pool = pool_of()
    pool.adopt("least_used", before, {})
    pick = picked(pool, project="A")
    pool.answered(pick, NOW)

    pool.adopt("least_used", after, {})
    pool.over(pick, OK, NOW)

    assert spent(pool) == {"A": 1}


def test_what_changes_nothing_leaves_the_order() -> None:
    pool = pool_of("round_robin")
    assert serve(pool, 1) == "A"

    pool.adopt("round_robin", {}, {})

    assert serve(pool, 2) == "BA"


def test_models_without_limits_stay_few() -> None:
    pool = pool_of()
    pool.adopt("least_used", {f"m{number}": Limits(rpd=9) for number in range(300)}, {})
    for number in range(300):
        pool.pick(Wish(f"m{number}"), NOW)

    pool.adopt("least_used", {}, {})

    rosters = pool._rosters
    assert (len(rosters._kept), len(rosters._lately)) == (0, 128)
