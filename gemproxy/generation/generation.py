"""One answer: attempts upstream -> machine -> voice -> sink.

Each read of the upstream becomes at most one write to the client, in the call that has the
bytes: no queue, no task. A ``Pump`` reads and writes as long as no write can wait; the handler
awaits what has to be awaited and starts the pump again. The machine says whether another
attempt is made, tenacity when. A client that leaves cancels the handler, and with it the
attempt or the wait for the next one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import attrs
from multidict import CIMultiDict

from gemproxy.core.errors import GemproxyError, UpstreamFailure, UpstreamRejection
from gemproxy.core.repair.engine import State
from gemproxy.core.repair.events import Fail, Finish, How, Out, Resume
from gemproxy.core.repair.intake import Intake, PassOn, Step
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.exchange.account import StreamResult
from gemproxy.generation.pump import Pump
from gemproxy.relay.downstream import Sink
from gemproxy.relay.headers import retry_after
from gemproxy.relay.pacing import Interrupted, Pacing
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.watch import Timing, Watch
from gemproxy.voices.voice import Voice

log = logging.getLogger("gemproxy.relay")

OpenAttempt = Callable[[bytes], AbstractAsyncContextManager[Reply]]
Headers = Mapping[str, str]

_OK = 200
_MULTIPLE_CHOICES = 300
_ERROR_BODY_LIMIT = 1 << 20


class Refused(Exception):
    """The upstream refused before anything was sent; its answer is passed on as it came."""

    def __init__(self, status: int, headers: Headers, error: UpstreamRejection) -> None:
        super().__init__(f"the upstream answered with status {status}")
        self.status = status
        self.headers = headers
        self.error = error


@attrs.define
class Account:
    """What one stream's log line says about time; the rest is the machine's to tell."""

    attempts: int = 0
    began: float = attrs.field(factory=time.monotonic)
    first_byte_ms: float | None = None
    seam_seconds: list[float] = attrs.field(factory=list)


@attrs.define(eq=False)
class Relay:
    """Runs one client stream to its end.

    ``voice`` turns what the machine passes on into the client's bytes.
    ``open_attempt`` makes one attempt with the given body. ``pacing`` says when the
    next one is made. ``response_headers`` turns an attempt's headers into the client's.
    ``max_bytes`` is what the client may get and have waiting for it, since the text is kept to
    be resumed, and what one attempt may bring; what an attempt only repeats is not kept.
    ``arriving`` tells whether the client still sends its request.
    """

    machine: StreamMachine
    intake: Intake[StreamMachine]
    sink: Sink
    voice: Voice
    open_attempt: OpenAttempt
    pacing: Pacing
    timing: Timing
    response_headers: Callable[[Headers], Headers]
    request_id: str | None = None
    max_bytes: int = 256 << 20
    arriving: Callable[[], bool] = bool
    account: Account = attrs.field(factory=Account)
    _opening: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _headers: Headers = attrs.field(factory=dict)
    _rejection: tuple[int, Headers] | None = None
    _seam_since: float | None = None
    _passed: bool = False
    _renamed: bool = False
    _received: int = 0

    async def run(self) -> None:
        """Run attempts until the answer is complete or has failed.

        Raises a GemproxyError, or Refused, when it failed before anything was sent: the
        answer is then the caller's to give. Later failures are told to the client here.
        """
        with Watch(self.timing, self._show, self._beat) as watch:
            try:
                while True:
                    resume = await self._act(await self._attempt(watch), watch)
                    if resume is None:
                        return
                    if not resume.at_once:
                        await self.pacing.pause(Interrupted(resume.cause, resume.after))
            except Interrupted as spent:
                await self._act(self.intake.gave_up(spent.gave_up), watch)

    async def _show(self) -> None:
        """Send the head early, but not while the request arrives: a bad body has its own status."""
        if not self.arriving():
            await self._commit()

    async def _beat(self) -> None:
        """Show the client that its answer is alive; the head may be due still."""
        if self.sink.committed:
            await self.sink.heartbeat()
        else:
            await self._show()

    def report(self) -> StreamResult:
        """Return what became of the stream; figures, no content."""
        machine, account = self.machine, self.account
        return StreamResult(
            ending="passed" if self._passed else machine.state.value,
            finish_reason=machine.finish_reason,
            attempts=account.attempts,
            causes=machine.causes,
            joints=machine.joints,
            seam_ms=[round(seconds * 1000, 1) for seconds in account.seam_seconds],
            first_byte_ms=account.first_byte_ms,
            characters=machine.transcript.chars,
            billed=machine.tally.billed,
            extra_tokens=machine.tally.extra() if machine.causes else 0,
            repair=machine.policy.repair,
            grace_ran_out=machine.grace_ran_out,
            missing_candidates=machine.missing_candidates,
        )

    async def _attempt(self, watch: Watch) -> Step:
        self.account.attempts += 1
        try:
            async with self.open_attempt(self.machine.next_request) as attempt:
                if attempt.status >= _MULTIPLE_CHOICES:
                    return await self._reject(attempt)
                self._rejection = None
                if not self.sink.committed:
                    self._headers = attempt.headers
                self._received = 0
                self.intake.opened(attempt.headers.get("Content-Type", ""))
                return await self._follow(attempt, watch)
        except AttemptFailed as failure:
            return self.intake.failed_to_open(failure.how)
        except GemproxyError as error:  # the client's own: its body broke on the way up
            return Step((), Fail(error))

    async def _reject(self, attempt: Reply) -> Step:
        body = await attempt.read_error(_ERROR_BODY_LIMIT)
        self._rejection = attempt.status, self.response_headers(attempt.headers)
        return self.intake.rejected(attempt.status, body, retry_after(attempt.headers))

    async def _follow(self, attempt: Reply, watch: Watch) -> Step:
        """Move bytes until the machine has a verdict on the attempt.

        The handler itself reads up to the attempt's first write: a pump would not pay yet.
        """
        step = await self._move(attempt, watch)
        while step.next is None:
            await (self._emit(step.out, watch) if step.out else self._settle(watch))
            del step  # see below
            step = await Pump(self._move(attempt, watch)).run()
        return step

    async def _move(self, attempt: Reply, watch: Watch) -> Step:
        """Move bytes until the handler is needed: for a verdict, or a write that may wait."""
        machine, intake, sink, read = self.machine, self.intake, self.sink, attempt.read
        try:
            while self._received + sink.sent <= self.max_bytes or not self._is_too_large():
                watch.wait_for(machine.patience, attempt.abort)
                how = How.EOF
                try:
                    data = await read()
                except AttemptFailed as failure:
                    data, how = b"", failure.how
                if data:
                    self._received += len(data)
                    step = intake.received(data)
                else:
                    step = intake.ended(how)
                if machine.causes:
                    step = await self._judged(step, watch)
                    self._time_the_seam()
                if not step.out:  # the head waits while it is not known whose Content-Type it has
                    watch.busy = intake.undecided and not sink.committed
                elif step.next is None:
                    if self.account.first_byte_ms is None:
                        return step
                    if not await sink.offer(self.voice.say(step.out)):
                        return Step()
                    watch.wrote = True
                if step.next is not None:
                    return step
                del step, data  # an image would otherwise be kept until the next one is whole
            given_up = intake.gave_up(f"it is larger than {self.max_bytes} bytes")
            return await self._judged(given_up, watch)
        finally:
            watch.heard()

    def _is_too_large(self) -> bool:
        """Tell whether there is too much; asked only where there may be."""
        sent = self.sink.sent
        return max(sent + self.machine.waiting(sent), self._received) > self.max_bytes

    async def _judged(self, step: Step, watch: Watch) -> Step:
        """Let the machine finish what it is judging, one slice for each turn of the loop."""
        if not self.machine.judging:
            return step
        watch.heard()
        out = step.out
        while self.machine.judging:
            await asyncio.sleep(0)
            step = self.intake.turn()
            out += step.out
        return Step(out, step.next)

    async def _emit(self, out: tuple[Out, ...], watch: Watch) -> None:
        watch.busy = True
        if self.account.first_byte_ms is None:
            await self._commit()
            self._note_first_byte()
        await self.sink.emit(self.voice.say(out))
        watch.busy = False
        watch.wrote = True

    async def _settle(self, watch: Watch) -> None:
        watch.busy = True
        await self.sink.settle()
        watch.busy = False
        watch.wrote = True

    def _note_first_byte(self) -> None:
        self.account.first_byte_ms = round((time.monotonic() - self.account.began) * 1000, 1)

    async def _commit(self) -> None:
        async with self._opening:
            if not self.sink.committed:
                await self.sink.open(_OK, self._head())

    def _head(self) -> Headers:
        """Return the headers of the answer; the Content-Type is ours where the framing is."""
        headers, self._renamed = self._headers, self.intake.misnamed
        if self._renamed:
            headers = CIMultiDict(headers)
            headers["Content-Type"] = self.voice.content_type
        return self.response_headers(headers)

    def _time_the_seam(self) -> None:
        """Measure how long the first text of each resumed attempt was held."""
        now = time.monotonic()
        if self.machine.state is State.SPLICING:
            if self._seam_since is None and self.machine.holding:
                self._seam_since = now
            return
        if len(self.machine.joints) > len(self.account.seam_seconds):
            self.account.seam_seconds.append(now - (self._seam_since or now))
        self._seam_since = None

    async def _act(self, step: Step, watch: Watch) -> Resume | None:
        """Write what a step still has to say, and do what it decided."""
        following = step.next
        if isinstance(following, Finish):
            last = self.voice.say(step.out) + self.voice.close(following.tail)
            await self._finish(last, watch)
            return None
        if isinstance(following, PassOn):
            await self._pass_on(following.body, watch)
            return None
        if step.out:
            await self._emit(step.out, watch)
        if isinstance(following, Resume):
            log.debug(
                "attempt interrupted",
                extra={
                    "attempt": self.account.attempts,
                    "cause": following.cause.value,
                    "next": self.machine.plan.value,
                    "characters": self.machine.transcript.chars,
                },
            )
            return following
        if isinstance(following, Fail):
            watch.busy = True
            await self._fail(following.error)
        return None

    async def _finish(self, last: bytes, watch: Watch) -> None:
        watch.busy = True  # a heartbeat behind the end would belong to the next answer
        if not self.sink.committed:
            await self._commit()
        if last and self.account.first_byte_ms is None:
            self._note_first_byte()
        await self.sink.finish(last)

    async def _pass_on(self, body: bytes, watch: Watch) -> None:
        """Give the client an answer that is no generation, unless its head says that it is one."""
        watch.busy = True
        if self.sink.committed and self._renamed:
            await self._fail(UpstreamFailure("The upstream answered with no generation."))
        else:
            self._passed = True
            await self._finish(body, watch)

    async def _fail(self, error: GemproxyError) -> None:
        if self.sink.committed:
            await self.sink.fail(error.payload(self.request_id))
        elif self._rejection is not None and isinstance(error, UpstreamRejection):
            raise Refused(*self._rejection, error)
        else:
            raise error
