"""What the application makes of the settings that can change while it runs.

``live_of`` makes all of it from one value of the settings, so a change is one assignment.
``Learnt`` is what outlives a change, because it has counted or learnt something.
"""

import attrs

from gemproxy.accounts.gate import Gate
from gemproxy.config.settings import Settings
from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.verdict import FinishTable, Verdict
from gemproxy.relay.bodies import Bodies
from gemproxy.relay.lessons import Lessons
from gemproxy.relay.pacing import Budget
from gemproxy.relay.retries import RetryBudget
from gemproxy.relay.watch import Timing
from gemproxy.routes.parts import Live, Repairing
from gemproxy.web.dialect import gate_of, most_of_gate, studio_of, ways_of
from gemproxy.web.shaping import shaping_of

_EMPTY_FINISH_SECONDS = 60.0
"""Gateways put STOP on a first, empty frame; behind one that stays alone nothing comes."""


@attrs.frozen(eq=False)
class Learnt:
    """What a change of settings leaves as it is, but for its bounds."""

    bodies: Bodies
    retries: RetryBudget
    lessons: Lessons
    gate: Gate

    @classmethod
    def of(cls, settings: Settings) -> "Learnt":
        """Return it as it is at a start."""
        repair, server = settings.repair, settings.server
        bodies = Bodies(
            each=repair.keep_body_bytes,
            total=repair.keep_total_bytes,
            limit=server.max_body_bytes,
            patience=server.request_body_timeout,
            rate=server.request_body_rate,
        )
        return cls(bodies, RetryBudget(repair.retries_per_minute), Lessons(), gate_of(settings))

    def adopt(self, settings: Settings) -> None:
        """Take the bounds of other settings; what is counted stays."""
        self.retries.floor = settings.repair.retries_per_minute
        self.gate.most = most_of_gate(settings)


def live_of(settings: Settings, learnt: Learnt) -> Live:
    """Return what the next request begins with."""
    return Live(
        repair=_repair(settings, learnt),
        shaping=shaping_of(settings),
        ways=ways_of(settings),
        studio=studio_of(settings),
        gate=learnt.gate,
    )


def _repair(settings: Settings, learnt: Learnt) -> Repairing:
    repair = settings.repair
    return Repairing(
        bodies=learnt.bodies,
        timing=_timing(settings),
        policy=_policy(settings),
        budget=Budget(
            max_consecutive_retries=repair.max_consecutive_retries,
            retry_delay_ms=repair.retry_delay_ms,
            max_delay_ms=repair.max_delay_ms,
            max_resumes=repair.max_resumes,
            max_seconds=repair.max_seconds,
        ),
        retries=learnt.retries,
        lessons=learnt.lessons,
        max_frame=repair.max_frame_bytes,
        max_stream=repair.max_stream_bytes,
        keep_answer=repair.keep_answer_bytes,
        via_stream=repair.unary_via_stream,
    )


def _timing(settings: Settings) -> Timing:
    upstream = settings.upstream
    return Timing(
        patience={
            Patience.FIRST_BYTE: upstream.first_byte_timeout_seconds,
            Patience.THINKING: upstream.thinking_timeout_seconds,
            Patience.THINKING_ON: upstream.thinking_timeout_seconds,
            Patience.CHUNK: upstream.chunk_timeout_seconds,
            Patience.FINISH: upstream.finish_grace_seconds,
            Patience.TOOL_FINISH: upstream.tool_finish_grace_seconds,
            Patience.EMPTY_FINISH: min(upstream.thinking_timeout_seconds, _EMPTY_FINISH_SECONDS),
        },
        heartbeat=settings.client.heartbeat_seconds,
        headers_after=settings.client.headers_after_seconds,
    )


def _policy(settings: Settings) -> Policy:
    repair = settings.repair
    return Policy(
        repair=repair.enabled,
        finish=FinishTable(
            {reason: Verdict(ending) for reason, ending in settings.finish_reasons.items()}
        ),
        swallow_thoughts=repair.swallow_thoughts_after_retry,
        hold_calls=repair.hold_function_calls,
        empty_stop_retries=repair.empty_stop_retries,
        retry_after_limit=repair.retry_after_limit_seconds,
        max_extra_tokens=repair.max_extra_tokens or None,
    )
