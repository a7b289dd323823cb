"""The fake Gemini on real sockets.

    async with ChaosServer(Script(answer, faults=[Fault(Kind.FIN, byte(120))])) as server:
        ...  # point a client at server.url
        assert [request.method for request in server.requests] == ["POST", "POST"]

While it answers, the server waits for the first byte of the client's next request. An end of file
there means that the client has left, and the server abandons the answer at once. So a client that
shuts down its sending side early counts as gone.
"""

import asyncio
import contextlib
import enum
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import attrs

from gemproxy.chaos.api import (
    Refused,
    check_credential,
    checked_route,
    error_reply,
    framing_of,
    route_of,
    unary_reply,
)
from gemproxy.chaos.belongings import Belongings
from gemproxy.chaos.cloud import Cloud
from gemproxy.chaos.conversation import first_user_text, turns_of
from gemproxy.chaos.delivery import Close, Reply, Step, Transfer, Wiring, deliver
from gemproxy.chaos.faults import CUTS, Kind
from gemproxy.chaos.files import Files
from gemproxy.chaos.framing import Framing, Style
from gemproxy.chaos.generation import generate
from gemproxy.chaos.interactions import Interactions
from gemproxy.chaos.openai import OpenAI
from gemproxy.chaos.projects import Project
from gemproxy.chaos.resources import Resources
from gemproxy.chaos.script import Conversation, Plan, Script, Stage
from gemproxy.chaos.tenants import Tenants
from gemproxy.chaos.websocket import asks_for_websocket
from gemproxy.chaos.wire import BadRequest, Request, close, perform, read_request, reset

DEFAULT_MODEL = "gemini-chaos"
"""The name under which models.list shows a script for any model."""

_BACKLOG = 1024
"""Connections that may wait to be accepted; by default the kernel refuses more than 100."""


class Outcome(enum.Enum):
    """The state of an attempt."""

    RUNNING = "running"
    STALLED = "stalled"  # silent until the peer closes
    SENT = "sent"  # everything went out, up to the fault if there is one
    ABANDONED = "abandoned"  # the peer left first


@attrs.define(eq=False)
class Served:
    """One request for a generation and its outcome; ``project`` is empty without projects."""

    request: Request
    model: str
    plan: Plan
    conversation: Conversation = attrs.field(repr=False)
    outcome: Outcome = Outcome.RUNNING
    project: str = ""


@attrs.define(eq=False)
class ChaosServer:
    """A server that answers by script; an asynchronous context manager.

    ``scripts`` is one Script for all models, or a mapping of model names to Scripts, with
    ``*`` for the others. ``event_delay`` (seconds) passes between two frames, ``latency``
    before the headers. ``observe`` is called whenever an attempt's outcome changes.

    ``requests`` holds every request in order, ``attempts`` the generations among them, ``files``
    the uploaded files, ``interactions`` the created ones, ``violations`` the mistakes of clients.
    For a server that runs for long, set ``record`` to False: the first two keep every body.

    With ``projects`` a request needs the key of one, and resources belong to it; ``cloud`` has the
    state of keys and the counts, ``of(project)`` the resources.
    """

    scripts: Script | Mapping[str, Script]
    host: str = attrs.field(default="127.0.0.1", kw_only=True)
    port: int = attrs.field(default=0, kw_only=True)
    seed: int = attrs.field(default=0, kw_only=True)
    event_delay: float = attrs.field(default=0.0, kw_only=True)
    latency: float = attrs.field(default=0.0, kw_only=True)
    observe: Callable[[Served], None] | None = attrs.field(default=None, kw_only=True)
    record: bool = attrs.field(default=True, kw_only=True)
    projects: Iterable[Project] = attrs.field(default=(), kw_only=True)
    requests: list[Request] = attrs.field(factory=list, init=False)
    attempts: list[Served] = attrs.field(factory=list, init=False)
    violations: list[str] = attrs.field(factory=list, init=False)
    cloud: Cloud = attrs.field(init=False)
    stage: Stage = attrs.field(init=False)
    _tenants: Tenants = attrs.field(init=False)
    _refusals: int = attrs.field(init=False)
    _connections: dict[asyncio.Task[None], asyncio.StreamWriter] = attrs.field(
        factory=dict, init=False
    )
    _server: asyncio.Server | None = attrs.field(default=None, init=False)
    _news: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    @stage.default
    def _stage_of_scripts(self) -> Stage:
        return Stage({"*": self.scripts} if isinstance(self.scripts, Script) else self.scripts)

    @cloud.default
    def _cloud_of_projects(self) -> Cloud:
        return Cloud(self.projects, self.record)

    @_tenants.default
    def _tenants_of_projects(self) -> Tenants:
        return Tenants(self.cloud, self.stage.script, self.seed)

    @_refusals.default
    def _refusals_of_scripts(self) -> int:
        return self.stage.connections_to_refuse_first()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, self.host, self.port, backlog=_BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task, writer in self._connections.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections are open, idle ones among them."""
        return len(self._connections)

    def of(self, project: str) -> Belongings:
        """Return the resources of a project."""
        return self._tenants.by_project[project]

    @property
    def files(self) -> Files:
        """The files, where there are no projects."""
        return self._tenants.nobody.files

    @property
    def resources(self) -> Resources:
        """The caches and batches, where there are no projects."""
        return self._tenants.nobody.resources

    @property
    def interactions(self) -> Interactions:
        """The interactions, where there are no projects."""
        return self._tenants.nobody.interactions

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds()``, which is called after every event on the server."""
        while not holds():
            await self._news.wait()

    async def until_requests(self, count: int) -> None:
        """Wait until ``count`` requests have come."""
        await self.until(lambda: len(self.requests) >= count)

    async def until_stalled(self) -> None:
        """Wait until an attempt has reached its STALL."""
        await self.until(lambda: any(map(_has_stalled, self.attempts)))

    async def until_closed(self) -> None:
        """Wait until no connection is open."""
        await self.until(lambda: not self._connections)

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._closed)
        self._announce()

    def _closed(self, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        self._announce()
        if not task.cancelled():
            task.result()  # raises an error of this server, which the loop reports

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusals:
            self._refusals -= 1
            await reset(writer)
            return
        writer.transport.set_write_buffer_limits(high=0)  # drain() then waits for the kernel
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()  # nobody is left to read the unsent bytes
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        while first:
            try:
                request = await read_request(first, reader, writer)
            except BadRequest as exc:
                reply = error_reply(400, str(exc), Framing(Style.UNARY))
                await perform(deliver(reply, None, Wiring()), writer)
                return
            if asks_for_websocket(request):
                await self._hold(request, reader, writer)
                return
            next_byte = asyncio.create_task(reader.read(1))
            try:
                how = await _unless_gone(next_byte, self._respond(request, writer))
                if how is not Close.KEEP or not request.keeps_alive:
                    return
                first = await next_byte
            finally:
                await _end(next_byte)

    async def _hold(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hold a Live session to its end."""
        if self.record:
            self.requests.append(request)
        self._announce()
        try:
            mine = self._tenants.enter(request)
            check_credential(request)
        except Refused as refusal:
            await perform(self._refused(request, refusal), writer)
            return
        await mine.sessions.serve(request, reader, writer)

    async def _respond(self, request: Request, writer: asyncio.StreamWriter) -> Close:
        if self.record:
            self.requests.append(request)
        steps, attempt = self._answer(request)
        self._announce()
        try:
            await asyncio.sleep(self.latency)
            how = await perform(steps, writer, event_delay=self.event_delay)
            how = self._note_sent(attempt, how)
            await close(how, writer)
            return how
        finally:
            if attempt is not None and attempt.outcome is not Outcome.SENT:
                self._note(attempt, Outcome.ABANDONED)

    def _note_sent(self, attempt: Served | None, how: Close) -> Close:
        """Record that an attempt was sent; return how its connection ends."""
        if attempt is None:
            return how
        attempt.conversation.sent(attempt.plan)
        self._note(attempt, Outcome.STALLED if how is Close.HANG else Outcome.SENT)
        refusals = attempt.conversation.take_refusals()
        self._refusals += refusals
        return Close.FIN if refusals and how is Close.KEEP else how

    def _note(self, attempt: Served, outcome: Outcome) -> None:
        attempt.outcome = outcome
        if self.observe is not None:
            self.observe(attempt)
        self._announce()

    def _answer(self, request: Request) -> tuple[Iterable[Step], Served | None]:
        """Return the steps for a request, and the attempt if it is a generation."""
        try:
            mine = self._tenants.enter(request)
            of_files = mine.files.answer(request)
            if of_files is not None:
                return _steps(of_files), None
            kept = (
                mine.resources.answer(request)
                or mine.stores.answer(request)
                or mine.sessions.answer(request)
                or OpenAI(tuple(self._models())).answer(request)
            )
            if kept is not None:
                return self._kept(request, kept), None
            of_interactions = mine.interactions.answer(request)
            if of_interactions is not None:
                return of_interactions, None
            route = checked_route(request, self.stage.has_script)
        except Refused as refusal:
            return self._refused(request, refusal), None
        if not route.generates:
            return _steps(unary_reply(route, request, self._models())), None
        return self._generation(request, route.model, mine.project)

    def _refused(self, request: Request, refusal: Refused) -> Iterable[Step]:
        if refusal.violation:
            self.violations.append(refusal.message)
        return _steps(refusal.reply(framing_of(request, route_of(request))))

    def _generation(
        self, request: Request, model: str, project: str
    ) -> tuple[Iterable[Step], Served]:
        opening = first_user_text(turns_of(request.document))
        conversation = self.stage.conversation(model, opening)
        generation = generate(request, model, conversation, self.seed, project)
        if generation.violation is not None:
            self.violations.append(generation.violation)
        attempt = Served(request, model, generation.plan, conversation, project=project)
        if self.record:
            self.attempts.append(attempt)
        return generation.steps, attempt

    def _kept(self, request: Request, reply: Reply) -> Iterable[Step]:
        """Deliver the reply of another API; a streamed chat of the OpenAI layer goes in chunks.

        The first fault of its model's script cuts the chat, if that fault cuts bytes.
        """
        if dict(reply.headers).get("Content-Type") != "text/event-stream":
            return _steps(reply)
        script = self.stage.script(str(request.document.get("model")).removeprefix("models/"))
        fault = script.faults[0] if script is not None and script.faults else None
        cuts = fault is not None and fault.kind in CUTS
        return deliver(reply, fault if cuts else None, Wiring())

    def _models(self) -> list[str]:
        return [DEFAULT_MODEL if name == "*" else name for name in self.stage.scripts]


def _steps(reply: Reply) -> Iterable[Step]:
    return deliver(reply, None, Wiring(Transfer.LENGTH))


def _has_stalled(attempt: Served) -> bool:
    fault = attempt.plan.fault
    stalls = fault is not None and fault.kind is Kind.STALL
    return stalls and attempt.outcome is not Outcome.RUNNING


async def _unless_gone(
    next_byte: asyncio.Task[bytes], response: Coroutine[None, None, Close]
) -> Close:
    """Run ``response`` while the peer stays; raise ConnectionError if it left."""
    task = asyncio.create_task(response)
    try:
        await asyncio.wait((task, next_byte), return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and _has_left(next_byte):
            raise ConnectionResetError("the peer left before the end of the response")
        return await task
    finally:
        await _end(task)


def _has_left(next_byte: asyncio.Task[bytes]) -> bool:
    return next_byte.exception() is not None or not next_byte.result()


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel ``task`` if it still runs, and ignore its result."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
