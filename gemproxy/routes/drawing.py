"""``POST /v1/images/generations`` and ``/v1/images/edits``: pictures for clients of OpenAI's.

Each picture is a ``:generateContent`` of its own, all side by side, and each is asked for again
while nothing came. Some may fail: the answer has those that came and says which did not. It is an
error if none came. One request has one estimate, one hold and one row, for all its pictures.

A link is made as soon as its picture is there. If the store fails, the bytes stand in its place.
"""

import asyncio
import time
from collections.abc import Sequence

import attrs
from aiohttp import web

from gemproxy.core.answer.rewrite import dump
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import DeadlinePassed, GemproxyError
from gemproxy.core.repair.unary import Look
from gemproxy.exchange.account import Account, CallResult, Spent
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.parting import part
from gemproxy.generation.collecting import Waiting
from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import NotKept
from gemproxy.openai.document import OpenAIDocumentVoice
from gemproxy.openai.encoding import encoded
from gemproxy.openai.image_answers import Drawn, ImageEventVoice, Result, as_event, picture_in, told
from gemproxy.openai.image_requests import Drawing, pictures_in, translate
from gemproxy.relay.downstream import ClientSink
from gemproxy.routes.addressing import addresses_of
from gemproxy.routes.documents import Documents
from gemproxy.routes.forms import is_form, pictures_of
from gemproxy.routes.metered import begin
from gemproxy.routes.native import document_of, native
from gemproxy.routes.parts import CLIENTS, EXCHANGE, PICTURE_STORE, REPAIR, STUDIO

_METHOD = "generateContent"
_EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


async def generations(request: web.Request) -> web.StreamResponse:
    """Answer a request for new pictures."""
    async with request.app[REPAIR].bodies.receive(request, whole=True) as received:
        asked = translate(document_of(received.kept), request.app[STUDIO])
        return await _Pictures(request, asked, "image_generation").answer()


async def edits(request: web.Request) -> web.StreamResponse:
    """Answer a request for changed pictures."""
    async with request.app[REPAIR].bodies.receive(request, whole=True) as received:
        if is_form(request.headers):
            document, pictures = await pictures_of(request.headers, received.kept)
        else:
            document = document_of(received.kept)
            pictures = pictures_in(document)
        asked = translate(document, request.app[STUDIO], pictures)
        return await _Pictures(request, asked, "image_edit").answer()


@attrs.define(eq=False)
class _Pictures:
    """The pictures of one request; ``event`` is the first part of the name of its events."""

    request: web.Request
    asked: Drawing
    event: str
    _documents: list[Documents] = attrs.field(factory=list)
    _parts: list[Account] = attrs.field(factory=list)

    async def answer(self) -> web.StreamResponse:
        """Give the client the pictures. Raises a GemproxyError while it has nothing."""
        exchange, timing = self.request[EXCHANGE], self.request.app[REPAIR].timing
        waiting = self._waiting()
        try:
            async with waiting.kept_warm(timing.headers_after, timing.heartbeat):
                body = await self._body(exchange)
                await waiting.give(body)
        except GemproxyError as error:
            if not waiting.committed:
                raise
            await waiting.fail(error.payload(exchange.id))
        return waiting.client.response

    def _waiting(self) -> Waiting:
        voice = ImageEventVoice() if self.asked.stream else OpenAIDocumentVoice()
        patience = self.request.app[CLIENTS].send_timeout
        sink = ClientSink(self.request, voice, patience, web.StreamResponse())
        return Waiting(sink, _EVENTS) if self.asked.stream else Waiting(sink)

    async def _body(self, exchange: Exchange) -> bytes:
        """Return the answer; the account has what became of the request, however it ends."""
        account, asked = exchange.account, self.asked
        account.model = asked.model
        account.answers = account.calls = asked.n
        towards = native(exchange, asked.model, _METHOD)
        body = encoded(asked.body())
        body = await begin(self.request, body, asked.model) or body
        given = Billed()
        try:
            results = await self._draw(towards, body)
            used = sum((one.judge.billed for one in self._documents), Billed())
            document = told(results, int(time.time()), used, links=asked.links)
            given = self._own(results)
        finally:
            self._join(account, given)
        return as_event(document, self.event) if asked.stream else dump(document)

    async def _draw(self, towards: Exchange, body: bytes) -> Sequence[Result]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(towards, body)) for _ in range(self.asked.n)]
        return [task.result() for task in tasks]

    async def _one(self, towards: Exchange, body: bytes) -> Result:
        """Return what became of one picture."""
        account = part(towards.account)
        self._parts.append(account)
        documents = Documents(self.request, "picture", self.asked.model, Look.GENERATION)
        self._documents.append(documents)
        exchange = attrs.evolve(towards, account=account, due=towards.deadline)
        seconds = self.request.app[STUDIO].seconds
        try:
            async with asyncio.timeout(seconds):
                answer = await documents.fetch(exchange, body)
            drawn = picture_in(answer)
        except TimeoutError:
            late = DeadlinePassed(f"The picture did not come within {seconds:g} seconds.")
            return Result(failed=late)
        except GemproxyError as error:
            return Result(failed=error)
        return Result(drawn, await self._link(drawn) if self.asked.links else "")

    async def _link(self, drawn: Drawn) -> str:
        """Return a link to a picture, or an empty text if it cannot be kept."""
        base = addresses_of(self.request).ours or ""
        try:
            kept = await self.request.app[PICTURE_STORE].put(drawn.picture().data, base)
        except (StoreDown, NotKept):
            return ""
        return kept.url

    def _own(self, results: Sequence[Result]) -> Billed:
        """Return the client's part: the last answer of each picture that came."""
        pairs = zip(self._documents, results, strict=True)
        return sum((one.judge.usage for one, result in pairs if result.drawn), Billed())

    def _join(self, account: Account, own: Billed) -> None:
        """Write what became of all pictures into the account of the request."""
        entries = [entry for one in self._parts for entry in one.entries]
        account.entries += sorted(entries, key=lambda entry: entry.began)
        judges = [one.judge for one in self._documents]
        causes = [cause for judge in judges for cause in judge.causes]
        bills = tuple(bill for judge in judges for bill in judge.bills)
        repair = any(judge.policy.repair for judge in judges)
        spent = Spent(bills, own, unread=bool(own.total) and not own.prompt)
        account.result = CallResult(len(entries), causes, repair, spent=spent)
