"""The pool as a whole: who serves, by the cases of the field."""

from itertools import pairwise
from typing import Any

import pytest
from yarl import URL

from gemproxy.pool.key import Key, Limits, Project, fingerprint
from gemproxy.pool.pool import Nobody, Outcome, Pick, Pool, Wish
from gemproxy.pool.state import Result, Sickness, Switch, Use, Why
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
    assert whys(pool) == [None] * 3


def whys(pool: Pool) -> list[Why | None]:
    """Return why each key is sick, by what the pool has learnt since the last call."""
    learnt = {one.key: one.why for one in pool.changes() if isinstance(one, Sickness)}
    return [learnt.get(key.name) for project in pool.projects for key in project.keys]


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
    assert whys(pool) == [Why.INVALID, None, None]


def test_where_all_keys_are_sick_no_wait_helps() -> None:
    pool = two_projects()
    for _ in range(3):
        refused(pool, NOW, INVALID)

    assert nobody(pool, NOW) == Nobody(None, sick=True)


LOCATION = error(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
BILLING = error(400, "FAILED_PRECONDITION", "x is not supported without a billing account linked.")
TOKEN = error(401, "UNAUTHENTICATED", "Invalid.", info("ACCESS_TOKEN_TYPE_UNSUPPORTED"))
NO_FILE = "You do not have permission to access the File x or it may not exist."

FAULTS: dict[str, tuple[dict[str, Any], set[str], list[Why | None]]] = {
    "invalid": (INVALID, {"K2", "K3"}, [Why.INVALID, None, None]),
    "location": (LOCATION, {"K1", "K2", "K3"}, [None] * 3),
    "billing": (BILLING, {"K3"}, [Why.BILLING, Why.BILLING, None]),
    "argument": (
        error(400, "INVALID_ARGUMENT", "contents is not specified"),
        {"K1", "K2", "K3"},
        [None] * 3,
    ),
    "token": (TOKEN, {"K2", "K3"}, [Why.INVALID, None, None]),
    "file": (error(403, "PERMISSION_DENIED", NO_FILE), {"K1", "K2", "K3"}, [None] * 3),
    "overload": (error(503, "UNAVAILABLE", "x"), {"K1", "K2", "K3"}, [None] * 3),
}
"""The answer to K1, who serves afterwards, and how the keys stand."""


@pytest.mark.parametrize("in_stream", [False, True])
@pytest.mark.parametrize("case", FAULTS)
def test_a_refusal_is_held_against_whose_fault_it_is(case: str, *, in_stream: bool) -> None:
    pool = two_projects()
    refusal, serving, learnt = FAULTS[case]

    served(pool, NOW, Outcome(200 if in_stream else refusal["code"], refusal))

    assert who(pool, NOW) == serving
    assert whys(pool) == learnt


@pytest.mark.parametrize("status", [None, 403, 429, 500])
def test_an_answer_that_is_not_the_apis_blames_nobody(status: int | None) -> None:
    pool = two_projects()

    served(pool, NOW, Outcome(status))

    assert who(pool, NOW) == {"K1", "K2", "K3"}


def test_a_refusal_of_what_a_client_named_is_not_held_against_the_key() -> None:
    pool = two_projects()
    forbidden = error(403, "PERMISSION_DENIED", "The caller does not have permission")

    refused(pool, NOW, forbidden, project="P1")

    assert who(pool, NOW) == {"K1", "K2", "K3"}


MIDNIGHTS = [
    (1783713600.0, 39_600),  # 2026-07-10 20:00:00 UTC
    (1796932800.0, 43_200),  # 2026-12-10 20:00:00
    (1793518200.0, 88_200),  # 2026-11-01 07:30:00, the day of 25 hours
    (1793516370.0, 30),  # 2026-11-01 06:59:30
    (1805014800.0, 79_200),  # 2027-03-14 09:00:00, the day of 23 hours
]


@pytest.mark.parametrize(("now", "seconds"), MIDNIGHTS)
def test_a_day_ends_at_midnight_in_california(now: float, seconds: float) -> None:
    pool = Pool([project("P1", "K1")])

    refused(pool, now, exhausted(violations(PER_DAY), retry("36s")))

    assert nobody(pool, now).until == now + seconds


def test_a_restart_forgets_neither_rests_nor_the_days_requests() -> None:
    limits = {OTHER: Limits(rpd=3)}
    before = Pool([project("P1", "K1"), project("P2", "K2"), project("P3", "K3")], limits=limits)
    refused(before, NOW, exhausted(violations(PER_DAY), retry("36s")))
    refused(before, NOW, exhausted(violations(PER_MINUTE), retry("40s")))
    for _ in range(2):
        served(before, NOW, model=OTHER, project="P1")

    pool = Pool(before.projects, limits=limits)
    pool.apply(before.changes(), NOW + 5)

    assert who(pool, NOW + 5) == {"K3"}
    assert who(pool, NOW + 39.9) == {"K3"}
    assert who(pool, NOW + 40) == who(pool, MIDNIGHT - 1) == {"K2", "K3"}
    assert who(pool, MIDNIGHT) == {"K1", "K2", "K3"}
    assert served(pool, NOW + 5, model=OTHER, project="P1") == "K1"
    assert nobody(pool, NOW + 5, model=OTHER, project="P1") == Nobody(MIDNIGHT)


def test_a_restart_forgets_no_sickness() -> None:
    before = two_projects()
    refused(before, NOW, BILLING)

    pool = two_projects()
    pool.apply(before.changes(), NOW + 5)

    assert who(pool, NOW + 5) == {"K3"}
    assert [key.secret for key in pool.due(NOW + 60)] == ["K1", "K2"]


def test_clearing_a_key_ends_its_sickness_and_its_projects_rests_once() -> None:
    pool, other = two_projects(), two_projects()
    refused(pool, NOW, INVALID)
    for model in (M, OTHER):
        refused(pool, NOW, QUOTAS["a day"][0], model=model, project="P1")
    other.apply(pool.changes(), NOW)
    assert who(other, NOW) == {"K3"}
    k1 = Key("K1", "P1").name

    assert pool.clear(k1, NOW + 1) == 3
    assert pool.clear(k1, NOW + 1) == pool.clear("unknown", NOW + 1) == 0
    other.apply(pool.changes(), NOW + 1)

    for cleared in (pool, other):
        assert who(cleared, NOW + 1) == who(cleared, NOW + 1, model=OTHER) == {"K1", "K2", "K3"}


def test_clearing_a_project_clears_all_its_keys() -> None:
    pool = two_projects()
    refused(pool, NOW, BILLING)

    assert pool.clear("P1", NOW + 1) == 2
    assert who(pool, NOW + 1) == {"K1", "K2", "K3"}


def test_a_rest_of_a_day_is_tried_once_an_hour_where_nobody_else_can_serve() -> None:
    pool = two_projects()
    day = QUOTAS["a day"][0]
    refused(pool, NOW, day)
    assert who(pool, NOW + 3600) == {"K3"}
    refused(pool, NOW + 3600, day)

    probe = picked(pool, NOW + 3601)
    assert (probe.key.project, probe.probe) == ("P1", True)
    assert nobody(pool, NOW + 3601) == Nobody(MIDNIGHT)
    pool.over(probe, Outcome(429, day), NOW + 3602)
    assert nobody(pool, NOW + 7199) == Nobody(MIDNIGHT)

    assert served(pool, NOW + 7200) == "K3"  # a probe as well, and it is served
    assert who(pool, NOW + 7202) == {"K3"}


def test_a_request_that_was_refused_already_tries_no_rest() -> None:
    pool = two_projects()
    for _ in range(2):
        refused(pool, NOW, QUOTAS["a day"][0])

    assert nobody(pool, NOW + 3600, tried={"another"}) == Nobody(MIDNIGHT)


def test_a_bound_attempt_may_try_its_own_project_only() -> None:
    pool = two_projects()
    refused(pool, NOW, QUOTAS["a day"][0])

    assert nobody(pool, NOW + 10, project="P1") == Nobody(MIDNIGHT)
    assert picked(pool, NOW + 3600, project="P1").probe


def test_a_project_that_nobody_knows_serves_nobody() -> None:
    assert nobody(two_projects(), NOW, project="P9") == Nobody(None, sick=True)


def test_sick_keys_are_checked_and_come_back() -> None:
    pool = two_projects()
    refused(pool, NOW, INVALID)
    k1 = Key("K1", "P1")
    assert pool.due(NOW + 59) == []
    assert pool.due(NOW + 60) == [k1]

    pool.checked(k1.name, Outcome(400, INVALID), NOW + 60)
    assert pool.due(NOW + 179) == []
    pool.checked(k1.name, Outcome(200), NOW + 180)

    assert who(pool, NOW + 180) == {"K1", "K2", "K3"}


CHECKS: dict[str, tuple[Outcome, bool]] = {
    "served": (Outcome(200), True),
    "out of quota": (Outcome(429, QUOTAS["a day"][0]), True),
    "no answer": (Outcome(), False),
    "overloaded": (Outcome(503, error(503, "UNAVAILABLE", "x")), False),
    "location": (Outcome(400, LOCATION), False),
    "invalid": (Outcome(400, INVALID), False),
}


@pytest.mark.parametrize("case", CHECKS)
def test_a_check_says_whether_a_key_is_well(case: str) -> None:
    pool = two_projects()
    refused(pool, NOW, INVALID)
    outcome, well = CHECKS[case]

    pool.checked(Key("K1", "P1").name, outcome, NOW + 60)

    assert ("K1" in who(pool, NOW + 60)) is well


def test_a_check_of_a_key_that_is_not_sick_changes_nothing() -> None:
    pool = two_projects()

    pool.checked(Key("K1", "P1").name, Outcome(400, INVALID), NOW)

    assert who(pool, NOW) == {"K1", "K2", "K3"}
    assert not [change for change in pool.changes() if isinstance(change, Sickness)]


def test_what_passes_checks_but_serves_nothing_is_checked_less_and_less_often() -> None:
    pool, now, pauses = Pool([project("P1", "K1")]), NOW, []
    for _ in range(4):
        refused(pool, now, BILLING)
        now = next(one.again_at for one in pool.changes() if isinstance(one, Sickness))
        pauses.append(now)
        pool.checked(Key("K1", "P1").name, Outcome(200), now)

    seconds = [later - earlier for earlier, later in pairwise([NOW, *filter(None, pauses)])]
    assert seconds == [60, 120, 240, 480]


def test_keys_come_and_go_while_the_pool_works() -> None:
    pool = two_projects()
    refused(pool, NOW, QUOTAS["a day"][0])
    under_way = picked(pool, NOW, model=OTHER, project="P2")

    pool.replace([project("P1", "K1", "K4"), project("P3", "K5")])
    pool.over(under_way, OK, NOW + 1)

    assert who(pool, NOW + 1) == {"K5"}
    assert who(pool, NOW + 1, model=OTHER) == {"K1", "K4", "K5"}


def test_a_project_that_comes_later_gets_its_share_and_no_burst() -> None:
    pool = Pool([project("P1", "K1")])
    for _ in range(50):
        served(pool, NOW)

    pool.replace([project("P1", "K1"), project("P2", "K2")])

    assert sorted(served(pool, NOW) for _ in range(6)) == ["K1"] * 3 + ["K2"] * 3


PROXY = URL("http://127.0.0.1:3128")


def test_another_way_out_is_tried_where_a_location_is_refused() -> None:
    behind = Project("P2", (Key("K2", "P2", proxy=PROXY),))
    pool = Pool([project("P1", "K1"), behind])

    assert served(pool, NOW, avoiding={None}) == "K2"
    assert nobody(pool, NOW, avoiding={None, PROXY}) == Nobody(None)
    assert nobody(pool, NOW, avoiding={None}, project="P1") == Nobody(None)


def many(count: int = 5, **others: Any) -> Pool:
    return Pool([project(f"P{n}", f"K{n}") for n in range(count)], **others)


def test_a_conversation_stays_on_its_project_for_twenty_turns_and_a_restart() -> None:
    pool = many()
    first = served(pool, NOW, opening=(b"first",))

    for turn in range(20):
        if turn == 10:
            changes = pool.changes()
            pool = many()
            pool.apply(changes, NOW)
        served(pool, NOW)  # others come in between
        assert served(pool, NOW, opening=(b"first", b"answer")) == first


def test_conversations_begin_where_the_strategy_says() -> None:
    pool = many()

    assert {served(pool, NOW, opening=(b"%d" % n,)) for n in range(5)} == {
        f"K{n}" for n in range(5)
    }


def test_a_conversation_whose_home_rests_moves_and_stays_there() -> None:
    pool = many()
    first = served(pool, NOW, opening=(b"a",))
    assert refused(pool, NOW, QUOTAS["tokens"][0], opening=(b"a", b"b")) == first

    second = served(pool, NOW, opening=(b"a", b"b"))

    assert second != first
    assert {served(pool, NOW + 60, opening=(b"a", b"b")) for _ in range(9)} == {second}


def test_unknown_conversations_go_where_every_process_sends_them() -> None:
    one, other = many(), many()
    openings = [(b"%d" % n, b"%d, answered" % n) for n in range(200)]

    homes = [served(one, NOW, opening=opening) for opening in openings]

    assert homes == [served(other, NOW, opening=opening) for opening in openings]
    assert set(homes) == {f"K{n}" for n in range(5)}


def test_creations_of_a_caller_go_to_one_project_while_it_is_well() -> None:
    pool = many()
    home = served(pool, NOW, caller="ann")
    assert {served(pool, NOW, caller="ann") for _ in range(9)} == {home}

    refused(pool, NOW, INVALID, caller="ann")

    assert len({served(pool, NOW, caller="ann") for _ in range(9)} - {home}) == 1


def test_a_probe_may_shorten_a_rest() -> None:
    pool = Pool([project("P1", "K1")])
    refused(pool, NOW, exhausted(violations(PER_MINUTE, value="0")))
    assert nobody(pool, NOW + 1) == Nobody(None, absent=True)
    other = Pool([project("P1", "K1")])
    other.apply(pool.changes(), NOW + 1)
    assert nobody(other, NOW + 1) == Nobody(None, absent=True)

    probe = picked(pool, NOW + 3600)
    assert nobody(pool, NOW + 3600) == Nobody(None, absent=True)
    pool.over(probe, Outcome(429, QUOTAS["tokens"][0]), NOW + 3600)
    other.apply(pool.changes(), NOW + 3601)

    for here in (pool, other):
        assert nobody(here, NOW + 3602) == Nobody(NOW + 3608.5)
        assert served(here, NOW + 3609) == "K1"


def test_a_rest_of_a_project_that_is_gone_is_not_tried() -> None:
    pool = two_projects()
    for _ in range(2):
        refused(pool, NOW, QUOTAS["a day"][0])

    pool.replace([project("P2", "K3")])

    assert picked(pool, NOW + 3600).key.project == "P2"
    assert nobody(pool, NOW + 3600) == Nobody(MIDNIGHT)


def test_changes_of_unsuccessful_requests_with_made_up_models_are_none() -> None:
    pool = two_projects()

    refused(pool, NOW, error(404, "NOT_FOUND", "models/x is not found"), model="made-up")

    changes = pool.changes()
    assert [change for change in changes if not isinstance(change, Use)] == []
    assert "made-up" not in repr(changes)


def test_no_key_is_shown() -> None:
    pool = two_projects()
    pick = picked(pool, NOW)

    shown = f"{pool!r}{pick!r}{pool.changes()!r}{Outcome(400, INVALID)!r}"
    assert "K1" not in shown
    assert "valid" not in shown


def test_a_key_is_available_as_long_as_it_could_serve_some_model() -> None:
    pool = two_projects()
    assert pool.available(NOW) == 3

    refused(pool, NOW, exhausted(violations(PER_DAY)))
    picked(pool, NOW)
    assert pool.available(NOW) == 1
    refused(pool, NOW, exhausted(violations(PER_DAY)))
    assert pool.available(NOW) == 0
    assert pool.available(MIDNIGHT) == 3
    picked(pool, NOW, model=OTHER)
    assert pool.available(NOW) == 3


def test_a_sick_key_is_not_available() -> None:
    pool = two_projects()
    refused(pool, NOW, INVALID)

    assert pool.available(NOW) == 2


def disable(pool: Pool, secret: str, *, at: float = NOW, enabled: bool = False) -> None:
    pool.apply([Switch(fingerprint(secret), enabled=enabled, at=at)], at)


def test_a_disabled_key_serves_nothing_new_and_comes_back() -> None:
    pool = two_projects()
    under_way = picked(pool, NOW, project="P2")
    disable(pool, "K3")
    assert who(pool, NOW) == {"K1", "K2"}
    assert nobody(pool, NOW, project="P2") == Nobody(None, disabled=True)
    assert pool.available(NOW) == 2

    pool.over(under_way, OK, NOW + 1)  # it goes on
    disable(pool, "K3", at=NOW + 2, enabled=True)
    assert who(pool, NOW + 2) == {"K1", "K2", "K3"}


def test_only_a_project_without_an_enabled_key_is_disabled() -> None:
    pool = two_projects()
    disable(pool, "K1")
    assert served(pool, NOW, project="P1") == "K2"

    refused(pool, NOW, INVALID, project="P1")
    assert nobody(pool, NOW, project="P1") == Nobody(None, sick=True)
    disable(pool, "K2")
    disable(pool, "K3")
    assert nobody(pool, NOW) == Nobody(None, disabled=True)


def test_a_disabled_key_stays_so_when_keys_change_and_is_not_checked() -> None:
    pool = two_projects()
    refused(pool, NOW, INVALID, project="P2")
    disable(pool, "K3")
    pool.replace([project("P2", "K3"), project("P1", "K1")])
    pool.clear("P2", NOW)
    refused_key = Key("K1", "P1")
    refused(pool, NOW, INVALID)
    disable(pool, "K1")

    assert nobody(pool, NOW, project="P2").disabled
    assert pool.due(NOW + 86_400) == []
    disable(pool, "K1", at=NOW + 1, enabled=True)
    assert pool.due(NOW + 86_400) == [refused_key]
    assert nobody(pool, NOW).sick


def test_the_last_result_of_a_key_is_known() -> None:
    pool = two_projects()
    assert [one.used for one in pool.standings(NOW)] == [None] * 3

    served(pool, NOW, project="P2")
    refused(pool, NOW + 1, QUOTAS["a day"][0], project="P1")
    pool.returned(picked(pool, NOW + 2, project="P1", model=OTHER), NOW + 2)
    served(pool, NOW + 3, Outcome(), project="P2")

    used = {one.used.key: one.used for one in pool.standings(NOW) if one.used is not None}
    k1, k3 = fingerprint("K1"), fingerprint("K3")
    assert used == {k1: Use(k1, Result.DAY, NOW + 1), k3: Use(k3, Result.NO_ANSWER, NOW + 3)}
    assert [one for one in pool.changes() if isinstance(one, Use)] == [used[k3], used[k1]]


def test_an_operators_check_may_find_a_well_key_sick() -> None:
    pool = two_projects()

    for outcome in (OK, Outcome(), Outcome(429, QUOTAS["a day"][0]), Outcome(400, LOCATION)):
        pool.asked(fingerprint("K1"), outcome, NOW)
    assert who(pool, NOW) == {"K1", "K2", "K3"}
    pool.asked(fingerprint("K1"), Outcome(400, INVALID), NOW)
    assert who(pool, NOW) == {"K2", "K3"}
    pool.asked(fingerprint("K1"), OK, NOW + 1)
    assert who(pool, NOW + 1) == {"K1", "K2", "K3"}
    pool.asked("00000000", Outcome(400, INVALID), NOW)
