"""When to try again: the tenacity policies of the repair loop.

The machine says *whether* by asking for another attempt, which the loop turns into
``Interrupted``. Here it is decided *when*, and when no more:

- The first retry after progress is immediate, because most cuts are accidents of one
  connection. The next ones wait for a random time up to a bound that doubles (full jitter).
- A wait that the upstream asks for (RetryInfo, Retry-After) is kept to the second. Whether it
  is kept at all is the judgement of ``core.repair.refusals``.
- Retries without progress are bounded in a row; progress is a new character that the
  client can see. So is the time since the first of them began to be wanted: a stream that
  keeps breaking and keeps growing may last for hours.
- An attempt that was given up because it was silent is repeated once in a row. A path that is
  dead fails sooner and otherwise (``relay.keepalive``): a second silence is the model's own.
- Retries of a request are bounded in number in all, and none begins after the client's deadline.
- While nothing visible went out, a retry after a refusal draws on the budget that all requests
  of its caller for its model share (``relay.retries``).

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
)

from gemproxy.core.repair.events import Cause
from gemproxy.exchange.deadline import NEVER_DUE, Deadline

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


class Interrupted(Exception):
    """An attempt ended and another is wanted; ``after`` is a wait the upstream asked for.

    ``at_once`` says that the next one is made with another key, so it is not paced.
    ``gave_up`` is empty, or, once no further attempt is made, the reason for people.
    """

    def __init__(self, cause: Cause, after: float | None = None, *, at_once: bool = False) -> None:
        super().__init__(cause.value)
        self.cause = cause
        self.after = after
        self.at_once = at_once
        self.gave_up = ""


def _freely() -> bool:
    """Let every retry be made."""
    return True


@attrs.define(eq=False)
class Pacing:
    """The pace of one request.

    ``progress`` returns a count that grows with every character the client can see. No attempt
    begins after ``deadline``. ``may_retry`` takes one retry from a budget that requests share,
    and returns whether there was one. ``due`` is when a pause will be over, None between pauses.
    ``sleep``, ``rng`` and ``clock`` replace time and dice in tests.
    """

    budget: Budget
    progress: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = _DICE
    deadline: Deadline = NEVER_DUE
    may_retry: Callable[[], bool] = _freely
    clock: Callable[[], float] = time.monotonic
    due: float | None = attrs.field(init=False, default=None)
    _seen: int = attrs.field(init=False)
    _state: RetryCallState | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._seen = self.progress()

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Call ``attempt`` until it is not Interrupted, and return what it returned.

        Raises the last Interrupted when the budget is spent, and whatever else it raised.
        """
        while True:
            try:
                return await attempt()
            except Interrupted as error:
                interrupted = error
            if not interrupted.at_once:
                await self.pause(interrupted)

    async def pause(self, interrupted: Interrupted) -> None:
        """Wait until the next attempt may be made; raise ``interrupted`` when none may."""
        if self._state is None:
            self._state = RetryCallState(self._policy(), fn=None, args=(), kwargs={})
        state = self._state
        state.set_exception((Interrupted, interrupted, None))
        delay = cast(DoSleep, state.retry_object.iter(state))  # or it raises ``interrupted``
        state.prepare_for_next_attempt()
        self.due = self.clock() + delay
        try:
            await self.sleep(delay)
        finally:
            self.due = None

    def _policy(self) -> Retrying:
        """Return tenacity's policies, made after the first attempt.

        Its AsyncRetrying would ask of each policy, at each attempt, whether it is a coroutine
        function; these are none, and the one wait is ours.
        """
        pace = _Pace(self, self._seen, self.clock())
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

    _pacing: Pacing
    _seen: int
    _since: float  # when the present run of retries without progress began
    _barren: int = 0  # retries in a row that brought nothing
    _silent: int = 0  # attempts in a row that brought nothing and were given up for silence

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt; tenacity asks once, before ``stop``."""
        self._note(state)
        return max(self._backoff(), _interruption(state).after or 0.0)

    def stop(self, state: RetryCallState) -> bool:
        """Tell whether the attempt that just ended was the last; the error says why."""
        interrupted = _interruption(state)
        interrupted.gave_up = self._spent(state) or self._refused(interrupted.cause)
        return bool(interrupted.gave_up)

    def _note(self, state: RetryCallState) -> None:
        """Take note of how an attempt ended, and of what it brought."""
        seen = self._pacing.progress()
        if seen > self._seen:
            self._barren = self._silent = 0
            self._since = self._pacing.clock()
        else:
            self._barren += state.attempt_number > 1
            self._silent += _interruption(state).cause is Cause.STALL
        self._seen = seen

    def _backoff(self) -> float:
        budget = self._pacing.budget
        if self._barren == 0:
            return 0.0
        bound = budget.retry_delay_ms * 2 ** min(self._barren - 1, 30)
        return self._pacing.rng.uniform(0, min(bound, budget.max_delay_ms)) / 1000

    def _spent(self, state: RetryCallState) -> str:
        """Return the bound of this request that another attempt would pass, or nothing."""
        pacing, budget = self._pacing, self._pacing.budget
        if self._barren >= budget.max_consecutive_retries:
            return f"{self._barren} retries in a row brought nothing new"
        if self._silent > 1:
            return "the upstream fell silent again"
        if stop_after_attempt(budget.max_resumes + 1)(state):
            return f"{budget.max_resumes} retries did not complete the answer"
        if pacing.clock() - self._since + state.upcoming_sleep >= budget.max_seconds:
            return f"{budget.max_seconds:g} s did not suffice to complete the answer"
        left = pacing.deadline.left
        if left is not None and state.upcoming_sleep >= left:
            return "X-Server-Timeout leaves no time for another attempt"
        return ""

    def _refused(self, cause: Cause) -> str:
        """Return why the budget that requests share allows no other attempt, or nothing."""
        if cause not in _REFUSALS or self._seen > 0 or self._pacing.may_retry():
            return ""
        return "too many requests to this model are being repeated"


_REFUSALS = (Cause.STATUS, Cause.ERROR_FRAME)


def _interruption(state: RetryCallState) -> Interrupted:
    """Return how the attempt ended; ``retry`` sees to it that it is this and nothing else."""
    return cast(Interrupted, state.outcome and state.outcome.exception())
