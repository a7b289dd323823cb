"""The limiter of one process: admission, settlement, refusals, and what it forgets."""

import asyncio
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.hold import Asked, Hold, Limiter, Spent, Used
from gemproxy.accounts.limiter import MemoryLimiter
from gemproxy.accounts.plans import MODELS
from gemproxy.accounts.user import NANO, Kind, Limit, User
from gemproxy.core.errors import Forbidden, LimitReached

NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC).timestamp()
MIDNIGHT = NOON + 12 * 3600
MODEL = "gemini-2.5-pro"


def ann(*limits: Limit) -> User:
    return User("123456789012", "ann", limits)


async def refused(limiter: MemoryLimiter, asked: Asked, now: float) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        await limiter.admit(asked, now)
    return caught.value


async def count(limiter: MemoryLimiter, asked: Asked, now: float, most: int = 1000) -> int:
    """Return how many requests like ``asked`` come in at ``now``."""
    for admitted in range(most):
        try:
            await limiter.admit(asked, now)
        except LimitReached:
            return admitted
    return most


def test_it_is_a_limiter() -> None:
    limiter: Limiter = MemoryLimiter()

    assert limiter is not None


async def test_two_hundred_at_once_get_fifty_requests() -> None:
    limiter, asked = MemoryLimiter(), Asked(1, ann(Limit(Kind.RPM, 50)), MODEL)

    results = await asyncio.gather(
        *(limiter.admit(asked, NOON) for _ in range(200)), return_exceptions=True
    )

    holds = [result for result in results if isinstance(result, Hold)]
    errors = [result for result in results if isinstance(result, LimitReached)]
    assert (len(holds), len(errors)) == (50, 150)
    assert {error.headers(1)["Retry-After"] for error in errors} == {"60"}


async def test_a_minute_slides() -> None:
    limiter, asked = MemoryLimiter(), Asked(1, ann(Limit(Kind.RPM, 2)), MODEL)
    await limiter.admit(asked, NOON)
    await limiter.admit(asked, NOON + 40)

    assert (await refused(limiter, asked, NOON + 59.5)).headers(1)["Retry-After"] == "1"
    await limiter.admit(asked, NOON + 60)
    assert (await refused(limiter, asked, NOON + 61)).headers(1)["Retry-After"] == "39"


async def test_tokens_leave_a_minute_after_their_settlement() -> None:
    limiter, asked = MemoryLimiter(), Asked(1, ann(Limit(Kind.TPM, 100)), MODEL, tokens=60)
    hold = await limiter.admit(asked, NOON)

    error = await refused(limiter, asked, NOON + 30)
    limiter.settle(hold, Used(tokens=50), NOON + 30)

    assert "held by running requests: 60 tokens" in error.message
    assert (await refused(limiter, asked, NOON + 89)).headers(1)["Retry-After"] == "1"
    await limiter.admit(asked, NOON + 90)


async def test_at_most_two_of_twenty_run_and_the_rest_of_their_holds_is_free_again() -> None:
    limiter = MemoryLimiter()
    asked = Asked(1, ann(Limit(Kind.TOKENS_PER_DAY, 1000)), MODEL, tokens=400)
    results = await asyncio.gather(
        *(limiter.admit(asked, NOON) for _ in range(20)), return_exceptions=True
    )
    holds = [result for result in results if isinstance(result, Hold)]
    for hold in holds:
        limiter.settle(hold, Used(tokens=30), NOON + 1)

    assert len(holds) == 2
    assert await count(limiter, Asked(1, asked.user, MODEL, tokens=940), NOON + 1) == 1


async def test_a_hold_in_the_way_says_so_and_the_wait_is_short() -> None:
    limiter = MemoryLimiter()
    asked = Asked(1, ann(Limit(Kind.TOKENS_PER_DAY, 1000)), MODEL, tokens=600)
    await limiter.admit(asked, NOON)

    error = await refused(limiter, asked, NOON)

    assert error.message == (
        "The limit of access key 'ann' is reached: 1000 tokens per day. Spent: 0 tokens; held by"
        " running requests: 600 tokens; this request asks for 600 tokens. It resets at"
        " 2026-11-29T00:00:00+00:00, in 43200 s; running requests hold the rest, and give back"
        " what they do not use: send the request again in 5 s."
    )
    assert error.headers(1)["Retry-After"] == "5"
    assert error.headers(1)["RateLimit"] == '"tokens_per_day";r=400;t=5'


async def test_a_day_that_is_spent_waits_until_midnight() -> None:
    limiter, asked = MemoryLimiter(), Asked(1, ann(Limit(Kind.RPD, 1)), MODEL)
    limiter.settle(await limiter.admit(asked, NOON), Used(), NOON)

    error = await refused(limiter, asked, NOON)

    assert error.headers(1)["Retry-After"] == "43200"
    assert error.headers(1)["x-ratelimit-reset-requests"] == "12h0m0s"
    await limiter.admit(asked, MIDNIGHT)


async def test_what_can_never_fit_has_no_wait() -> None:
    limiter = MemoryLimiter()
    user = ann(Limit(Kind.USD_PER_MONTH, 2 * NANO), Limit(Kind.TPM, 10))

    error = await refused(limiter, Asked(1, user, MODEL, nano_usd=2 * NANO + 1), NOON)

    assert "this request asks for $2.000000001" in error.message
    assert "never has room" in error.message
    assert "Retry-After" not in error.headers(1)


async def test_requests_beyond_the_concurrency_are_refused_at_once() -> None:
    limiter, asked = MemoryLimiter(), Asked(1, ann(Limit(Kind.CONCURRENCY, 10)), MODEL)
    holds = [await limiter.admit(asked, NOON) for _ in range(10)]

    error = await refused(limiter, asked, NOON)
    limiter.settle(holds[0], Used(), NOON)

    assert error.headers(1)["Retry-After"] == "1"
    assert "10 requests at the same time" in error.message
    assert await count(limiter, asked, NOON) == 1


async def test_all_or_nothing() -> None:
    limiter = MemoryLimiter()
    user = ann(Limit(Kind.RPM, 5), Limit(Kind.TOKENS_PER_DAY, 100))
    await refused(limiter, Asked(1, user, MODEL, tokens=101), NOON)

    assert await count(limiter, Asked(1, user, MODEL, tokens=20), NOON) == 5


async def test_a_limit_of_one_model_counts_it_alone_under_all_its_names() -> None:
    limiter, user = MemoryLimiter(), ann(Limit(Kind.RPM, 2, "models/Gemini-X"))
    await limiter.admit(Asked(1, user, "gemini-x:generateContent"), NOON)

    assert await count(limiter, Asked(2, user, "models/gemini-x"), NOON) == 1
    assert await count(limiter, Asked(2, user, "gemini-y"), NOON, most=9) == 9


async def test_a_model_without_a_price_is_refused_under_a_limit_on_money() -> None:
    user = ann(Limit(Kind.USD_PER_DAY, NANO))
    asked = Asked(1, user, "gemini-new", nano_usd=None)

    with pytest.raises(Forbidden, match="'gemini-new' has no price"):
        await MemoryLimiter().admit(asked, NOON)
    await MemoryLimiter(allow_unpriced=True).admit(asked, NOON)
    await MemoryLimiter().admit(Asked(1, ann(), "gemini-new", nano_usd=None), NOON)


async def test_a_shadow_limit_is_counted_and_refuses_nothing() -> None:
    shadow = Limit(Kind.RPM, 1, shadow=True)
    money = Limit(Kind.USD_PER_DAY, NANO, shadow=True)
    limiter, user = MemoryLimiter(), ann(shadow, money)

    first = await limiter.admit(Asked(1, user, MODEL), NOON)
    second = await limiter.admit(Asked(2, user, MODEL, nano_usd=None), NOON)

    assert first.shadow == ()
    assert second.shadow == (shadow, money)
    assert limiter.fields(second, NOON) == {}


async def test_a_hold_is_gone_at_its_expiry_unless_it_is_renewed() -> None:
    limiter, asked = MemoryLimiter(), Asked(1, ann(Limit(Kind.CONCURRENCY, 2)), MODEL)
    await limiter.admit(asked, NOON)
    renewed = await limiter.admit(asked, NOON)
    limiter.renew(renewed, NOON + 30)

    assert await count(limiter, asked, NOON + 59.9) == 0
    assert await count(limiter, asked, NOON + 60) == 1
    assert await count(limiter, asked, NOON + 90) == 1


async def test_a_late_settlement_still_counts_and_a_second_one_does_not() -> None:
    limiter = MemoryLimiter()
    asked = Asked(1, ann(Limit(Kind.TOKENS_PER_DAY, 100)), MODEL, tokens=60)
    hold = await limiter.admit(asked, NOON)
    limiter.settle(await limiter.admit(Asked(2, asked.user, MODEL), NOON + 60), Used(), NOON + 60)
    limiter.renew(hold, NOON + 61)
    limiter.settle(hold, Used(tokens=60), NOON + 62)
    limiter.settle(hold, Used(tokens=60), NOON + 62)

    error = await refused(limiter, asked, NOON + 62)
    assert "Spent: 60 tokens; held by running requests: 0 tokens" in error.message
    assert limiter.holds == 0


async def test_a_hold_of_yesterday_counts_for_yesterday() -> None:
    limiter = MemoryLimiter()
    asked = Asked(1, ann(Limit(Kind.TOKENS_PER_DAY, 100)), MODEL, tokens=100)
    hold = await limiter.admit(asked, MIDNIGHT - 1)

    today = await limiter.admit(asked, MIDNIGHT)
    limiter.settle(hold, Used(tokens=100), MIDNIGHT + 1)
    limiter.settle(today, Used(tokens=40), MIDNIGHT + 1)

    assert await count(limiter, Asked(1, asked.user, MODEL, tokens=60), MIDNIGHT + 1) == 1


async def test_a_hold_grows_as_far_as_the_limits_allow() -> None:
    limiter = MemoryLimiter()
    user = ann(Limit(Kind.TOKENS_PER_DAY, 100), Limit(Kind.CONCURRENCY, 1))
    hold = await limiter.admit(Asked(1, user, MODEL, tokens=50), NOON)

    await limiter.grow(hold, Used(tokens=40), NOON)
    await limiter.grow(hold, Used(tokens=90), NOON)
    with pytest.raises(LimitReached):
        await limiter.grow(hold, Used(tokens=101), NOON)
    taken = limiter.fields(hold, NOON)["x-ratelimit-remaining-tokens"]
    limiter.settle(hold, Used(tokens=90), NOON)

    assert taken == "0"
    assert await count(limiter, Asked(2, user, MODEL, tokens=10), NOON) == 1


async def test_a_limit_that_changes_keeps_what_is_counted() -> None:
    limiter = MemoryLimiter()
    await limiter.admit(Asked(1, ann(), MODEL), NOON)
    few, many = ann(Limit(Kind.RPD, 2)), ann(Limit(Kind.RPD, 4), Limit(Kind.RPD, 9, MODEL))

    assert await count(limiter, Asked(1, few, MODEL), NOON) == 1
    assert await count(limiter, Asked(1, many, MODEL), NOON) == 2
    assert await count(limiter, Asked(1, few, MODEL), NOON) == 0


async def test_the_sums_of_the_ledger_are_taken_at_the_start() -> None:
    limiter = MemoryLimiter()
    day = [Spent("ann", MODEL, 18, 500, 10), Spent("ann", "gemini-x", 1, 0, 0)]
    limiter.restore(day, [Spent("ann", MODEL, 40, 900, NANO - 1)], NOON)

    of_day = ann(Limit(Kind.RPD, 20), Limit(Kind.RPD, 19, MODEL))
    of_month = ann(Limit(Kind.USD_PER_MONTH, NANO))

    assert await count(limiter, Asked(1, of_month, MODEL, nano_usd=1), NOON) == 1
    assert await count(limiter, Asked(1, of_day, MODEL), NOON) == 0
    assert await count(limiter, Asked(1, of_day, "gemini-x"), NOON) == 0
    assert await count(limiter, Asked(1, of_day, MODEL), MIDNIGHT) == 19


async def test_the_whole_proxy_has_a_limit() -> None:
    limiter = MemoryLimiter(requests_per_minute=3)
    await limiter.visit(ann(), "", NOON)
    await limiter.visit(User("", ""), "", NOON)
    await limiter.admit(Asked(1, ann(), MODEL), NOON)

    error = await refused(limiter, Asked(2, ann(), MODEL), NOON + 1)

    assert error.message == (
        "The limit of the whole proxy is reached: 3 requests per minute. Spent: 3 requests; held by"
        " running requests: 0 requests; this request asks for 1 request. It resets at"
        " 2026-11-28T12:01:00+00:00, in 59 s; there is room for this request in 59 s."
    )
    with pytest.raises(LimitReached):
        await limiter.visit(ann(), "", NOON + 59)


@given(
    pauses=st.lists(st.sampled_from([0.0, 0.25, 3.0, 20.0, 59.75, 60.0]), max_size=60),
    most=st.integers(1, 5),
    most_per_address=st.integers(1, 4),
)
def test_no_minute_has_more_requests_than_the_proxy_and_an_address_may_have(
    pauses: list[float], most: int, most_per_address: int
) -> None:
    limiter, user = (
        MemoryLimiter(requests_per_minute=most),
        ann(Limit(Kind.PER_IP_RPM, most_per_address)),
    )
    now, admitted = NOON, list[tuple[float, str]]()
    for number, pause in enumerate(pauses):
        now += pause
        address = f"192.0.2.{number % 2}"
        recent = [which for at, which in admitted if now < at + 60]
        room = len(recent) < most and recent.count(address) < most_per_address
        with pytest.raises((StopIteration, LimitReached)) as caught:
            limiter.visit(user, address, now).send(None)
        if isinstance(caught.value, LimitReached):
            assert not room
            assert 1 <= (caught.value.seconds or 0) <= 60
        else:
            admitted.append((now, address))
            assert room


async def test_each_address_has_limits_of_the_user_and_of_all() -> None:
    limiter = MemoryLimiter(requests_per_day_per_ip=3)
    user, bob = ann(Limit(Kind.PER_IP_RPM, 2)), User("210987654321", "bob")

    assert await count(limiter, Asked(1, user, MODEL, "192.0.2.1"), NOON) == 2
    assert await count(limiter, Asked(1, user, MODEL, "192.0.2.2"), NOON) == 2
    assert await count(limiter, Asked(1, bob, MODEL, "192.0.2.1"), NOON) == 1
    error = await refused(limiter, Asked(1, user, MODEL, "192.0.2.1"), NOON + 60)

    assert "each client address is reached: 3 requests per day" in error.message
    assert error.headers(1)["Retry-After"] == "43140"
    assert await count(limiter, Asked(1, user, MODEL, "192.0.2.1"), MIDNIGHT) == 2


async def test_visits_count_for_addresses_and_not_for_models() -> None:
    limiter = MemoryLimiter()
    user = ann(Limit(Kind.PER_IP_RPD, 2), Limit(Kind.RPD, 1))
    await limiter.visit(user, "192.0.2.1", NOON)

    assert await count(limiter, Asked(1, user, MODEL, "192.0.2.1"), NOON) == 1
    with pytest.raises(LimitReached):
        await limiter.visit(user, "192.0.2.1", NOON)


async def test_a_clock_that_is_set_back_blocks_nobody_for_long() -> None:
    limiter = MemoryLimiter()
    user = ann(Limit(Kind.RPM, 1), Limit(Kind.CONCURRENCY, 1), Limit(Kind.RPD, 1))
    asked = Asked(1, user, MODEL)
    await limiter.admit(asked, NOON + 864_000)

    assert await count(limiter, asked, NOON) == 0
    assert await count(limiter, asked, NOON + 60) == 1


async def test_a_clock_that_steps_back_over_midnight_forgets_no_day() -> None:
    limiter, asked = MemoryLimiter(), Asked(1, ann(Limit(Kind.RPD, 1)), MODEL)
    await limiter.admit(asked, MIDNIGHT)

    assert await count(limiter, asked, MIDNIGHT - 1) == 0
    assert await count(limiter, asked, MIDNIGHT + 1) == 0


async def test_a_user_who_does_nothing_any_more_is_forgotten() -> None:
    limiter = MemoryLimiter()
    for number in range(10):
        await limiter.visit(User("", f"guest{number}"), "", NOON)
        hold = await limiter.admit(Asked(1, User("", f"user{number}"), MODEL), NOON)
        limiter.settle(hold, Used(tokens=1), NOON)
    assert limiter.users == 10

    for day in range(1, 40):
        await limiter.admit(Asked(1, ann(), MODEL), NOON + 86_400 * day)

    assert limiter.users == 1


async def test_models_that_a_client_makes_up_do_not_fill_the_memory() -> None:
    limiter, user = MemoryLimiter(), ann(Limit(Kind.RPM, 1, "last"))
    for number in range(MODELS + 50):
        hold = await limiter.admit(Asked(1, user, f"model-{number}"), NOON)
        limiter.settle(hold, Used(), NOON)

    assert len(limiter._accounts["ann"].tallies) <= MODELS + 2
    assert await count(limiter, Asked(1, user, "last"), NOON) == 1


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Berlin", "2026-10-25T00:00:00+02:00", 25),
        ("Asia/Kolkata", "2026-11-28T00:00:00+05:30", 24),
        ("America/Santiago", "2026-09-06T01:00:00-03:00", 23),
    ],
)
async def test_a_day_is_as_long_as_in_its_zone(zone: str, start: str, hours: int) -> None:
    limiter = MemoryLimiter(Calendar(ZoneInfo(zone)))
    asked, begun = Asked(1, ann(Limit(Kind.RPD, 1)), MODEL), dt.datetime.fromisoformat(start)
    now = begun.timestamp()
    await limiter.admit(asked, now - 1)
    await limiter.admit(asked, now)

    error = await refused(limiter, asked, now)

    assert error.headers(1)["Retry-After"] == str(hours * 3600)
    await refused(limiter, asked, now + hours * 3600 - 1)
    await limiter.admit(asked, now + hours * 3600)


async def test_what_is_taken_of_each_limit_is_told() -> None:
    shadow = Limit(Kind.RPM, 1, shadow=True)
    user = ann(Limit(Kind.RPM, 5, MODEL), shadow, Limit(Kind.PER_IP_RPM, 9))
    limiter = MemoryLimiter()
    await limiter.admit(Asked(1, user, MODEL, "192.0.2.7"), NOON)
    await limiter.admit(Asked(2, user, "another", "192.0.2.7"), NOON)

    states = limiter.states(user, NOON)

    assert [(state.limit, state.spent, state.remaining) for state in states] == [
        (user.limits[0], 1, 4),
        (shadow, 2, 0),
    ]
