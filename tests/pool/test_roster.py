"""The roster of a model: the order of its projects, by each strategy, and known limits."""

import collections

import pytest

from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.pool import Nobody, Outcome, Pick, Pool, Wish
from gemproxy.pool.state import Spent
from tests.pool.refusals import PER_MINUTE, exhausted, retry, violations

NOW = 1_783_713_600.0  # 2026-07-10 20:00:00 UTC
MIDNIGHT = NOW + 39_600
DAY = day_of(NOW).name
OK = Outcome(200)


def pool_of(
    *weights: float, strategy: str = "least_used", limits: Limits | None = None, workers: int = 1
) -> Pool:
    """Return a pool of the projects A, B, C, with limits for the model m."""
    projects = [
        Project(name, (Key(f"key of {name}", name),), weight)
        for name, weight in zip("ABCDE", weights, strict=False)
    ]
    return Pool(projects, strategy, {"m": limits} if limits else {}, workers)


def picked(pool: Pool, now: float = NOW, **wish: object) -> Pick:
    answer = pool.pick(Wish("m", **wish), now)  # type: ignore[arg-type]  # the names are Wish's
    assert isinstance(answer, Pick)
    return answer


def served(pool: Pool, now: float = NOW, outcome: Outcome = OK) -> str:
    pick = picked(pool, now)
    pool.over(pick, outcome, now)
    return pick.key.project


def order(pool: Pool, count: int, now: float = NOW) -> str:
    return "".join(served(pool, now) for _ in range(count))


def until(pool: Pool, now: float = NOW, **wish: object) -> float | None:
    answer = pool.pick(Wish("m", **wish), now)  # type: ignore[arg-type]  # the names are Wish's
    assert isinstance(answer, Nobody)
    return answer.until


RESTING = Outcome(429, exhausted(violations(PER_MINUTE), retry("30s")))


@pytest.mark.parametrize("strategy", ["least_used", "round_robin", "weighted"])
def test_every_strategy_spreads_requests_evenly_over_equal_projects(strategy: str) -> None:
    assert order(pool_of(1, 1, 1, strategy=strategy), 9) == "ABC" * 3


def test_least_used_counts_requests_in_flight() -> None:
    pool = pool_of(1, 1)
    flying = [picked(pool) for _ in range(4)]

    assert [pick.key.project for pick in flying] == ["A", "B", "A", "B"]
    pool.over(flying[0], Outcome(), NOW)  # without an answer: it was no request
    pool.over(flying[2], Outcome(), NOW)
    assert order(pool, 4) == "AABA"


def test_least_used_knows_what_other_processes_have_used() -> None:
    pool = pool_of(1, 1)

    pool.apply([Spent("A", "m", DAY, 5), Spent("B", "m", DAY, 3)], NOW)
    assert order(pool, 4) == "BBAB"
    pool.apply([Spent("B", "m", DAY, 9)], NOW)
    assert order(pool, 3) == "AAA"
    pool.apply([Spent("B", "m", "2026-07-09", 99), Spent("Z", "m", DAY, 9)], NOW)
    assert collections.Counter(order(pool, 20)).most_common(1)[0][1] <= 11


def test_a_new_day_begins_with_what_is_in_flight() -> None:
    pool = pool_of(1, 1)
    pool.apply([Spent("A", "m", DAY, 5)], NOW)
    picked(pool)  # B, and it stays in flight

    assert order(pool, 3, MIDNIGHT) == "ABA"


def test_weighted_gives_each_its_share_smoothly() -> None:
    turns = order(pool_of(3, 1, strategy="weighted"), 400)

    assert turns.count("A") == 300
    assert {turns[at : at + 8].count("A") for at in range(392)} <= {5, 6, 7}


@pytest.mark.parametrize("strategy", ["least_used", "round_robin", "weighted"])
def test_a_project_that_comes_back_from_a_rest_gets_no_burst(strategy: str) -> None:
    pool = pool_of(1, 1, 1, strategy=strategy)
    assert served(pool, NOW, RESTING) == "A"
    order(pool, 40)

    assert order(pool, 9, NOW + 30).count("A") in (3, 4)


def test_where_all_have_rested_those_that_had_more_catch_up_with_nobody() -> None:
    pool = pool_of(1, 1)
    assert served(pool, NOW, RESTING) == "A"
    order(pool, 20)
    assert served(pool, NOW, RESTING) == "B"

    assert collections.Counter(order(pool, 10, NOW + 60)) == {"A": 5, "B": 5}


def test_an_upstream_sees_no_more_than_the_limit_in_a_minute() -> None:
    pool = pool_of(1, 1, limits=Limits(rpm=2))
    flying = [picked(pool) for _ in range(4)]
    assert until(pool, NOW + 10) == NOW + 70  # nothing was answered yet

    pool.answered(flying[1], NOW + 20)
    assert until(pool, NOW + 30) == NOW + 80
    pool.over(flying[1], OK, NOW + 50)
    assert until(pool, NOW + 79.9) == NOW + 80
    assert picked(pool, NOW + 80).key.project == "B"
    assert until(pool, NOW + 80) == NOW + 140


def test_tokens_are_limited_by_what_a_prompt_is_estimated_and_was() -> None:
    pool = pool_of(1, limits=Limits(tpm=100))
    pick = picked(pool, tokens=60)

    assert until(pool, tokens=60) == NOW + 60
    picked(pool, tokens=10)
    pool.over(pick, Outcome(200, tokens=20), NOW + 1)
    assert picked(pool, NOW + 1, tokens=70).tokens == 70


def test_a_request_goes_where_there_is_room_for_it() -> None:
    pool = pool_of(1, 1, limits=Limits(tpm=100))
    assert picked(pool, tokens=90).key.project == "A"
    assert picked(pool, tokens=20).key.project == "B"

    assert picked(pool, tokens=60).key.project == "B"
    assert picked(pool, tokens=10).key.project == "A"


def test_the_requests_of_a_day_are_limited_until_midnight() -> None:
    pool = pool_of(1, 1, limits=Limits(rpd=2))
    assert order(pool, 4) == "ABAB"

    assert until(pool) == MIDNIGHT
    assert order(pool, 4, MIDNIGHT) == "ABAB"


def test_a_request_without_an_answer_is_none_of_the_day() -> None:
    pool = pool_of(1, limits=Limits(rpd=1))
    pick = picked(pool)
    assert until(pool) == MIDNIGHT

    pool.over(pick, Outcome(), NOW)

    assert served(pool) == "A"


def test_a_request_over_midnight_counts_in_the_new_day() -> None:
    pool = pool_of(1, limits=Limits(rpd=1))
    pick = picked(pool, MIDNIGHT - 1)
    assert until(pool, MIDNIGHT) == MIDNIGHT + 86_400

    pool.over(pick, OK, MIDNIGHT + 1)

    spent = [change for change in pool.changes() if isinstance(change, Spent)]
    assert spent == [Spent("A", "m", day_of(MIDNIGHT).name, 1)]
    assert until(pool, MIDNIGHT + 2) == MIDNIGHT + 86_400


def test_workers_divide_the_limits_of_a_minute() -> None:
    pool = pool_of(1, limits=Limits(rpm=5, tpm=100), workers=2)

    picked(pool, tokens=20)
    assert until(pool, tokens=40) == NOW + 60
    picked(pool, tokens=20)
    assert until(pool, tokens=1) == NOW + 60


def test_every_worker_has_a_request_at_least() -> None:
    assert served(pool_of(1, limits=Limits(rpm=1, tpm=1, rpd=1), workers=4)) == "A"


def test_workers_divide_what_was_left_of_the_day_when_they_began() -> None:
    pool = pool_of(1, limits=Limits(rpd=10), workers=2)
    pool.apply([Spent("A", "m", DAY, 4)], NOW)

    assert order(pool, 3) == "AAA"
    assert until(pool) == MIDNIGHT


def test_a_worker_counts_what_the_others_have_used() -> None:
    pool = pool_of(1, limits=Limits(rpd=10), workers=2)
    pool.apply([], NOW)
    pool.apply([Spent("A", "m", DAY, 10)], NOW)

    assert until(pool) == MIDNIGHT


def test_a_roster_does_not_grow_with_time() -> None:
    pool = pool_of(1, 1, limits=Limits(rpm=1, rpd=1000))
    roster = pool._rosters.of("m", NOW)
    for minute in range(500):
        now = NOW + 60 * minute
        served(pool, now)
        served(pool, now)
        until(pool, now + 1)
        pool.clear("A", now)

    assert len(roster._sleepers) < 10
    assert len(list(roster._order)) <= 2
