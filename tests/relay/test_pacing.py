"""When to try again: no clock, no dice, only what the policies decide."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from unittest.mock import AsyncMock, Mock

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.repair.events import Cause
from gemproxy.exchange.deadline import Deadline
from gemproxy.relay.pacing import Budget, Interrupted, Pacing

DICE = random.Random(0)


@attrs.define
class Ticking:
    """A clock that has gone on by ``step`` seconds each time that it is looked at."""

    step: float
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@attrs.define
class Course:
    """What a request went through: the attempts made, the waits between, and the end."""

    attempts: int = 0
    delivered: int = attrs.field(default=0, eq=False)
    waits: list[float] = attrs.field(factory=list)
    gave_up: str | None = None


async def run(
    budget: Budget,
    news: Sequence[int],
    afters: Sequence[float | None] = (),
    rng: random.Random = DICE,
    *,
    cause: Cause = Cause.DROP,
    **more: Any,
) -> Course:
    """Fail one attempt for each of ``news``, the characters it brings; succeed after them."""
    course = Course()

    async def sleep(seconds: float) -> None:
        course.waits.append(seconds)

    async def make_attempt() -> None:
        number = course.attempts
        course.attempts += 1
        if number < len(news):
            course.delivered += news[number]
            raise Interrupted(cause, afters[number] if number < len(afters) else None)

    try:
        await Pacing(budget, lambda: course.delivered, sleep, rng, **more).run(make_attempt)
    except Interrupted as spent:
        course.gave_up = spent.gave_up
    return course


def highest() -> random.Random:
    """Return dice that always fall on the upper bound."""
    return Mock(spec=random.Random, uniform=Mock(side_effect=lambda _low, high: high))


async def test_an_attempt_that_succeeds_is_the_only_one() -> None:
    assert await run(Budget(), []) == Course(attempts=1)


async def test_the_first_retry_is_immediate() -> None:
    assert await run(Budget(), [0]) == Course(attempts=2, waits=[0.0])


async def test_further_retries_wait_up_to_a_bound_that_doubles() -> None:
    budget = Budget(max_consecutive_retries=9, retry_delay_ms=1000, max_delay_ms=5000)

    course = await run(budget, [0] * 6, rng=highest())

    assert course.waits == [0.0, 1.0, 2.0, 4.0, 5.0, 5.0]


@given(st.integers(), st.integers(1, 40))
async def test_a_wait_lies_between_nothing_and_its_bound(seed: int, retries: int) -> None:
    budget = Budget(max_consecutive_retries=50, max_resumes=50)

    waits = (await run(budget, [0] * retries, rng=random.Random(seed))).waits

    assert waits[0] == 0.0
    assert all(0 <= wait <= min(30, 2**number) for number, wait in enumerate(waits[1:]))


async def test_progress_makes_the_next_retry_immediate_again() -> None:
    course = await run(Budget(), [0, 0, 1, 0], rng=highest())

    assert course.waits == [0.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_retries_without_progress_are_bounded(limit: int) -> None:
    course = await run(Budget(max_consecutive_retries=limit), [0] * 9)

    assert course.attempts == 1 + limit
    assert course.gave_up == f"{limit} retries in a row brought nothing new"


async def test_one_new_character_gives_all_retries_back() -> None:
    course = await run(Budget(max_consecutive_retries=2), [0, 0, 1, 0, 0, 0])

    assert course.attempts == 5


async def test_retries_are_bounded_in_all_however_much_they_bring() -> None:
    course = await run(Budget(max_resumes=3), [5] * 9)

    assert course.attempts == 4
    assert course.gave_up == "3 retries did not complete the answer"


async def test_the_time_is_bounded() -> None:
    course = await run(Budget(max_seconds=0.0), [5])

    assert course.attempts == 1
    assert course.gave_up == "0 s did not suffice to complete the answer"


async def test_a_wait_beyond_the_time_is_not_begun() -> None:
    course = await run(Budget(max_seconds=20), [5], [25.0])

    assert course.waits == []
    assert course.gave_up == "20 s did not suffice to complete the answer"


async def test_the_time_counts_from_an_interruption_and_anew_from_each_with_progress() -> None:
    """A stream of hours that breaks now and then is repaired to its end."""
    clock = Ticking(step=1000.0)

    course = await run(Budget(max_seconds=1500), [5, 5, 5, 5, 0, 0], clock=clock)

    assert course.attempts == 5
    assert course.gave_up == "1500 s did not suffice to complete the answer"


@pytest.mark.parametrize(("news", "attempts"), [([0] * 9, 2), ([5] + [0] * 9, 3), ([5] * 9, 10)])
async def test_silence_without_progress_is_repeated_once(news: list[int], attempts: int) -> None:
    course = await run(Budget(), news, cause=Cause.STALL)

    assert course.attempts == attempts
    assert course.gave_up == (None if attempts == 10 else "the upstream fell silent again")


async def test_no_attempt_begins_after_the_clients_deadline() -> None:
    now = asyncio.get_running_loop().time()

    over = await run(Budget(), [5], deadline=Deadline(1, began=now - 2))
    waiting = await run(Budget(), [5], [5.0], deadline=Deadline(4, began=now))
    in_time = await run(Budget(), [5], deadline=Deadline(100, began=now))

    assert over.gave_up == "X-Server-Timeout leaves no time for another attempt"
    assert (over.waits, waiting.waits) == ([], [])
    assert in_time.attempts == 2


@pytest.mark.parametrize("cause", [Cause.STATUS, Cause.ERROR_FRAME])
async def test_a_retry_after_a_refusal_draws_on_what_requests_share(cause: Cause) -> None:
    left = iter([True, True, False])

    course = await run(Budget(), [0] * 9, cause=cause, may_retry=lambda: next(left))

    assert course.attempts == 3
    assert course.gave_up == "too many requests to this model are being repeated"


async def test_no_other_retry_draws_on_what_requests_share() -> None:
    refused = Mock(return_value=False)

    broken = await run(Budget(), [0], cause=Cause.DROP, may_retry=refused)
    visible = await run(Budget(), [5, 0], cause=Cause.STATUS, may_retry=refused)

    assert (broken.attempts, visible.attempts) == (2, 3)
    assert refused.call_count == 0


async def test_the_upstreams_own_delay_is_kept() -> None:
    assert await run(Budget(), [0], [20.04]) == Course(attempts=2, waits=[20.04])


async def test_a_delay_of_nothing_is_a_delay() -> None:
    assert await run(Budget(), [0], [0.0]) == Course(attempts=2, waits=[0.0])


async def test_a_delay_is_no_way_around_our_own_pace() -> None:
    course = await run(Budget(max_consecutive_retries=9), [0] * 4, [0.0] * 4, rng=highest())

    assert course.waits == [0.0, 1.0, 2.0, 4.0]


async def test_other_errors_pass_through_at_once() -> None:
    attempt = AsyncMock(side_effect=[Interrupted(Cause.DROP), ZeroDivisionError])

    with pytest.raises(ZeroDivisionError):
        await Pacing(Budget(), lambda: 0).run(attempt)

    assert attempt.call_count == 2


async def test_the_last_interruption_comes_out_with_its_cause() -> None:
    attempt = AsyncMock(side_effect=[Interrupted(Cause.DROP), Interrupted(Cause.STALL)])

    with pytest.raises(Interrupted) as caught:
        await Pacing(Budget(max_consecutive_retries=1), lambda: 0).run(attempt)

    assert caught.value.cause is Cause.STALL
    assert str(caught.value) == "stall"


async def test_what_was_delivered_before_counts_as_no_progress() -> None:
    budget = Budget(max_consecutive_retries=1, retry_delay_ms=0)
    attempt = AsyncMock(side_effect=Interrupted(Cause.DROP))

    with pytest.raises(Interrupted):
        await Pacing(budget, lambda: 7).run(attempt)

    assert attempt.call_count == 2


async def test_another_key_is_used_at_once_and_counts_for_nothing() -> None:
    waits: list[float] = []
    left = [Interrupted(Cause.STATUS, at_once=True) for _ in range(9)]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def attempt() -> str:
        if left:
            raise left.pop()
        return "answer"

    budget = Budget(max_consecutive_retries=1, max_resumes=1)
    pacing = Pacing(budget, lambda: 0, sleep=sleep, may_retry=lambda: False)

    assert await pacing.run(attempt) == "answer"
    assert waits == []
