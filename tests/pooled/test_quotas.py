"""Quotas by minute and by day, of a model and of a project: who serves, and who rests how long."""

from datetime import UTC, datetime

import pytest

from gemproxy.chaos.refusals import (
    BARE_QUOTA,
    Refusal,
    absent,
    quota,
    requests_by_day,
    requests_by_minute,
    tokens_by_minute,
)
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.core.errors import details_of
from tests.pooled.conftest import Clock, StartHouse
from tests.pooled.house import K1, K2, K3, MODEL, OTHER, House, stream_of
from tests.wire import Answer, body_of

pytestmark = pytest.mark.production_loop

BY_MINUTE = quota(requests_by_minute(MODEL), delay=20.04)
BY_DAY = quota(requests_by_day(MODEL, 20), delay=36)
BOTH = quota(requests_by_minute(MODEL), requests_by_day(MODEL), delay=36)
TOKENS = quota(tokens_by_minute(MODEL), delay=8.5, retry_info=False)


def seconds(answer: Answer) -> float:
    """Return the wait in RetryInfo, which must agree with Retry-After."""
    (retry,) = details_of(answer.error, "RetryInfo")
    assert retry["retryDelay"] == f"{answer.headers['Retry-After']}s"
    return float(answer.headers["Retry-After"])


async def first_refused(house: House, refusal: Refusal) -> str:
    """Send requests until P1 has refused one; return the project that answered it."""
    house.cloud.refuse("P1", refusal, model=MODEL, times=1)
    for number in range(4):
        answer = await house.ask(f"Prompt {number}")
        assert answer.status == 200
        assert answer.text == BUILT_IN["story"].text
        refused = [one for one in house.came() if one.status]
        if refused:
            assert len(refused) == 1
            return house.came()[-1].project
    raise AssertionError("nothing came to P1")


@pytest.mark.parametrize(
    ("refusal", "serves_after"),
    [(BY_MINUTE, 21.0), (BY_DAY, None), (BOTH, None), (TOKENS, 9.0)],
    ids=["by minute", "by day", "both", "tokens"],
)
async def test_a_project_rests_as_long_as_its_quota_says(
    house: StartHouse, clock: Clock, refusal: Refusal, serves_after: float | None
) -> None:
    """C28: K2 shares the quota of K1, so K3 answers; other models go on."""
    started = await house()

    assert await first_refused(started, refusal) == "P2"
    before = len(started.came())
    for number in range(4):
        assert (await started.ask(f"Next {number}")).status == 200
    assert {one.project for one in started.came()[before:]} == {"P2"}

    for number in range(4):
        await started.ask(f"Other {number}", model=OTHER)
    assert {one.project for one in started.came(model=OTHER)} == {"P1", "P2"}

    clock.at += 60 if serves_after is None else serves_after
    for number in range(6):
        await started.ask(f"Later {number}")
    later = {one.project for one in started.came()[-6:]}
    assert later == ({"P2"} if serves_after is None else {"P1", "P2"})


async def test_where_all_rest_the_answer_is_429_without_a_call(
    house: StartHouse, clock: Clock
) -> None:
    started = await house()
    started.cloud.refuse("P1", BY_DAY, model=MODEL)
    started.cloud.refuse("P2", BY_MINUTE, model=MODEL)

    first = await started.ask()
    came = len(started.came())
    second = await started.ask("Again")
    clock.at += 5
    third = await started.ask("And again")

    assert [answer.status for answer in (first, second, third)] == [429] * 3
    assert [seconds(answer) for answer in (second, third)] == [21, 16]
    assert second.headers["x-should-retry"] == "false"
    assert len(started.came()) == came == 2
    assert (await started.ask(model=OTHER)).status == 200


async def test_a_model_outside_of_the_tier_is_not_asked_for_again(
    house: StartHouse, clock: Clock
) -> None:
    """C29: ``limit: 0`` is no wait."""
    started = await house()
    started.cloud.refuse("P1", absent(MODEL), model=MODEL)

    for hours in (0, 0.01, 0.9, 23, 30):
        clock.at += 3600 * hours
        for number in range(3):
            answer = await started.ask(f"Prompt {hours} {number}")
            assert (answer.status, answer.text) == (200, BUILT_IN["story"].text)
    assert len(started.came("P1", MODEL)) <= 2
    await started.ask(model=OTHER)
    await started.ask("Another", model=OTHER)
    assert "P1" in {one.project for one in started.came(model=OTHER)}


@pytest.mark.parametrize("values", [True, False])
async def test_where_no_tier_has_the_model_no_wait_is_advised(
    house: StartHouse, *, values: bool
) -> None:
    started = await house()
    started.cloud.refuse("*", absent(MODEL, values=values), model=MODEL)

    await started.ask()
    answer = await started.ask("Again")

    assert answer.status in (404, 429)
    assert "Retry-After" not in answer.headers
    assert MODEL in answer.error["message"]


async def test_a_quota_without_a_name_rests_longer_each_time(
    house: StartHouse, clock: Clock
) -> None:
    started = await house()
    started.cloud.refuse("*", BARE_QUOTA, model=MODEL)

    waits = []
    for number in range(4):
        answer = await started.ask(f"Prompt {number}")
        assert answer.status == 429
        waits.append(seconds(answer))
        clock.at += waits[-1]
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] > 0


@pytest.mark.parametrize(
    ("hit", "rest"),
    [
        ("2026-07-10 20:00:00", 39600),
        ("2026-12-10 20:00:00", 43200),
        ("2026-11-01 07:30:00", 88200),
        ("2026-11-01 06:59:30", 30),
        ("2027-03-14 09:00:00", 79200),
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", None])
async def test_a_day_ends_at_midnight_in_california(
    house: StartHouse,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    hit: str,
    rest: int,
    zone: str | None,
) -> None:
    """C31."""
    monkeypatch.delenv("TZ", raising=False)
    if zone is not None:
        monkeypatch.setenv("TZ", zone)
    clock.at = datetime.fromisoformat(hit).replace(tzinfo=UTC).timestamp()
    started = await house()
    started.cloud.refuse("*", BY_DAY, model=MODEL)
    await started.ask()
    answer = await started.ask("Again")

    assert answer.status == 429
    assert seconds(answer) == rest


async def test_the_keys_of_a_project_are_not_bad_after_a_quota(
    house: StartHouse, clock: Clock
) -> None:
    started = await house()
    started.cloud.refuse("P1", BY_MINUTE, model=MODEL, times=1)
    for number in range(3):
        await started.ask(f"Prompt {number}")
    clock.at += 30
    for number in range(8):
        await started.ask(f"Later {number}")

    assert {K1, K2, K3} == set(started.keys())


async def test_a_request_without_repair_is_told_of_a_rest_at_once(house: StartHouse) -> None:
    started = await house(repair={"retry_after_limit_seconds": 30})
    rest = quota(requests_by_minute(MODEL), delay=20)
    for project in ("P1", "P2"):
        started.cloud.refuse(project, rest, model=MODEL, times=1)
    answer = await started.send(
        "POST", stream_of(), body_of("Hello"), headers={"X-Gemproxy-Repair": "off"}
    )

    assert answer.status == 429
    assert [one.status for one in started.came()] == [429, 429]
