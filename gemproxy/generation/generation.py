"""One answer: attempts upstream -> machine -> reader.

Each read of the upstream becomes at most one write to the client, in the call that has the
bytes: no queue, no task. A ``Pump`` reads and writes as long as no write can wait; the handler
awaits what has to be awaited and starts the pump again. The machine says whether another
attempt is made, tenacity when. A client that leaves cancels the handler, and with it the
attempt or the wait for the next one.

Streams and interactions are run alike; ``kinds`` has a row for what differs.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Protocol

import attrs
from multidict import CIMultiDict

from gemproxy.core.answer.chunk import NAMELESS
from gemproxy.core.errors import (
    GemproxyError,
    KeyRefused,
    UpstreamFailure,
    UpstreamRejection,
    upstream_error,
)
from gemproxy.core.repair.attempt import Attempt
from gemproxy.core.repair.blame import Fault, blame, refusal_behind
from gemproxy.core.repair.engine import Patience, State
from gemproxy.core.repair.events import Fail, Finish, How, Out, Resume
from gemproxy.core.repair.intake import Intake, PassOn, Step
from gemproxy.exchange.account import Glimpse, Wait
from gemproxy.exchange.exchange import Exchange
from gemproxy.generation.kinds import AnswerKind, Course, M, Use
from gemproxy.generation.pump import Pump
from gemproxy.generation.reader import Reader
from gemproxy.relay.bell import Bell
from gemproxy.relay.headers import retry_after
from gemproxy.relay.leases import Witness
from gemproxy.relay.pacing import Interrupted, Pacing
from gemproxy.relay.pages import Refusal
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.watch import Timing, Watch

log = logging.getLogger("gemproxy.relay")

Headers = Mapping[str, str]

_OK = 200
_ERROR_BODY_LIMIT = 1 << 20


class OpenAttempt(Protocol):
    """Makes one attempt that asks for what the machine says."""

    def __call__(self, asked: Any, /) -> AbstractAsyncContextManager[Reply]:  # noqa: ANN401 (the machine's own)
        """Yield the reply."""


class Refused(Exception):
    """The upstream refused before anything was sent; ``refusal`` is its answer, as it came."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"the upstream answered with status {refusal.status}")
        self.refusal = refusal


def ready(_size: int) -> bool:
    """Return True: nothing has to be waited for before more is read."""
    return True


async def _pass_nothing_on(_reply: Reply) -> None:
    raise AssertionError("a kind of answers whose replies may pass needs somebody to pass them on")


@attrs.define(eq=False)
class Generation(Generic[M]):
    """Runs one answer to its end, for one reader.

    ``exchange`` is the request that it answers; the record of what became of it goes into the
    exchange's account. ``open_attempt`` makes one attempt that asks for what the machine says.
    ``pacing`` says when the next one is made. ``response_headers`` turns an attempt's headers into
    the client's. ``max_bytes`` is what the client may get and have waiting for it, since the text
    is kept to be resumed, and what one attempt may bring; what an attempt only repeats is not
    kept. ``arriving`` tells whether the client still sends its request. ``pass_on`` gives the
    client a reply that is no answer of this kind, where the kind has such replies. ``expect`` hears
    of the bytes of a frame that is not whole; where it returns False, the reader's ``settle`` is
    awaited before more is read.
    """

    kind: AnswerKind[M]
    exchange: Exchange
    intake: Intake[M]
    reader: Reader
    open_attempt: OpenAttempt
    pacing: Pacing
    timing: Timing
    response_headers: Callable[[Headers], Headers]
    max_bytes: float = math.inf
    arriving: Callable[[], bool] = bool
    pass_on: Callable[[Reply], Awaitable[None]] = _pass_nothing_on
    expect: Callable[[int], bool] = ready
    machine: M = attrs.field(init=False)
    course: Course = attrs.field(factory=Course, init=False)
    _opening: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _headers: Headers = attrs.field(factory=dict, init=False)
    _rejection: tuple[int, Headers] | None = attrs.field(default=None, init=False)
    _seam_since: float | None = attrs.field(default=None, init=False)
    _tried: Attempt | None = attrs.field(default=None, init=False)
    _renamed: bool = attrs.field(default=False, init=False)
    _received: int = attrs.field(default=0, init=False)
    _received_before: int = attrs.field(default=0, init=False)
    _witness: Witness | None = attrs.field(default=None, init=False)
    _causes: int = attrs.field(default=0, init=False)
    _reading: Reply | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.machine = self.intake.machine

    async def run(self) -> None:
        """Run attempts until the answer is complete or has failed.

        Raises a GemproxyError, or Refused, when it failed before anything was sent: the answer
        is then the caller's to give. Raises what ``pass_on`` raises, and ClientGone. Other
        failures are told to the reader here.
        """
        account = self.exchange.account
        with Watch(self.timing, self._show, self._beat) as watch:
            account.glance = lambda: self._glimpse(watch)
            account.interrupt = self.interrupt
            try:
                while True:
                    step = await self._attempt(watch)
                    resume = await self._act(step, watch)
                    if resume is None:
                        return
                    if not resume.at_once:
                        await self.pacing.pause(Interrupted(resume.cause, resume.after))
            except Interrupted as spent:
                await self._act(self.intake.gave_up(spent.gave_up), watch)
            finally:
                account.glance = account.interrupt = None
                self._name_the_last()
                self.course.attempts = max(self.course.attempts, len(account.entries))
                account.result = self.kind.result(self.machine, self.course)
                self._complete()

    def interrupt(self) -> bool:
        """Close the connection of the attempt that is read, and return whether there is one.

        To the machine it is a connection that dropped. An answer that nobody would repair is left
        alone.
        """
        if self._reading is None or not self.kind.repairs(self.machine):
            return False
        self._reading.abort(How.RESET)
        return True

    def _note(self) -> None:
        """Complete the attempt's entry, if it got as far as to have one."""
        entries = self.exchange.account.entries
        if not entries or entries[-1].usage is not None:
            return
        causes = self.machine.causes
        if len(causes) > self._causes:  # also where nothing can follow
            self._causes, entries[-1].cause = len(causes), causes[-1]
        self._complete()
        entries[-1].named = self.kind.name(self.machine)

    def _complete(self) -> None:
        """Write into the last entry what the machine knows of its attempt."""
        entries = self.exchange.account.entries
        if entries and entries[-1].usage is None:
            self.kind.note(self.machine, self._tried, entries)

    def _name_the_last(self) -> None:
        """Note what the answer of an attempt calls itself that was left in its middle."""
        entries = self.exchange.account.entries
        if entries and entries[-1].named is NAMELESS and entries[-1].cause is None:
            entries[-1].named = self.kind.name(self.machine)

    def _glimpse(self, watch: Watch) -> Glimpse:
        """Return what the answer is doing; its present attempt's entry says how far that is."""
        entries = self.exchange.account.entries
        if entries and entries[-1].ended is None:
            self.kind.tell(self.machine, self._tried, entries)
            if entries[-1].answered is not None:
                entries[-1].bytes = self._received - self._received_before
        return self.kind.glimpse(self.machine, self._wait(watch))

    def _wait(self, watch: Watch) -> Wait:
        """Return what the answer waits for."""
        if watch.busy:
            return Wait("client")
        entries, due = self.exchange.account.entries, self.pacing.due
        asked = entries[-1] if entries else None
        if due is not None:
            return Wait("pause", left=due - self.pacing.clock())
        if asked is None or asked.ended is not None:
            return Wait("key")
        if asked.answered is not None:
            return watch.wait or Wait()
        patience = self.timing.patience[Patience.FIRST_BYTE]
        silence, left = time.monotonic() - asked.began, self.timing.deadline.left
        left = patience - silence if left is None else left
        return Wait(Patience.FIRST_BYTE.value, silence, patience, left)

    async def _show(self) -> None:
        """Send the head early, but not while the request arrives: a bad body has its own status."""
        if not self.kind.head_at_once and not self.arriving():
            await self._commit()

    async def _beat(self) -> None:
        """Show the client that its answer is alive; the head may be due still."""
        if self.reader.committed:
            await self.reader.heartbeat()
        else:
            await self._show()

    async def _attempt(self, watch: Watch) -> Step:
        self.course.attempts += 1
        self._tried = self.kind.tried(self.machine)
        try:
            asked = self.machine.next_request
            async with self.open_attempt(asked) as reply:
                use = self.kind.use(self.machine, reply, self.reader)
                if use is Use.READ:
                    self._reading = reply
                    step = await self._read(reply, watch)
                else:
                    step = await self._take(reply, use)
                self._note()  # before the lease hears of the attempt
                return step
        except AttemptFailed as failure:
            if self.course.passed:
                raise
            step = self.intake.failed_to_open(failure.how)
            self._note()
            return step
        except GemproxyError as error:  # no key can serve, or the client's body broke on the way up
            if self.course.passed:
                raise
            if self.machine.state is State.CONNECTING:
                return self.intake.gave_up(type(error).__name__, error)
            return Step((), Fail(error))
        finally:
            self._reading = None

    async def _take(self, reply: Reply, use: Use) -> Step:
        """Take a reply that is not read; a step without a next one ends the generation."""
        if use is Use.REFUSAL:
            body = await reply.read_error(_ERROR_BODY_LIMIT)
            self._rejection = reply.status, self.response_headers(reply.headers)
            after, another = retry_after(reply.headers), reply.another
            return self.intake.rejected(reply.status, body, after, another=another)
        if use is Use.NOTHING:
            return self.intake.failed_to_open(How.GARBLED)
        self.course.passed = True
        await self.pass_on(reply)
        return Step()

    async def _read(self, reply: Reply, watch: Watch) -> Step:
        """Move bytes until the machine has a verdict on the attempt.

        The handler itself reads up to the attempt's first write: a pump would not pay yet.
        """
        self._rejection = None
        self._received_before = self._received
        if not self.reader.committed:
            self._headers = reply.headers
        self.intake.opened(reply.headers.get("Content-Type", ""), another=reply.another)
        self._witness, reply.witness = reply.witness, None
        if self.kind.head_at_once:
            await self._commit()
            watch.wrote = True
        bell: Bell | None = None
        step = await self._move(reply, watch)
        while step.next is None:
            await (self._emit(step.out, watch) if step.out else self._settle(watch))
            del step  # see below
            if bell is None:
                bell = Bell()
                reply.ring(bell)
            step = await Pump(self._move(reply, watch), bell).run()
        following = step.next
        if isinstance(following, Resume | Fail) and isinstance(following.error, UpstreamRejection):
            reply.error = upstream_error(following.error.body)  # an error in the stream
            if isinstance(following, Fail) and _is_of_our_key(reply, following.error):
                return Step(step.out, Fail(KeyRefused(), following.silently))
        refusal = refusal_behind(self.kind.finish(self.machine))
        if refusal is not None:
            reply.error = refusal
        return step

    async def _move(self, reply: Reply, watch: Watch) -> Step:
        """Move bytes until the handler is needed: for a verdict, or a write that may wait."""
        machine, intake, reader, read = self.machine, self.intake, self.reader, reply.read
        witness = self._witness
        try:
            while self._received <= self.max_bytes or not self._is_too_large():
                watch.wait_for(machine.patience, reply.abort)
                how = How.EOF
                try:
                    data = await read()
                except AttemptFailed as failure:
                    data, how = b"", failure.how
                if data:
                    self._received += len(data)
                    step = intake.received(data)
                    if witness is not None:
                        await self._look(witness, reply)
                else:
                    step = intake.ended(how)
                if machine.causes:
                    step = await self._judged(step, watch)
                    self._time_the_seam()
                if not step.out and self._pauses(step, len(data), watch):
                    return Step()
                if step.out and step.next is None:
                    first = self.course.first_byte_ms is None
                    if first or not await reader.offer(step.out):
                        return step if first else Step()
                    watch.wrote = True
                if step.next is not None:
                    return step
                del step, data  # an image would otherwise be kept until the next one is whole
            given_up = intake.gave_up(f"it is larger than {self.max_bytes} bytes")
            return await self._judged(given_up, watch)
        finally:
            watch.heard()

    def _pauses(self, step: Step, size: int, watch: Watch) -> bool:
        """Note a read that completed no frame; return whether ``settle`` is due before the next.

        The head waits while it is not known whose Content-Type it has.
        """
        watch.busy = self.intake.undecided and not self.reader.committed
        return step.next is None and not self.expect(size)

    async def _look(self, witness: Witness, reply: Reply) -> None:
        """Have the names in the last read recorded; plain events have none."""
        intake = self.intake
        if intake.rest or witness.waits:
            names = witness.look(intake.rest, anew=intake.ran)
            if names:
                await reply.record(names)

    def _is_too_large(self) -> bool:
        """Tell whether there is too much; asked only when the attempts have brought that much."""
        sent, of_this_attempt = self.reader.sent, self._received - self._received_before
        return max(sent + self.machine.waiting(sent), of_this_attempt) > self.max_bytes

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
        if self.course.first_byte_ms is None:
            if not self.reader.committed:
                await self._commit()
            self._note_first_byte()
        if not await self.reader.offer(out):
            await self.reader.settle()
        watch.busy = False
        watch.wrote = True

    async def _settle(self, watch: Watch) -> None:
        watch.busy = True
        await self.reader.settle()
        watch.busy = False
        watch.wrote = True

    def _note_first_byte(self) -> None:
        now = time.monotonic()
        self.course.first_byte_ms = round((now - self.course.began) * 1000, 1)
        entries = self.exchange.account.entries
        if entries:
            entries[-1].first = now

    async def _commit(self) -> None:
        async with self._opening:
            if not self.reader.committed:
                await self.reader.open(_OK, self._head())

    def _head(self) -> Headers:
        """Return the headers of the answer; the Content-Type is ours where the framing is."""
        headers, self._renamed = self._headers, self.intake.misnamed
        if self._renamed:
            headers = CIMultiDict(headers)
            headers["Content-Type"] = self.reader.content_type
        return self.response_headers(headers)

    def _time_the_seam(self) -> None:
        """Measure how long the first text of each resumed attempt was held."""
        now = time.monotonic()
        if self.machine.state is State.SPLICING:
            if self._seam_since is None and self.machine.holding:
                self._seam_since = now
            return
        if len(self.machine.joints) > len(self.course.seam_seconds):
            self.course.seam_seconds.append(now - (self._seam_since or now))
            for entry in self.exchange.account.entries[-1:]:
                entry.joint, entry.seam = self.machine.joints[-1], self.course.seam_seconds[-1]
        self._seam_since = None

    async def _act(self, step: Step, watch: Watch) -> Resume | None:
        """Give the reader what a step still has for it, and do what it decided."""
        following = step.next
        if isinstance(following, Finish):
            await self._finish(step.out, following, watch)
            return None
        if isinstance(following, PassOn):
            await self._pass_on(following.body, watch)
            return None
        if step.out:
            await self._emit(step.out, watch)
        if isinstance(following, Resume):
            self._log(following)
            return following
        if isinstance(following, Fail):
            watch.busy = True
            await self._fail(following)
        return None

    def _log(self, resume: Resume) -> None:
        log.debug(
            "attempt interrupted",
            extra={
                "attempt": self.course.attempts,
                "cause": resume.cause.value,
                "progress": self.machine.progress,
            },
        )

    async def _finish(self, out: tuple[Out, ...], finish: Finish, watch: Watch) -> None:
        watch.busy = True  # a heartbeat behind the end would belong to the next answer
        if not self.reader.committed:
            await self._commit()
        if out and self.course.first_byte_ms is None:
            self._note_first_byte()
        try:
            await self.reader.finish(out, finish.tail)
        except GemproxyError as error:
            self.course.unsaid = True
            await self._fail(Fail(error))

    async def _pass_on(self, body: bytes, watch: Watch) -> None:
        """Give the client an answer that is no generation, unless its head says that it is one."""
        watch.busy = True
        if not self.kind.passes or (self.reader.committed and self._renamed):
            await self._fail(Fail(UpstreamFailure("The upstream answered with no generation.")))
            return
        self.course.passed = True
        if not self.reader.committed:
            await self._commit()
        if self.course.first_byte_ms is None:
            self._note_first_byte()
        await self.reader.pass_on(body)

    async def _fail(self, fail: Fail) -> None:
        error = fail.error
        if self.reader.committed:
            await self.reader.fail(None if fail.silently else error.payload(self.exchange.id))
        elif self._rejection is not None and isinstance(error, UpstreamRejection):
            raise Refused(Refusal(*self._rejection, error.body))
        else:
            raise error


def _is_of_our_key(reply: Reply, error: UpstreamRejection) -> bool:
    """Return whether an error in a stream speaks of a key of the pool, which the client has not."""
    return reply.another and blame(error.rejected_with, reply.error) is Fault.KEY
