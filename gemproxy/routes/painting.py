"""The pictures of one request, for the routes that draw: each is a request of its own to Gemini's.

All are drawn side by side (``routes/canvas.py``), and each is asked for again while nothing came.
The client gets them in order, each as soon as it and all before it are there; so its answer begins
with the first picture that came, and what is known only in the end stands behind the last one. A
picture that failed is told there. If none came, it is an error.

One request has one estimate, one hold and one row, for all its pictures.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import attrs
from aiohttp import web

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import GemproxyError
from gemproxy.exchange.account import Account, CallResult, Spent
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.parting import part
from gemproxy.generation.collecting import Waiting
from gemproxy.openai.encoding import encoded
from gemproxy.openai.fields import Json
from gemproxy.openai.image_answers import Outcome, Result, Sheet
from gemproxy.openai.image_requests import Drawing
from gemproxy.relay.downstream import ClientSink
from gemproxy.routes.canvas import Canvas
from gemproxy.routes.metered import begin
from gemproxy.routes.native import native
from gemproxy.routes.parts import CLIENTS, EXCHANGE, LIVE
from gemproxy.voices.voice import Asides

_METHOD = "generateContent"


@attrs.frozen
class Painted:
    """What is known in the end of a request, which began at a Unix time.

    ``used`` is what all attempts used together; ``own`` the client's part of it: the last answer of
    each picture that it got.
    """

    outcome: Outcome
    used: Billed
    own: Billed
    began: float


@attrs.define(eq=False)
class Painting:
    """Draws what is asked for, as ``sheet`` says; ``tell`` returns what stands behind the pictures.

    ``gate`` is entered while the request is admitted.
    """

    request: web.Request
    asked: Drawing
    sheet: Sheet
    tell: Callable[[Painted], Json]
    gate: AbstractContextManager[None] = attrs.field(factory=contextlib.nullcontext)
    _canvases: list[Canvas] = attrs.field(factory=list, init=False)
    _outcome: Outcome = attrs.field(factory=Outcome, init=False)
    _own: Billed = attrs.field(factory=Billed, init=False)
    _kept: list[bytes | memoryview] = attrs.field(factory=list, init=False, repr=False)

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
                await self._paint(exchange, waiting)
        except GemproxyError as error:
            if not waiting.committed:
                raise
            await waiting.fail(error.payload(exchange.id))
        finally:
            for canvas in self._canvases:
                canvas.release()
        return waiting.client.response

    async def _paint(self, exchange: Exchange, client: Waiting) -> None:
        """Give the client the pictures, and what is said behind them."""
        account, asked, began = exchange.account, self.asked, time.time()
        account.model = asked.model
        account.answers = account.calls = asked.n
        towards = native(exchange, asked.model, _METHOD)
        body = encoded(asked.body())
        with self.gate:
            body = await begin(self.request, body, asked.model) or body
        try:
            await self._hand_out(towards, body, client)
        finally:
            self._join(account)
        if self._outcome.error is not None and not self._outcome.came:
            raise self._outcome.error
        used = sum((one.documents.judge.billed for one in self._canvases), Billed())
        rest = self.tell(Painted(self._outcome, used, self._own, began))
        await client.give(*self._kept, self.sheet.rest(rest))

    async def _hand_out(self, towards: Exchange, body: bytes, client: Waiting) -> None:
        """Draw all pictures, and give the client each in its turn; one alone is kept for the end.

        ``_outcome`` and ``_own`` say what became of them. Whatever ends this ends all calls.
        """
        for _ in range(self.asked.n):
            account = part(towards.account)
            earlier = tuple(self._canvases)
            canvas = Canvas(self.request, self.asked.model, self.asked.links, account, earlier)
            self._canvases.append(canvas)
        draws = [canvas.draw(towards, body) for canvas in self._canvases]
        tasks = deque(map(asyncio.ensure_future, draws))
        try:
            for index, canvas in enumerate(self._canvases):
                await asyncio.wait([tasks[0]])
                await self._hand(index, canvas, tasks.popleft().result(), client)
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _hand(self, index: int, canvas: Canvas, result: Result, client: Waiting) -> None:
        """Give the client a picture, or note that it failed."""
        outcome = self._outcome
        first = not outcome.came
        outcome.add(index, result)
        if result.failed is not None:
            return
        self._own += canvas.documents.judge.usage
        pieces = self.sheet.picture(result, first=first)
        if self.asked.n == 1:
            self._kept.extend(pieces)
        else:
            await client.begin(*pieces)
            canvas.release()

    def _join(self, account: Account) -> None:
        """Write what became of all pictures into the account of the request."""
        entries = [entry for one in self._canvases for entry in one.account.entries]
        account.entries += sorted(entries, key=lambda entry: entry.began)
        judges = [one.documents.judge for one in self._canvases]
        causes = [cause for judge in judges for cause in judge.causes]
        bills = tuple(bill for judge in judges for bill in judge.bills)
        repair = any(judge.policy.repair for judge in judges)
        own = self._own
        spent = Spent(bills, own, unread=bool(own.total) and not own.prompt)
        account.result = CallResult(len(entries), causes, repair, spent=spent)
