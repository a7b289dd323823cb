"""The book of rests."""

import math

import attrs
import pytest

from gemproxy.pool.quota import Quota
from gemproxy.pool.rests import BARE_MOST, BETWEEN_PROBES, Rests, Try
from gemproxy.pool.state import Rest, Why

NOW = 1_783_713_600.0  # 2026-07-10 20:00:00 UTC
MIDNIGHT = NOW + 39_600
BARE, DAY, ABSENT = Quota(Why.BARE), Quota(Why.DAY), Quota(Why.ABSENT)


def refused(rests: Rests, quota: Quota, now: float, at: float | None = None) -> Rest | None:
    return rests.refused(Try("P", "m", now if at is None else at), quota, now)


def rest(rests: Rests) -> Rest:
    known = rests.get("P", "m")
    assert known is not None
    return known


def test_the_longer_rest_counts() -> None:
    rests = Rests()
    refused(rests, Quota(Why.MINUTE, 50.0), NOW)

    assert refused(rests, Quota(Why.MINUTE, 20.0), NOW) is None
    assert rest(rests).until == NOW + 50
    assert refused(rests, DAY, NOW) == Rest("P", "m", MIDNIGHT, Why.DAY, NOW)
    assert refused(rests, Quota(Why.MINUTE, 50.0), NOW) is None


def test_a_model_that_a_project_does_not_have_rests_for_ever() -> None:
    rests = Rests()
    refused(rests, ABSENT, NOW)

    assert rest(rests).until == math.inf


def test_bare_refusals_in_a_row_rest_longer_and_longer_up_to_a_bound() -> None:
    rests = Rests()
    now, pauses = NOW, []
    for _ in range(30):
        refused(rests, BARE, now)
        pauses.append(rest(rests).until - now)
        now = rest(rests).until + 1

    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0]
    assert pauses[-1] == BARE_MOST


def test_bare_refusals_of_attempts_that_were_under_way_count_as_one() -> None:
    rests = Rests()
    refused(rests, BARE, NOW + 1, at=NOW)

    assert refused(rests, BARE, NOW + 2, at=NOW) is None
    assert refused(rests, BARE, NOW + 3, at=NOW + 0.5) is None
    assert rest(rests).until == NOW + 6


def test_a_success_ends_the_row() -> None:
    rests = Rests()
    refused(rests, BARE, NOW)

    ended = rests.served(Try("P", "m", NOW + 5), NOW + 7)

    assert ended == Rest("P", "m", NOW + 7, Why.BARE, NOW + 7)
    refused(rests, BARE, NOW + 10)
    assert rest(rests).until == NOW + 15


def test_a_success_of_an_attempt_from_before_the_rest_ends_nothing() -> None:
    rests = Rests()
    refused(rests, DAY, NOW)

    assert rests.served(Try("P", "m", NOW - 1), NOW + 1) is None
    assert rest(rests).until == MIDNIGHT


def test_a_success_after_a_rest_of_a_minute_is_no_news() -> None:
    rests = Rests()
    refused(rests, Quota(Why.MINUTE, 20.0), NOW)

    assert rests.served(Try("P", "m", NOW + 20), NOW + 21) is None
    assert rests.get("P", "m") is None


@pytest.mark.parametrize("quota", [DAY, ABSENT])
def test_a_long_rest_may_be_tried_once_an_hour(quota: Quota) -> None:
    rests = Rests()
    refused(rests, quota, NOW)

    assert rests.probes("m", NOW + BETWEEN_PROBES - 1) == []
    assert rests.probes("m", NOW + BETWEEN_PROBES) == ["P"]
    probed = rests.probed("P", "m", NOW + BETWEEN_PROBES)
    assert probed == attrs.evolve(probed, at=NOW + BETWEEN_PROBES, probed=NOW + BETWEEN_PROBES)
    assert rests.probes("m", NOW + 2 * BETWEEN_PROBES - 1) == []
    assert rests.probes("m", NOW + 2 * BETWEEN_PROBES) == ["P"]


def test_a_short_rest_is_not_tried() -> None:
    rests = Rests()
    refused(rests, Quota(Why.MINUTE, 80_000.0), NOW)

    assert rests.probes("m", NOW + 7200) == []


def test_a_probe_that_is_served_ends_the_rest() -> None:
    rests = Rests()
    refused(rests, DAY, NOW)
    rests.probed("P", "m", NOW + 3600)

    ended = rests.served(Try("P", "m", NOW + 3600, probe=True), NOW + 3602)

    assert ended == Rest("P", "m", NOW + 3602, Why.DAY, NOW + 3602)
    assert rests.get("P", "m") is None


def test_what_a_probe_learns_counts_even_if_it_is_shorter() -> None:
    rests = Rests()
    refused(rests, ABSENT, NOW)
    rests.probed("P", "m", NOW + 3600)

    learnt = rests.refused(Try("P", "m", NOW + 3600, probe=True), DAY, NOW + 3601)

    assert learnt == Rest("P", "m", MIDNIGHT, Why.DAY, NOW + 3601, probed=NOW + 3601)


def test_the_later_of_two_changes_counts() -> None:
    rests = Rests()
    refused(rests, DAY, NOW)

    assert not rests.put(Rest("P", "m", NOW - 1, Why.DAY, NOW - 1))
    assert not rests.put(Rest("P", "m", NOW + 50, Why.MINUTE, NOW))
    assert rest(rests).until == MIDNIGHT
    assert rests.put(Rest("P", "m", NOW + 1, Why.DAY, NOW + 1))
    assert rests.get("P", "m") is None


def test_a_process_that_did_not_know_cuts_no_rest_short() -> None:
    rests = Rests()
    refused(rests, DAY, NOW)
    short = Rest("P", "m", NOW + 60, Why.MINUTE, NOW + 1)

    assert not rests.put(short)
    assert rest(rests).until == MIDNIGHT
    assert rests.put(attrs.evolve(short, probed=NOW + 1))
    assert rest(rests).until == NOW + 60


def test_a_probe_of_another_process_is_known() -> None:
    rests = Rests()
    refused(rests, DAY, NOW)
    rests.put(attrs.evolve(rest(rests), at=NOW + 3600, probed=NOW + 3600))

    assert rests.probes("m", NOW + 3700) == []


def test_rests_that_are_over_are_forgotten_where_there_are_many() -> None:
    rests = Rests()
    for number in range(300):
        rests.put(Rest("P", f"m{number}", NOW + number, Why.MINUTE, NOW))

    rests.sweep(NOW + 298)

    assert [known.model for known in rests.all_of("P")] == ["m299"]
