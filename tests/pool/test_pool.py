"""The pool as a whole: who serves, by the cases of the field."""

from typing import Any

import pytest

from gemproxy.pool.key import Key, Project
from gemproxy.pool.pool import Nobody, Outcome, Pick, Pool, Wish
from gemproxy.pool.state import Why
from tests.pool.refusals import (
    PER_DAY,
    PER_MINUTE,
    TOKENS_PER_MINUTE,
    error,
    exhausted,
    info,
    retry,
    violations,
)

NOW = 1_783_713_600.0  # 2026-07-10 20:00:00 UTC
MIDNIGHT = NOW + 39_600
M, OTHER = "gemini-3.5-flash", "gemini-2.5-flash"
OK = Outcome(200)


def project(name: str, *secrets: str, weight: float = 1.0) -> Project:
    return Project(name, tuple(Key(secret, name) for secret in secrets), weight)


def two_projects() -> Pool:
    """Return K1 and K2 in P1, and K3 in P2."""
    return Pool([project("P1", "K1", "K2"), project("P2", "K3")])


def picked(pool: Pool, now: float, **wish: Any) -> Pick:
    answer = pool.pick(Wish(**{"model": M, **wish}), now)
    assert isinstance(answer, Pick)
    return answer


def nobody(pool: Pool, now: float, **wish: Any) -> Nobody:
    answer = pool.pick(Wish(**{"model": M, **wish}), now)
    assert isinstance(answer, Nobody)
    return answer


def served(pool: Pool, now: float, outcome: Outcome = OK, **wish: Any) -> str:
    """Make an attempt, and return the secret of its key."""
    pick = picked(pool, now, **wish)
    pool.over(pick, outcome, now)
    return pick.key.secret


def refused(pool: Pool, now: float, refusal: dict[str, Any], **wish: Any) -> str:
    return served(pool, now, Outcome(refusal["code"], refusal), **wish)


def who(pool: Pool, now: float, **wish: Any) -> set[str]:
    """Return the keys that serve several attempts."""
    return {served(pool, now, **wish) for _ in range(6)}


QUOTAS = {
    "a minute": (exhausted(violations(PER_MINUTE), retry("20.04s")), 20.04),
    "a day": (exhausted(violations(PER_DAY), retry("36s")), 39_600.0),
    "both": (exhausted(violations(PER_MINUTE, PER_DAY), retry("36s")), 39_600.0),
    "tokens": (exhausted(violations(TOKENS_PER_MINUTE), message="Please retry in 8.5s."), 8.5),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_a_quota_rests_the_project_for_the_model(case: str) -> None:
    pool = two_projects()
    refusal, seconds = QUOTAS[case]

    assert refused(pool, NOW, refusal) == "K1"

    assert who(pool, NOW) == who(pool, NOW + seconds - 0.01) == {"K3"}
    assert who(pool, NOW, model=OTHER) == {"K1", "K2", "K3"}
    assert who(pool, NOW + seconds) == {"K1", "K2", "K3"}
    assert [standing.why for standing in pool.standing(NOW)] == [None] * 3


def test_where_all_projects_rest_the_answer_says_until_when() -> None:
    pool = two_projects()
    refused(pool, NOW, QUOTAS["a day"][0])
    refused(pool, NOW + 1, QUOTAS["tokens"][0])

    assert nobody(pool, NOW + 2) == Nobody(NOW + 9.5)
    assert nobody(pool, NOW + 2, project="P1") == Nobody(MIDNIGHT)


def test_a_model_whose_limit_is_0_is_off_until_somebody_looks_again() -> None:
    pool = two_projects()
    zero = exhausted(violations(PER_MINUTE, PER_DAY, value="0"), message="Please retry in 14.19s.")

    assert refused(pool, NOW, zero) == "K1"

    assert who(pool, NOW + 3599) == who(pool, MIDNIGHT + 10) == {"K3"}
    assert who(pool, NOW, model=OTHER) == {"K1", "K2", "K3"}
    refused(pool, MIDNIGHT + 10, zero)
    later = nobody(pool, MIDNIGHT + 11, tried=frozenset({"x"}))
    assert later == Nobody(None, absent=True)


INVALID = error(400, "INVALID_ARGUMENT", "API key not valid.", info("API_KEY_INVALID"))


def test_a_sick_key_leaves_and_the_others_of_its_project_serve() -> None:
    pool = two_projects()

    assert refused(pool, NOW, INVALID) == "K1"

    assert who(pool, NOW) == {"K2", "K3"}
    assert [standing.why for standing in pool.standing(NOW)] == [Why.INVALID, None, None]


def test_where_all_keys_are_sick_no_wait_helps() -> None:
    pool = two_projects()
    for _ in range(3):
        refused(pool, NOW, INVALID)

    assert nobody(pool, NOW) == Nobody(None, sick=True)
