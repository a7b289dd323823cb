"""``POST /v1/chat/completions``: a request of OpenAI's dialect, answered by streams of Gemini's.

The request is translated once, and each of its ``n`` answers is a generation of its own, so that
each is resumed when it is cut. An answer that the client wants whole goes up as a stream, too. The
voice stands behind the repair: it sees what a client of Gemini's would.

One request has one estimate, one hold and one row, for all its answers.

A stream of one answer can outlive its connection, with an ``Idempotency-Key`` (``routes.keyed``).
Several answers side by side cannot, and neither can one whose pictures are kept for links: each
client would get other links.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import attrs
from aiohttp import web

from gemproxy.core.repair.engine import State
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.exchange.account import Account, StreamResult
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.parting import join, part
from gemproxy.generation.collecting import Waiting
from gemproxy.generation.connection import connection_reader
from gemproxy.generation.generation import Generation, Refused, ready
from gemproxy.generation.kinds import TRANSLATED
from gemproxy.generation.reader import Reader
from gemproxy.generation.sharing import (
    Connected,
    PartReader,
    SharedReader,
    side_by_side,
)
from gemproxy.openai.answer import Answer
from gemproxy.openai.asked import Asked
from gemproxy.openai.completion import Message, completion
from gemproxy.openai.document import OpenAIDocumentVoice
from gemproxy.openai.encoding import encoded
from gemproxy.openai.fields import Json
from gemproxy.openai.finish import FAILURES
from gemproxy.openai.request import Ways, translate
from gemproxy.openai.voice import OpenAIVoice
from gemproxy.relay.downstream import ClientGone, ClientSink, client_sink
from gemproxy.relay.wants import PICTURES, STREAM
from gemproxy.resume.cursor import KEY, Wish, wish_of
from gemproxy.resume.keeper import Work
from gemproxy.resume.stream import Stream
from gemproxy.resume.writing import LogReader
from gemproxy.routes.addressing import with_upstream_uris
from gemproxy.routes.bounded import BoundedReader, Places, new_mark
from gemproxy.routes.keyed import (
    RESUME,
    Beginning,
    Joining,
    fingerprint_of,
    follow,
    found,
    keeps,
    opened,
    refuse_resuming,
)
from gemproxy.routes.metered import begin
from gemproxy.routes.native import document_of, native, passed_to_openai, retold
from gemproxy.routes.parts import (
    CLIENTS,
    DISPATCHER,
    DRAWN,
    EXCHANGE,
    IN_FLIGHT,
    LIVE,
    ROOM,
    caller_of,
)
from gemproxy.routes.showing import keeping, named
from gemproxy.routes.telling import CHAT, Terms
from gemproxy.shaping.family import family_of

_STREAM = "streamGenerateContent?alt=sse"


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer one chat request, as a stream or as one document."""
    try:
        if KEY in request.headers:
            return await _keyed(request, wish_of(request.headers))
        async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
            asked, body = await _translated(request, received.kept)
            return await _answered(request, asked, body)
    except Refused as refused:
        raise retold(refused.refusal) from None


async def _answered(request: web.Request, asked: Asked, body: bytes) -> web.StreamResponse:
    """Answer on the request's own connection, and end with it."""
    towards = _towards(request[EXCHANGE], asked)
    body = await begin(request, body, towards.model) or body
    return await _Answers(request, asked, towards, body).run()


async def _keyed(request: web.Request, wish: Wish) -> web.StreamResponse:
    """Have the client follow the stream of its key, which this request may begin."""
    resumes, keeping_it = True, keeps(request)
    async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
        fingerprint = fingerprint_of(request[EXCHANGE], received.kept)
        stream = await found(request, wish, fingerprint) if keeping_it else None
        if stream is None:
            asked, body = await _translated(request, received.kept)
            keeping_it = keeping_it and asked.stream and asked.n == 1
            if not keeping_it or request[LIVE].ways.links:
                refuse_resuming(wish)
                return await _answered(request, asked, body)
            terms = Terms(asked.telling, request[EXCHANGE].id, int(time.time()))
            beginning = Beginning(fingerprint, partial(_work, request, asked, body), terms)
            stream, resumes = await opened(request, wish, CHAT, beginning)
    return await follow(request, stream, CHAT, Joining(wish.after, wish.ids, resumes))


def _work(request: web.Request, asked: Asked, body: bytes, stream: Stream) -> Work:
    """Return what makes the answer of a stream; it runs in a task of its own."""

    async def work(reader: LogReader) -> None:
        exchange = stream.exchange
        towards = _towards(exchange, asked)
        kept = await begin(request, body, towards.model, exchange) or body
        with request[LIVE].repair.bodies.outliving(len(kept)):
            await _Answers(request, asked, towards, kept).write(reader)

    return work


def _towards(exchange: Exchange, asked: Asked) -> Exchange:
    """Return the exchange with Gemini, and note in the account what is asked."""
    towards, account = native(exchange, asked.model, _STREAM), exchange.account
    account.model, account.injected = towards.model, asked.injected
    account.answers = account.calls = asked.n
    return towards


async def _translated(request: web.Request, body: bytes) -> tuple[Asked, bytes]:
    """Return a request, and its body for Gemini.

    Only the bytes of the body are kept while the answers run: a document takes several times more.
    """
    document, ways = await _ways(request, document_of(body))
    asked = translate(document, ways)
    return attrs.evolve(asked, body={}), with_upstream_uris(request, encoded(asked.body))


async def _ways(request: web.Request, document: Json) -> tuple[Json, Ways]:
    """Return one request with the pictures that it names, and how it is translated."""
    app, ways = request.app, request[LIVE].ways
    document, files = await named(request, document, ways)
    signatures = partial(app[DRAWN].signature, caller_of(request[EXCHANGE]))
    shaping = ways.shaping.of(request.headers)
    return document, attrs.evolve(ways, shaping=shaping, files=files, signatures=signatures)


@attrs.define(eq=False)
class _Answers:
    """The answers to one request, side by side; ``body`` goes up for each of them."""

    request: web.Request
    asked: Asked
    towards: Exchange
    body: bytes = attrs.field(repr=False)
    _machines: list[StreamMachine] = attrs.field(factory=list, init=False)

    async def run(self) -> web.StreamResponse:
        """Give the client all answers. Raises Refused and a GemproxyError while it has nothing."""
        drawn = partial(self.request.app[DRAWN].remember, caller_of(self.request[EXCHANGE]))
        asked, now = self.asked, int(time.time())
        answer = Answer(asked.telling, self.towards.id, now, asked.n, drawn, mark=new_mark())
        if asked.stream:
            client, readers = self._streams(answer)
            if KEY in self.request.headers:
                client.response.headers[RESUME] = "off"
            return await self._run(client, self._keeping(readers, answer))
        waiting, readers = self._parts(answer)
        readers = self._keeping(readers, answer)
        timing = self.request[LIVE].repair.timing
        try:
            async with waiting.kept_warm(timing.headers_after, timing.heartbeat):
                return await self._run(waiting.client, readers)
        finally:
            self._give_up()

    async def write(self, reader: Reader) -> None:
        """Give the frames of the only answer to a reader that is no connection."""
        try:
            await self._generation(reader, self.towards.account).run()
        finally:
            self._learn()

    async def _run(self, client: ClientSink, readers: Sequence[Reader]) -> web.StreamResponse:
        account, app = self.towards.account, self.request.app
        readers, places = self._bounded(readers)
        accounts = [account] if len(readers) == 1 else [part(account) for _ in readers]
        try:
            await side_by_side(
                [
                    self._generation(reader, one).run()
                    for reader, one in zip(readers, accounts, strict=True)
                ]
            )
        except ClientGone:
            account.client_gone = True
        except asyncio.CancelledError:
            reason = app[IN_FLIGHT].reason(account)
            if reason is None or not client.committed:
                raise
            await client.fail(reason.payload(self.towards.id))
        finally:
            for reader in readers:
                if isinstance(reader, BoundedReader):
                    reader.close()
            places.release()
            if len(readers) > 1:
                join(account, accounts)
            self._learn()
        return client.response

    def _streams(self, answer: Answer) -> tuple[ClientSink, Sequence[Reader]]:
        """Return the client's connection, and the readers of streams that go to it."""
        request, send_timeout = self.request, self.request.app[CLIENTS].send_timeout
        voices = [OpenAIVoice.of(answer, choice) for choice in range(self.asked.n)]
        if len(voices) == 1:
            reader = connection_reader(request, voices[0], send_timeout=send_timeout)
            return reader.sink, [reader]
        sink = client_sink(request, voices[0], OpenAIVoice.content_type, send_timeout=send_timeout)
        client = Connected(sink, len(voices))
        return sink, [SharedReader(client, voice) for voice in voices]

    def _parts(self, answer: Answer) -> tuple[Waiting, Sequence[Reader]]:
        """Return the client that waits, and the readers that make the document for it."""
        send_timeout = self.request.app[CLIENTS].send_timeout
        voice, response = OpenAIDocumentVoice(), web.StreamResponse()
        waiting = Waiting(ClientSink(self.request, voice, send_timeout, response))
        messages = [Message.of(answer, choice) for choice in range(self.asked.n)]
        body = partial(completion, answer, messages)
        return waiting, [PartReader(waiting, message, body) for message in messages]

    def _keeping(self, readers: Sequence[Reader], answer: Answer) -> Sequence[Reader]:
        """Return the readers; pictures are kept first where the client gets links to them."""
        if not self.request[LIVE].ways.links:
            return readers
        return [keeping(self.request, reader, answer) for reader in readers]

    def _bounded(self, readers: Sequence[Reader]) -> tuple[Sequence[Reader], Places]:
        """Return the readers, bounded where pictures are drawn, and the room that they share."""
        asked, links = self.asked, self.request[LIVE].ways.links
        document = not asked.stream
        times = (1 if document else 2) + links
        places = Places(self.request.app[ROOM], asked.n, times, document)
        if self._draws:
            readers = [BoundedReader(reader, places) for reader in readers]
        return readers, places

    @property
    def _draws(self) -> bool:
        return family_of(self.towards.model).draws

    def _generation(self, reader: Reader, account: Account) -> Generation[StreamMachine]:
        repair, model = self.request[LIVE].repair, self.towards.model
        exchange = attrs.evolve(self.towards, account=account, due=self.towards.deadline)
        policy = repair.policy.for_request(
            repair=repair.is_wanted(self.request.headers),
            first_form=repair.lessons.first_form(model),
            failures=FAILURES,
        )
        machine = StreamMachine(StreamRequest(self.body), policy)
        self._machines.append(machine)
        return Generation(
            TRANSLATED,
            exchange,
            TRANSLATED.intake(machine, partial(SSEDecoder, repair.max_frame)),
            reader,
            partial(
                self.request.app[DISPATCHER].attempt,
                exchange,
                want=PICTURES if self._draws else STREAM,
            ),
            repair.pacing(exchange, model, lambda: machine.progress),
            repair.timing.within(exchange.deadline),
            partial(passed_to_openai, reader.content_type),
            repair.max_stream,
            expect=reader.expect if isinstance(reader, BoundedReader) else ready,
        )

    def _give_up(self) -> None:
        """Note that a client that waits got nothing, if an answer has failed."""
        result = self.towards.account.result
        if isinstance(result, StreamResult) and result.ending == State.FAILED.value:
            self.towards.account.give_up()

    def _learn(self) -> None:
        for machine in self._machines:
            if machine.lesson is not None:
                self.request[LIVE].repair.lessons.learn(self.towards.model, machine.lesson)
