"""JSON documents of the upstream's that an answer is made of: whole, or an error.

A list has pages of several projects, and embeddings come in batches. Each document is asked for
again after an error that may pass, if that is wanted.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
from aiohttp import web

from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.core.errors import UpstreamFailure, UpstreamRejection, upstream_error
from gemproxy.core.repair.events import How, Resume
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.core.repair.unary import Judge, Look
from gemproxy.core.repair.verdict import retry_delay
from gemproxy.exchange.account import CallResult
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.coding import FalseCoding
from gemproxy.relay.headers import retry_after
from gemproxy.relay.pacing import Interrupted
from gemproxy.relay.unary import Answer
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.wants import DOCUMENT, Want
from gemproxy.routes.parts import DISPATCHER, EXCHANGE, LIVE
from gemproxy.routes.refusing import beginning

Json = dict[str, Any]

_ERRORS = 400
LARGEST = 32 << 20
"""Bytes of an answer beyond which no more of it is read."""


async def whole(reply: Reply) -> bytes:
    """Return the body of an answer; of one that is too large, the beginning."""
    return await beginning(reply, LARGEST)


@attrs.define(eq=False)
class Documents:
    """Fetches documents for a request; ``what`` is the word for one, ``model`` whose they are.

    ``look`` says how they are judged. ``take`` reads the body of an answer, as ``want`` says.

    ``headers`` are those of the last document that came.
    """

    request: web.Request
    what: str
    model: str = ""
    look: Look = Look.DOCUMENT
    take: Callable[[Reply], Awaitable[bytes]] = whole
    want: Want = DOCUMENT
    judge: Judge = attrs.field(init=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        repair = self.request[LIVE].repair
        wanted = repair.is_wanted(self.request[EXCHANGE].headers)
        policy = repair.policy.for_request(repair=wanted)
        self.judge = Judge(StreamRequest(b""), policy, self.look)

    async def fetch(self, exchange: Exchange, body: bytes | None = None) -> Json:
        """Return the JSON of an answer with 200; raise UpstreamFailure when there is none."""
        pacing = self.request[LIVE].repair.pacing(exchange, self.model, lambda: 0)
        while True:
            failure: UpstreamFailure
            try:
                answer, document, resume = await self._attempt(exchange, body)
            except AttemptFailed as failed:
                resume, failure = self.judge.broke(failed.how), unanswered(failed.how, begun=True)
            else:
                if resume is None and answer.status < _ERRORS:
                    self.headers = answer.headers
                    return self._object(document)
                failure = self._failure(answer, document)
            if resume is None:
                raise failure
            try:
                await pacing.pause(Interrupted(resume.cause, resume.after))
            except Interrupted:
                raise failure from None

    def result(self) -> CallResult:
        """Return what became of all of it; figures, no content."""
        attempts = len(self.request[EXCHANGE].account.entries)
        return CallResult(attempts, self.judge.causes, self.judge.policy.repair)

    async def _attempt(
        self, exchange: Exchange, body: bytes | None
    ) -> tuple[Answer, bytes | None, Resume | None]:
        """Return the answer of one attempt, its JSON if it has any, and how to go on."""
        async with self.request.app[DISPATCHER].attempt(exchange, body, self.want) as reply:
            answer = Answer(reply.status, reply.headers, await self.take(reply))
            try:
                document = answer.document
            except FalseCoding as error:
                raise AttemptFailed(How.GARBLED, f"the body is no {error}") from error
            after = retry_after(answer.headers)
            resume = self.judge.answered(answer.status, document, after)
            reply.error, reply.usage = self.judge.error, self.judge.usage
        return answer, document, resume

    def _failure(self, answer: Answer, document: bytes | None) -> UpstreamFailure:
        """Return the error for an answer that is no document."""
        if answer.status < _ERRORS:
            return self._none()
        told = document or b""
        asked = retry_delay(upstream_error(told))
        after = retry_after(answer.headers) if asked is None else asked
        return UpstreamRejection(answer.status, told, after)

    def _object(self, document: bytes | None) -> Json:
        """Return a JSON object; raise UpstreamFailure for anything else."""
        try:
            decoded = loads(document or b"")
        except Undecodable:
            decoded = None
        if not isinstance(decoded, dict):
            raise self._none()
        return decoded

    def _none(self) -> UpstreamFailure:
        return UpstreamFailure(f"Gemini answered with something that is no {self.what}.")
