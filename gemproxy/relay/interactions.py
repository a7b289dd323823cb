"""One interaction: the client's own request, and the reads that go on with its stream.

What is answered with an event stream is passed on read by read, as a generation is, and read on
when it breaks. Every other answer (a resource in JSON, an error) is the route's to
pass on. The head of a stream goes down as soon as it has come, before the first event: an SDK
that still waits for it makes a request again that came to nothing, and that could create an
interaction twice.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from urllib.parse import quote, unquote

import attrs

from gemproxy.core.errors import GemproxyError, UpstreamRejection
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Point
from gemproxy.core.repair.engine import State
from gemproxy.core.repair.events import Fail, Finish, How, Resume
from gemproxy.core.repair.intake import Intake, Step
from gemproxy.exchange.account import InteractionResult
from gemproxy.relay.downstream import Sink
from gemproxy.relay.headers import is_event_stream as of_events
from gemproxy.relay.headers import retry_after
from gemproxy.relay.pacing import Interrupted, Pacing
from gemproxy.relay.pages import Refusal
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.watch import Timing, Watch
from gemproxy.voices.voice import Voice

log = logging.getLogger("gemproxy.relay")

Headers = Mapping[str, str]
OpenAttempt = Callable[[Point | None], AbstractAsyncContextManager[Reply]]

_OK = 200
_ERRORS = 400
_ERROR_BODY_LIMIT = 1 << 20
_OF_THE_STREAM = frozenset({"stream", "last_event_id", "lastEventId"})


@attrs.define(eq=False)
class InteractionRelay:
    """Runs one request of an interaction to its end.

    ``open_attempt`` makes the client's own request (None) or reads the interaction on from a
    point. ``pass_on`` sends down an answer that is no event stream. ``response_headers`` turns
    the headers of a stream into the client's.
    """

    intake: Intake[InteractionMachine]
    sink: Sink
    voice: Voice
    open_attempt: OpenAttempt
    pass_on: Callable[[Reply], Awaitable[None]]
    pacing: Pacing
    timing: Timing
    response_headers: Callable[[Headers], Headers]
    request_id: str | None = None
    attempts: int = 0
    _began: float = attrs.field(factory=time.monotonic)
    _first_byte_ms: float | None = None
    _passed_on: bool = False
    _refusal: Refusal | None = None

    @property
    def machine(self) -> InteractionMachine:
        """What decides."""
        return self.intake.machine

    async def run(self) -> Refusal | None:
        """Make attempts until the answer is complete or has failed.

        Returns the error answer that the route has to pass on, if that is how it ended. Raises
        a GemproxyError when there is no answer at all, ClientGone, and AttemptFailed when the
        client's connection is to be cut without a word. Other failures are told to it here.
        """
        with Watch(self.timing, _nothing, self._beat) as watch:
            try:
                return await self.pacing.run(lambda: self._attempt(watch))
            except Interrupted as spent:
                return await self._act(self.intake.gave_up(spent.gave_up))

    def report(self) -> InteractionResult:
        """Return what became of the interaction; figures, no content."""
        machine = self.machine
        return InteractionResult(
            ending=None if machine.state is State.CONNECTING else machine.state.value,
            attempts=self.attempts,
            causes=machine.causes,
            events=machine.progress,
            status=machine.status,
            first_byte_ms=self._first_byte_ms,
            repair=machine.repair,
        )

    async def _attempt(self, watch: Watch) -> Refusal | None:
        self.attempts += 1
        try:
            async with self.open_attempt(self.machine.next_request) as attempt:
                if is_event_stream(attempt):
                    step = await self._pump(attempt, watch)
                elif self.sink.committed or self._may_be_repeated(attempt):
                    step = await self._reject(attempt)
                else:
                    self._passed_on = True
                    await self.pass_on(attempt)
                    return None
        except AttemptFailed as failure:
            if self._passed_on:
                raise
            step = self.intake.failed_to_open(failure.how)
        except GemproxyError as error:  # the client's own: its body broke on the way up
            if self._passed_on:
                raise
            step = Step((), Fail(error))
        return await self._act(step)

    def _may_be_repeated(self, attempt: Reply) -> bool:
        return attempt.status >= _ERRORS and not self.machine.origin.creates

    async def _reject(self, attempt: Reply) -> Step:
        if attempt.status < _ERRORS:
            return self.intake.failed_to_open(How.GARBLED)
        body = await attempt.read_error(_ERROR_BODY_LIMIT)
        self._refusal = Refusal(attempt.status, self.response_headers(attempt.headers), body)
        return self.intake.rejected(attempt.status, body, retry_after(attempt.headers))

    async def _pump(self, attempt: Reply, watch: Watch) -> Step:
        """Move bytes until the machine has a verdict on the attempt."""
        machine, intake = self.machine, self.intake
        intake.opened()
        if not self.sink.committed:
            await self.sink.open(attempt.status, self.response_headers(attempt.headers))
            watch.wrote = True
        while True:
            watch.wait_for(machine.patience, attempt.abort)
            how = How.EOF
            try:
                data = await attempt.read()
            except AttemptFailed as failure:
                data, how = b"", failure.how
            watch.heard()
            step = intake.received(data) if data else intake.ended(how)
            if step.out:
                await self._emit(self.voice.say(step.out), watch)
            if step.next is not None:
                return Step((), step.next)

    async def _emit(self, raw: bytes, watch: Watch) -> None:
        watch.busy = True
        if self._first_byte_ms is None:
            self._first_byte_ms = round((time.monotonic() - self._began) * 1000, 1)
        await self.sink.emit(raw)
        watch.busy = False
        watch.wrote = True

    async def _beat(self) -> None:
        """Show that a stream is alive; there is none before its head is out."""
        if self.sink.committed:
            await self.sink.heartbeat()

    async def _act(self, step: Step) -> Refusal | None:
        verdict = step.next
        if isinstance(verdict, Resume):
            log.debug(
                "interaction interrupted",
                extra={"attempt": self.attempts, "cause": verdict.cause.value},
            )
            raise Interrupted(verdict.cause, verdict.after)
        if isinstance(verdict, Finish):
            await self.sink.finish()
        elif isinstance(verdict, Fail):
            return await self._fail(verdict)
        return None

    async def _fail(self, fail: Fail) -> Refusal | None:
        error = fail.error
        if not self.sink.committed:
            if self._refusal is not None and isinstance(error, UpstreamRejection):
                return self._refusal
            raise error
        if fail.silently:
            raise AttemptFailed(How.RESET, "the client can go on by itself")
        await self.sink.fail(error.payload(self.request_id))
        return None


async def _nothing() -> None:
    """Commit nothing: the head of the answer waits for that of the upstream's."""


def is_event_stream(attempt: Reply) -> bool:
    """Tell an answer whose events can be read."""
    coding = attempt.headers.get("Content-Encoding", "identity").strip().lower()
    return attempt.status == _OK and of_events(attempt.headers) and coding == "identity"


def target_from(raw_target: str, point: Point, *, created: bool) -> str:
    """Return the target that reads an interaction on from ``point``.

    ``raw_target`` is the client's own: that of the collection where the interaction was
    ``created``, else that of the interaction. What else its query says is kept.
    """
    path, _, query = raw_target.partition("?")
    if created:
        path = f"{path.rstrip('/')}/{quote(point.interaction_id, safe='')}"
    pairs = [pair for pair in query.split("&") if pair and _name(pair) not in _OF_THE_STREAM]
    pairs.append("stream=true")
    if point.last_event_id is not None:
        pairs.append(f"last_event_id={quote(point.last_event_id, safe='')}")
    return f"{path}?{'&'.join(pairs)}"


def _name(pair: str) -> str:
    return unquote(pair.partition("=")[0])
