"""When to try again: the tenacity policies of the repair loop.

The machine says *whether* by asking for another attempt, which the loop turns into
``Interrupted``. Here it is decided *when*, and when no more:

- The first retry after progress is immediate, because most cuts are accidents of one
  connection. The next ones wait for a random time up to a bound that doubles (full jitter).
- A wait that the upstream asks for (RetryInfo) is kept to the second, once in a request and
  only within a limit: whoever asks for more, or asks again, means no.
- Retries without progress are bounded in a row; progress is a new character that the
  client can see. Retries of a request are bounded in all, in number and in time.

When a bound is reached the last ``Interrupted`` is raised, and its ``gave_up`` says which
bound it was.

Policies are made after the first interruption: nearly all requests never meet one.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import attrs
from tenacity import (
    DoSleep,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
)

from gemproxy.core.events import Cause

T = TypeVar("T")

_DICE = random.SystemRandom()


@attrs.frozen
class Budget:
    """What the repair of one request may cost."""

    max_consecutive_retries: int = 5
    retry_delay_ms: float = 1000
    max_delay_ms: float = 30_000
    max_resumes: int = 20
    max_seconds: float = 3600
    retry_after_limit: float = 30

    def within(self, seconds: float | None) -> "Budget":
        """Return the budget for an answer that is due in ``seconds``; None: at any time."""
        if seconds is None or seconds >= self.max_seconds:
            return self
        return attrs.evolve(self, max_seconds=seconds)


class Interrupted(Exception):
    """An attempt ended and another is wanted; ``after`` is a wait the upstream asked for.

    ``gave_up`` is empty, or, once no further attempt is made, the reason for people.
    """

    def __init__(self, cause: Cause, after: float | None = None) -> None:
        super().__init__(cause.value)
        self.cause = cause
        self.after = after
        self.gave_up = ""


@attrs.define(eq=False)
class Pacing:
    """The pace of one request, which begins when this is made.

    ``progress`` returns a count that grows with every character the client can see. ``sleep``
    and ``rng`` replace the clock and the dice in tests.
    """

    budget: Budget
    progress: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = _DICE
    _began: float = attrs.field(init=False, factory=time.monotonic)
    _state: RetryCallState | None = attrs.field(init=False, default=None)

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Call ``attempt`` until it is not Interrupted, and return what it returned.

        Raises the last Interrupted when the budget is spent, and whatever else it raised.
        """
        while True:
            try:
                return await attempt()
            except Interrupted as error:
                interrupted = error
            await self.pause(interrupted)

    async def pause(self, interrupted: Interrupted) -> None:
        """Wait until the next attempt may be made; raise ``interrupted`` when none may."""
        if self._state is None:
            self._state = RetryCallState(self._policy(), fn=None, args=(), kwargs={})
        state = self._state
        state.set_exception((Interrupted, interrupted, None))
        delay = cast(DoSleep, state.retry_object.iter(state))  # or it raises ``interrupted``
        state.prepare_for_next_attempt()
        await self.sleep(delay)

    def _policy(self) -> Retrying:
        """Return tenacity's policies, made after the first attempt.

        Its AsyncRetrying would ask of each policy, at each attempt, whether it is a coroutine
        function; these are none, and the one wait is ours.
        """
        elapsed = time.monotonic() - self._began
        pace = _Pace(self.budget, self.progress, self.rng, elapsed, seen=self.progress())
        policy = Retrying(
            retry=retry_if_exception_type(Interrupted),
            wait=pace.wait,
            stop=pace.stop,
            reraise=True,
        )
        policy.begin()
        return policy


@attrs.define(eq=False)
class _Pace:
    """What the policies remember between the attempts of one request."""

    _budget: Budget
    _progress: Callable[[], int]
    _rng: random.Random
    _elapsed: float
    _seen: int
    _barren: int = 0  # retries in a row that brought nothing
    _waited: bool = False  # for the upstream's own delay

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt; tenacity asks once, before ``stop``."""
        self._note_progress(state)
        asked = _interruption(state).after
        if asked is not None:
            return asked
        if self._barren == 0:
            return 0.0
        bound = self._budget.retry_delay_ms * 2 ** min(self._barren - 1, 30)
        return self._rng.uniform(0, min(bound, self._budget.max_delay_ms)) / 1000

    def stop(self, state: RetryCallState) -> bool:
        """Tell whether the attempt that just ended was the last; the error says why."""
        interrupted = _interruption(state)
        interrupted.gave_up = self._spent(state, interrupted.after)
        self._waited = self._waited or interrupted.after is not None
        return bool(interrupted.gave_up)

    def _note_progress(self, state: RetryCallState) -> None:
        seen = self._progress()
        if seen > self._seen:
            self._barren = 0
        elif state.attempt_number > 1:
            self._barren += 1
        self._seen = seen

    def _spent(self, state: RetryCallState, asked: float | None) -> str:
        budget = self._budget
        if self._barren >= budget.max_consecutive_retries:
            return f"{self._barren} retries in a row brought nothing new"
        if stop_after_attempt(budget.max_resumes + 1)(state):
            return f"{budget.max_resumes} retries did not complete the answer"
        if asked is not None and asked > budget.retry_after_limit:
            return f"the upstream asks to wait {asked:g} s"
        if asked is not None and self._waited:
            return "the upstream asks to wait again"
        if stop_before_delay(budget.max_seconds - self._elapsed)(state):
            return f"{budget.max_seconds:g} s did not suffice to complete the answer"
        return ""


def _interruption(state: RetryCallState) -> Interrupted:
    """Return how the attempt ended; ``retry`` sees to it that it is this and nothing else."""
    return cast(Interrupted, state.outcome and state.outcome.exception())
