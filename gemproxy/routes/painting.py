"""The pictures of one request, for the routes that draw: each is a request of its own to Gemini's.

All are drawn side by side, and each is asked for again while nothing came. Some may fail; the route
tells what became of them. One request has one estimate, one hold and one row, for all its pictures.

A link is made as soon as its picture is there. If the store fails, the bytes stand in its place.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import attrs
from aiohttp import web

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import DeadlinePassed, GemproxyError
from gemproxy.core.repair.unary import Look
from gemproxy.exchange.account import Account, CallResult, Spent
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.parting import part
from gemproxy.generation.collecting import Waiting
from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import NotKept
from gemproxy.openai.encoding import encoded
from gemproxy.openai.image_answers import Drawn, Result, picture_in
from gemproxy.openai.image_requests import Drawing
from gemproxy.relay.downstream import ClientSink
from gemproxy.routes.addressing import addresses_of
from gemproxy.routes.documents import Documents
from gemproxy.routes.metered import begin
from gemproxy.routes.native import native
from gemproxy.routes.parts import CLIENTS, EXCHANGE, LIVE, PICTURE_STORE
from gemproxy.voices.voice import Asides

_METHOD = "generateContent"


@attrs.frozen
class Painted:
    """What became of the pictures of a request, which began at a Unix time.

    ``used`` is what all attempts used together; ``own`` the client's part of it: the last answer of
    each picture that came.
    """

    results: Sequence[Result]
    used: Billed
    own: Billed
    began: float


@attrs.define(eq=False)
class Painting:
    """Draws what is asked for; ``tell`` makes the answer, or raises the error if no picture came.

    ``gate`` is entered while the request is admitted.
    """

    request: web.Request
    asked: Drawing
    tell: Callable[[Painted], bytes]
    gate: AbstractContextManager[None] = attrs.field(factory=contextlib.nullcontext)
    _documents: list[Documents] = attrs.field(factory=list, init=False)
    _parts: list[Account] = attrs.field(factory=list, init=False)

    async def answer(
        self, voice: Asides, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        """Give the client the answer, with ``headers`` or as JSON.

        Raises a GemproxyError while the client has nothing.
        """
        exchange, timing = self.request[EXCHANGE], self.request[LIVE].repair.timing
        patience = self.request.app[CLIENTS].send_timeout
        sink = ClientSink(self.request, voice, patience, web.StreamResponse())
        waiting = Waiting(sink) if headers is None else Waiting(sink, headers)
        try:
            async with waiting.kept_warm(timing.headers_after, timing.heartbeat):
                body = self.tell(await self._painted(exchange))
                await waiting.give(body)
        except GemproxyError as error:
            if not waiting.committed:
                raise
            await waiting.fail(error.payload(exchange.id))
        return waiting.client.response

    async def _painted(self, exchange: Exchange) -> Painted:
        """Return the pictures; the account has what became of the request, however it ends."""
        account, asked, began = exchange.account, self.asked, time.time()
        account.model = asked.model
        account.answers = account.calls = asked.n
        towards = native(exchange, asked.model, _METHOD)
        body = encoded(asked.body())
        with self.gate:
            body = await begin(self.request, body, asked.model) or body
        own = Billed()
        try:
            results = await self._draw(towards, body)
            own = self._own(results)
        finally:
            self._join(account, own)
        used = sum((one.judge.billed for one in self._documents), Billed())
        return Painted(results, used, own, began)

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
        seconds = self.request[LIVE].studio.seconds
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
