"""One unary call: attempts upstream until there is an answer to pass on.

An answer of moderate size is read to its end before its head goes out. Until then nothing
is lost by asking again, so a 5xx, a reset in the middle, an empty reply, false compression or
text without a finishReason is made good. An answer that is not whole is never passed on. A
larger answer, and one that is no JSON (a download, an event stream), is passed on as it
comes; when it breaks, the client's connection is to be cut short.

The bytes that are passed on are the upstream's, compression and all.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs
from multidict import CIMultiDict

from gemproxy.core.answer.bystander import Bystander
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import DeadlinePassed, GemproxyError, KeyRefused, Unserved
from gemproxy.core.repair.blame import Fault, blame, refusal_behind
from gemproxy.core.repair.events import How, Resume
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.core.repair.unary import Judge, Look
from gemproxy.core.repair.verdict import error_status
from gemproxy.exchange.account import CallResult, GenerationCost, Spent
from gemproxy.exchange.deadline import Deadline
from gemproxy.relay.bodies import Bodies
from gemproxy.relay.coding import FalseCoding, beginning, decoded
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.headers import downstream_headers, is_event_stream, retry_after
from gemproxy.relay.pacing import Interrupted, Pacing
from gemproxy.relay.pages import Refusal
from gemproxy.relay.upstream import AttemptFailed, Reply

Headers = Mapping[str, str]
Rewrite = Callable[[bytes], bytes | None]
Translate = Callable[[CIMultiDict[str]], None]
Retell = Callable[[Refusal], Refusal]

_OK = 200
_ERRORS = 400
_SLICE = 1 << 18
_ERROR_TEXT_LIMIT = 1 << 20
_JUDGED = 64 << 20


@attrs.frozen
class Answer:
    """A whole answer of the upstream, its body as it came; ``cost`` is None until it is judged."""

    status: int
    headers: Headers
    body: bytes = attrs.field(repr=False)
    cost: Billed | None = None

    @property
    def coding(self) -> str:
        """The Content-Encoding of the body."""
        return self.headers.get("Content-Encoding", "identity").strip().lower()

    @property
    def document(self) -> bytes | None:
        """The JSON in the body; None for another type and for a coding that is not undone.

        Raises FalseCoding for an answer that nobody can read. Of an error only the beginning is
        looked at, and one that cannot be read says enough by its status.
        """
        if not is_json(self.headers):
            return None
        if self.coding == "identity":
            return self.body
        if self.status >= _ERRORS:
            return beginning(self.body, self.coding, _ERROR_TEXT_LIMIT)
        return decoded(self.body, self.coding, _JUDGED)


@attrs.define(eq=False)
class Shelf:
    """Room for one answer of up to ``each`` bytes, in the space that ``bodies`` shares."""

    bodies: Bodies
    each: int
    taken: int = 0

    def takes(self, size: int) -> bool:
        """Take ``size`` more bytes; return False, and give all back, where they do not fit."""
        self.taken += size
        self.bodies.held += size
        fits = self.taken <= self.each and self.bodies.held <= self.bodies.total
        if not fits:
            self.clear()
        return fits

    def clear(self) -> None:
        """Give back what was taken."""
        self.bodies.held -= self.taken
        self.taken = 0


class OpenReply(Protocol):
    """Makes one attempt."""

    def __call__(self) -> AbstractAsyncContextManager[Reply]:
        """Yield the answer; raise AttemptFailed when there is none."""


@attrs.define(eq=False)
class Call:
    """Runs one unary call to its end.

    ``open_attempt`` makes one attempt, ``pacing`` says when, ``judge`` says after
    which answers it goes on. ``rewrite`` returns another body for a JSON answer with 200, or
    None to leave it as it came. ``translate`` edits the headers of whatever is passed on.
    ``retell`` returns an error answer that cannot be read in another form. ``silence`` counts the
    seconds that an answer may pause once it has begun.
    """

    judge: Judge
    open_attempt: OpenReply
    pacing: Pacing
    sink: ClientSink
    shelf: Shelf
    deadline: Deadline
    silence: float
    rewrite: Rewrite | None = None
    translate: Translate | None = None
    retell: Retell | None = None
    attempts: int = 0
    _last: Answer | None = None
    _failure: AttemptFailed | None = None
    _passed: Answer | None = None
    _bystander: Bystander | None = None

    async def run(self) -> None:
        """Make attempts until one is answered, and pass that answer on.

        Raises a GemproxyError when there is none; AttemptFailed when an answer breaks whose
        beginning the client has; ClientGone.
        """
        try:
            answer = await self._answer()
            if answer is not None:
                self._passed = answer
                await self._pass_on(answer)
        finally:
            self.shelf.clear()

    def report(self) -> CallResult:
        """Return what became of the call; figures, no content."""
        judge, generation = self.judge, None
        if judge.look is Look.GENERATION:
            generation = GenerationCost(judge.finish_reason, judge.billed, judge.extra_tokens)
        upstream = self._failure.how if self._failure else None
        return CallResult(
            self.attempts, judge.causes, judge.policy.repair, generation, upstream, self._spent()
        )

    def _spent(self) -> Spent | None:
        """Return what the call cost; its client pays for the answer that was passed on."""
        if self.judge.look is Look.STATUS:
            return None
        bills, passed = tuple(self.judge.bills), self._passed
        if self._bystander is not None:
            told = Spent.told(self._bystander.usage, self._bystander.output)
            return attrs.evolve(told, bills=bills + told.bills)
        if passed is None or passed.status >= _ERRORS:
            return Spent(bills)
        own = passed.cost or Billed()
        return Spent(bills, own, unread=not (own.prompt or own.pictures))

    async def _answer(self) -> Answer | None:
        """Return the answer to pass on, or None when it was passed on as it came.

        When the retries are used up that is the last one, or an earlier one that was no
        error: an empty reply tells more than the failure to get a better one. So it is when no key
        can serve another attempt.
        """
        try:
            return await self.pacing.run(self._attempt)
        except Interrupted:
            pass
        except Unserved:
            if self._last is None or self._last.status >= _ERRORS:
                raise
        return self._instead()

    def _instead(self) -> Answer:
        """Return the answer that is passed on for want of a better one."""
        if self._last is None:
            raise self._no_answer()
        return self._last

    async def _attempt(self) -> Answer | None:
        self.attempts += 1
        self.shelf.clear()
        try:
            async with self.open_attempt() as reply:
                body = await self._read(reply)
                if body is None:
                    return None
                answer = Answer(reply.status, reply.headers, body)
                resume = self._judge(reply, await _document_of(answer))
                answer = attrs.evolve(answer, cost=self.judge.usage)
        except AttemptFailed as failure:
            self._failure = failure
            if self.sink.committed:
                raise
            self._go_on(self.judge.broke(failure.how))
            return self._instead()
        self._failure = None
        if not self.judge.whole:
            self._go_on(resume)
            return self._instead()
        if resume is not None and (self._last is None or self._last.status >= _ERRORS):
            self._last = answer
        self._go_on(resume)
        return answer

    def _judge(self, reply: Reply, document: bytes | None) -> Resume | None:
        """Return how to go on after an answer, and note what it says for its lease."""
        judge, after = self.judge, retry_after(reply.headers)
        resume = judge.answered(reply.status, document, after, another=reply.another)
        reply.error = judge.error or refusal_behind(judge.finish_reason)
        reply.usage, reply.named = judge.usage, judge.named
        if resume is None and reply.another and judge.error is not None:
            status = error_status(judge.error)
            if blame(status, judge.error) is Fault.KEY:
                raise KeyRefused
        return resume

    def _go_on(self, resume: Resume | None) -> None:
        if resume is not None:
            raise Interrupted(resume.cause, resume.after, at_once=resume.at_once)

    async def _read(self, reply: Reply) -> bytes | None:
        """Return the whole body, or None when it was passed on because it does not fit."""
        pieces: list[bytes] = []
        if self._may_fit(reply):
            while data := await reply.read():
                if not pieces:
                    reply.allow_silence(self.silence)
                pieces.append(data)
                if not self.shelf.takes(len(data)):
                    break
            else:
                return b"".join(pieces)
        await self._stream(reply, pieces)
        return None

    def _may_fit(self, reply: Reply) -> bool:
        length = reply.headers.get("Content-Length", "0")
        fits = length.isdecimal() and int(length) <= self.shelf.each
        return fits and (reply.status >= _ERRORS or is_json(reply.headers))

    async def _stream(self, reply: Reply, pieces: list[bytes]) -> None:
        reply.allow_silence(self.silence)
        await self.sink.open(reply.status, self._headers(reply.headers))
        seen = None
        if self.judge.look is not Look.STATUS and reply.status < _ERRORS:
            seen = self._bystander = bystander_of(reply.headers)
        try:
            for piece in pieces:
                await self._emit(piece, seen)
            pieces.clear()
            while data := await reply.read():
                await self._emit(data, seen)
            await self.sink.finish()
        finally:
            if seen is not None:
                seen.close()

    async def _emit(self, data: bytes, seen: Bystander | None) -> None:
        if seen is not None:
            seen.take(data)
        await self.sink.emit(data)

    async def _pass_on(self, answer: Answer) -> None:
        body = None
        plain = answer.coding == "identity" and is_json(answer.headers)
        if self.rewrite is not None and answer.status == _OK and plain:
            body = self.rewrite(answer.body)
        headers = self._headers(answer.headers, rewritten=body is not None)
        if body is None and self.retell is not None:
            told = self.retell(Refusal(answer.status, headers, answer.body))
            headers, body = CIMultiDict(told.headers), told.body
        elif body is None:
            body = answer.body
        else:
            headers["Content-Length"] = str(len(body))
        if body:
            await self.sink.answer(answer.status, headers, body)
            return
        await self.sink.open(answer.status, headers)
        await self.sink.finish()

    def _headers(self, headers: Headers, *, rewritten: bool = False) -> CIMultiDict[str]:
        passed = downstream_headers(headers, rewritten=rewritten)
        if self.translate is not None:
            self.translate(passed)
        return passed

    def _no_answer(self) -> GemproxyError:
        """Return what the client is told when there is no answer to pass on."""
        if self.deadline.passed:
            return DeadlinePassed("There was no answer within X-Server-Timeout.")
        how = self._failure.how if self._failure else None
        return unanswered(how, begun=True)


def is_json(headers: Headers) -> bool:
    """Tell an answer whose body is JSON, by its type."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"


def bystander_of(headers: Headers) -> Bystander:
    """Return what reads the cost of an answer with these headers while it passes by."""
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    packed = coding in {"gzip", "x-gzip", "deflate"}
    readable = packed or coding in {"", "identity"}
    return Bystander(is_event_stream(headers), readable=readable, packed=packed)


async def _document_of(answer: Answer) -> bytes | None:
    """Return the JSON of an answer; a large one is unpacked beside the loop.

    Raises AttemptFailed for one that is not what its coding says.
    """
    try:
        if answer.coding == "identity" or len(answer.body) <= _SLICE:
            return answer.document
        return await asyncio.to_thread(lambda: answer.document)
    except FalseCoding as error:
        raise AttemptFailed(How.GARBLED, f"the body is no {error}") from error
