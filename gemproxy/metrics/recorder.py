"""Counts a request when it is over, from its account.

There is one observation for each request and none for an event of a stream. It comes after the
answer. Whoever makes it catches what fails, for ``failed``: the first failure is logged, and all
are counted.

The first request of a model puts zeros into the families that are rare for it, so that ``rate``
sees the first interruption too.
"""

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable

import msgspec

from gemproxy.core.repair.events import Cause
from gemproxy.core.seam.seam import Joint
from gemproxy.exchange.account import (
    Account,
    Charge,
    Entry,
    InteractionResult,
    Result,
    SessionResult,
    StreamResult,
)
from gemproxy.exchange.exchange import Exchange
from gemproxy.metrics import families
from gemproxy.metrics.counts import Cell, Counts
from gemproxy.metrics.families import OURS, WAITS
from gemproxy.metrics.labels import CODES, NONE, OTHER, REASONS, KeyLabels, ModelLabels
from gemproxy.observe.logs import unsaid

NANO = 1_000_000_000
DONE = "done"
_GIVEN_UP = "failed"
_CAUSES = {cause: cause.value for cause in Cause}
_JOINTS = {joint: joint.value for joint in Joint}

_log = logging.getLogger(__name__)


class End(msgspec.Struct, frozen=True, gc=False):
    """How a request ended.

    ``status`` is that of the answer, ``ending`` one of the ledger's words. ``began`` and ``ended``
    are times of ``time.monotonic`` in seconds, ``size`` counts the bytes written.
    """

    status: int
    ending: str
    began: float
    ended: float
    size: int


class Recorder:
    """Counts the requests of one application. ``clock`` is the Unix clock, for exemplars."""

    def __init__(
        self,
        counts: Counts,
        models: ModelLabels,
        keys: KeyLabels | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._models, self._keys, self._clock = models, keys or KeyLabels(), clock
        self._known: set[str] = set()
        counters, histograms = counts.counters, counts.histograms
        self._requests = counters[families.REQUESTS]
        self._bytes = counters[families.RESPONSE_BYTES]
        self._seconds = histograms[families.REQUEST_SECONDS]
        self._first = histograms[families.FIRST_CHUNK_SECONDS]
        overhead = histograms[families.OVERHEAD_SECONDS]
        self._before, self._after = overhead.cell(("before",)), overhead.cell(("after",))
        self._attempts = counters[families.ATTEMPTS]
        self._attempt_seconds = histograms[families.ATTEMPT_SECONDS]
        self._head_seconds = histograms[families.HEAD_SECONDS]
        self._interruptions = counters[families.INTERRUPTIONS]
        self._resumes = counters[families.RESUMES]
        self._again = histograms[families.RESUME_ATTEMPTS].cell(())
        self._attempts_of: dict[str, tuple[Cell, Cell]] = {}
        self._delays = histograms[families.REPAIR_DELAY]
        self._joints = counters[families.JOINTS]
        self._ended = counters[families.STREAMS_ENDED]
        self._tokens = counters[families.TOKENS]
        self._cached = counters[families.CACHED_TOKENS]
        self._extra = counters[families.EXTRA_TOKENS]
        self._cost = counters[families.COST_USD]
        self._frames = counters[families.SESSION_FRAMES]
        self._session_bytes = counters[families.SESSION_BYTES]
        self._limited = counters[families.RATE_LIMITED]
        self._unauthorised = counters[families.AUTH_FAILURES]
        self._failures = counters[families.RECORDING_FAILURES]
        self._begin()

    def _begin(self) -> None:
        """Put zeros where the label values are known from the start."""
        for result in ("ok", "gave_up", "left"):
            self._resumes[result,] = 0
        for joint in Joint:
            self._joints[joint.value,] = 0
        for direction in ("input", "output"):
            self._extra[direction,] = 0
        for direction in ("up", "down"):
            self._frames[direction,] = self._session_bytes[direction,] = 0
        for reason in ("unauthenticated", "forbidden"):
            self._unauthorised[reason,] = 0
        self._failures[()] = 0
        self._delays.cell(())

    def _meet(self, model: str) -> None:
        """Put zeros for a model that was not asked before."""
        self._known.add(model)
        heads, attempts = self._head_seconds.cell((model,)), self._attempt_seconds.cell((model,))
        self._attempts_of[model] = heads, attempts
        for cause in Cause:
            self._interruptions[model, cause.value] = 0
        for kind in ("input", "output", "thought"):
            self._tokens[model, kind] = 0
        self._cached[model,] = 0

    def failed(self, error: Exception) -> None:
        """Note that a request could not be counted."""
        if not self._failures[()]:
            _log.error("a request could not be counted", exc_info=unsaid(error))
        self._failures[()] += 1

    def limited(self, scope: str) -> None:
        """Count a request that a limit of ours refused."""
        self._limited[scope,] += 1

    def unauthorised(self, reason: str) -> None:
        """Count a request that was refused for its access key."""
        self._unauthorised[reason,] += 1

    def ended(self, exchange: Exchange, end: End) -> None:
        """Count a request that is over."""
        account, route = exchange.account, exchange.family
        model = self._models.found.get(account.model) or self._models.of(account.model)
        if model not in self._known:
            self._meet(model)
        self._requests[route, model, CODES.get(end.status, OTHER), end.ending] += 1
        self._bytes[route,] += end.size
        now = self._clock()
        seconds = end.ended - end.began
        self._seconds.observe_with((route, model), seconds, exchange.id, now)
        if account.entries:
            self._count_entries(account.entries, model, end)
        if account.charge is not None:
            self._count_charge(account.charge, model)
        elif account.result is not None:
            self._count_spent(account, model)
        if account.result is not None:
            self._count_result(exchange.id, account.result, model, end.ending, now)

    def _count_entries(self, entries: list[Entry], model: str, end: End) -> None:
        """Count attempts. It is written out, because each call here is made for each request."""
        took = entries[0].began - end.began
        self._before.counts[bisect_left(OURS, took)] += 1
        self._before.sum += took
        last = entries[-1].ended
        if last is not None:
            took = end.ended - last
            self._after.counts[bisect_left(OURS, took)] += 1
            self._after.sum += took
        heads, attempts = self._attempts_of[model]
        keys = self._keys
        for entry in entries:
            key = keys.seen.get(entry.key) or keys.of(entry.key)
            code = CODES.get(entry.status, OTHER) if entry.status is not None else _without(entry)
            self._attempts[model, code, key] += 1
            if entry.answered is not None:
                took = entry.answered - entry.began
                heads.counts[bisect_left(WAITS, took)] += 1
                heads.sum += took
            if entry.ended is not None:
                took = entry.ended - entry.began
                attempts.counts[bisect_left(WAITS, took)] += 1
                attempts.sum += took

    def _count_charge(self, charge: Charge, model: str) -> None:
        self._tokens[model, "input"] += charge.input_tokens
        self._tokens[model, "output"] += charge.output_tokens
        self._tokens[model, "thought"] += charge.thought_tokens
        self._cached[model,] += charge.cached_tokens
        self._extra[_INPUT] += charge.extra_input_tokens
        self._extra[_OUTPUT] += charge.extra_output_tokens
        if charge.cost_nano_usd is not None:
            self._cost[model, "user"] += charge.cost_nano_usd / NANO
            self._cost[model, "operator"] += (charge.operator_cost_nano_usd or 0) / NANO

    def _count_spent(self, account: Account, model: str) -> None:
        """Count what the upstream told, where no meter says who pays."""
        spent = account.spent
        if spent is None:
            return
        own = spent.own
        self._tokens[model, "input"] += own.prompt
        self._tokens[model, "output"] += own.output
        self._tokens[model, "thought"] += own.thoughts
        self._cached[model,] += own.cached
        if len(spent.bills) > 1:
            inputs = sum(bill.prompt for bill in spent.bills)
            outputs = sum(bill.output + bill.thoughts for bill in spent.bills)
            self._extra[_INPUT] += max(inputs - own.prompt, 0)
            self._extra[_OUTPUT] += max(outputs - own.output - own.thoughts, 0)

    def _count_result(
        self, request_id: str, result: Result, model: str, ending: str, now: float
    ) -> None:
        if isinstance(result, SessionResult):
            self._frames["up",] += result.frames_up
            self._frames["down",] += result.frames_down
            self._session_bytes["up",] += result.bytes_up
            self._session_bytes["down",] += result.bytes_down
            return
        if isinstance(result, StreamResult):
            reason = REASONS.get(result.finish_reason, OTHER)
            self._ended[model, ending, reason] += 1
            again = result.attempts - 1 if result.attempts else 0
            self._again.counts[bisect_left(_AGAIN, again)] += 1
            self._again.sum += again
            if result.seam_ms or result.joints:
                self._count_joints(request_id, result, now)
        if isinstance(result, _STREAMED):
            first = result.first_byte_ms
            if first is not None:
                self._first.observe_with((model,), first / 1000, request_id, now)
        if result.causes:
            self._count_causes(result.causes, model, ending)

    def _count_joints(self, request_id: str, result: StreamResult, now: float) -> None:
        for joint in result.joints:
            self._joints[_JOINTS[joint],] += 1
        for delay in result.seam_ms:
            self._delays.observe_with((), delay / 1000, request_id, now)

    def _count_causes(self, causes: Iterable[Cause], model: str, ending: str) -> None:
        for cause in causes:
            self._interruptions[model, _CAUSES[cause]] += 1
        result = "ok" if ending == DONE else "gave_up" if ending == _GIVEN_UP else "left"
        self._resumes[result,] += 1


def _without(entry: Entry) -> str:
    """Return the code of an attempt without an answer."""
    return NONE if entry.how is None else entry.how.value


_STREAMED = (StreamResult, InteractionResult)
_AGAIN = families.RESUME_ATTEMPTS.bounds
_INPUT, _OUTPUT = ("input",), ("output",)
