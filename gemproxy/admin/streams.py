"""What runs: every request for a model, in all workers, and the end that an operator gives to one.

A list is read from the state of the running requests when it is asked for; they note nothing for
it. ``conditions`` says what each of them is doing. Each worker knows its own, so the one that is
asked asks the others, and the answer says how many of them answered.

A stream with an ``Idempotency-Key`` is one entry, however many connections follow it, and is there
while nobody does.

An ended request is told so in the voice of its client, as at a shutdown: with an error in the
stream and a broken connection, with status 499 before the head, or with a close frame. No answer
looks whole. The attempt is closed; an interaction goes on at Google, who keeps it.

An interrupted request loses the connection of its present attempt, as if the network had dropped
it, and is repaired as any other. So an operator can see what a cut does to a real stream.

Clients choose request ids and may choose one twice. So an id ends all requests that have it, and
``worker`` narrows it to those of one worker.
"""

import datetime as dt
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import attrs
import msgspec

from gemproxy.admin.attempts import Attempt, under_way
from gemproxy.admin.audit import note
from gemproxy.admin.conditions import Condition, Pace, condition_of
from gemproxy.admin.desk import Answers
from gemproxy.admin.route import Call, Form, Nothing, Route
from gemproxy.admin.texts import OfStreams
from gemproxy.core.errors import BadField, Unrouted
from gemproxy.core.repair.engine import Patience
from gemproxy.exchange.account import Account, Entry, Glimpse, Wait
from gemproxy.metering.asking import LIVE, asks_a_model, dialect_of
from gemproxy.relay.inflight import InFlight, Run

LISTS = "streams"
CANCELS = "cancel"
INTERRUPTS = "interrupt"
"""The questions to the other workers, by path."""

_READS_ON = "interaction"
"""The family of a request that reads an interaction, which names no model."""
_PLACE = "{:020}-{:05}-{}"
"""A cursor: when a request began by the clock that all workers share, its worker, its id."""
_CURSOR = re.compile(r"[0-9]{20}-[0-9]{5}-.*")
_CONNECTING, _STREAMING = "connecting", "streaming"


class StreamsQuery(Form, frozen=True):
    """Which running requests are wanted, and how many."""

    user: Annotated[str | None, msgspec.Meta(description="Only those of this access key")] = None
    model: Annotated[str | None, msgspec.Meta(description="Only those to this model")] = None
    project: Annotated[
        str | None, msgspec.Meta(description="Only those whose last attempt is in this project")
    ] = None
    id: Annotated[str | None, msgspec.Meta(description="Only those with this request id")] = None
    condition: Annotated[
        Condition | None, msgspec.Meta(description="Only those that are doing this")
    ] = None
    cursor: Annotated[OfStreams, msgspec.Meta(description="`next` of the page before")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most requests")] = 1000


class RunningStream(Form, frozen=True):
    """A running request for a model.

    ``user`` is the access key, empty for a client with its own Gemini key. ``key`` and ``project``
    are those of the last attempt. ``state`` is connecting, streaming or splicing, and ``condition``
    says in a word what that means. ``characters`` and ``bytes`` count what the client got;
    ``events`` those of an interaction, or the messages of a session. ``silent_seconds`` is the time
    since the upstream's last byte, or since it was asked; null while nothing is awaited from it.
    ``awaits`` is what it waits for: a part of the answer, the loan of a ``key``, the end of a
    ``pause``, the ``client``. The upstream is given up, or the pause is over,
    ``patience_left_seconds`` from now. ``waits_for_client``: the client reads too slowly. A stream
    with an Idempotency-Key counts what its answer has, whoever got it.
    """

    id: Annotated[str, msgspec.Meta(description="The request id, as in the log")]
    cursor: Annotated[str, msgspec.Meta(description="The cursor of the requests behind it")]
    worker: Annotated[int, msgspec.Meta(description="The worker that serves it")]
    user: Annotated[
        str, msgspec.Meta(description="The access key, empty for a client with its own Gemini key")
    ]
    project: Annotated[str, msgspec.Meta(description="The project of the last attempt")]
    key: Annotated[
        str, msgspec.Meta(description="The fingerprint of the last attempt's Gemini key")
    ]
    model: Annotated[str, msgspec.Meta(description="The model that it asks")]
    route: Annotated[str, msgspec.Meta(description="The family of its route, as in the log")]
    dialect: Annotated[str, msgspec.Meta(description="The API that its client speaks")]
    began: Annotated[dt.datetime, msgspec.Meta(description="When it began")]
    age_seconds: Annotated[float, msgspec.Meta(description="Seconds since it began")]
    state: Annotated[str, msgspec.Meta(description="connecting, streaming or splicing")]
    condition: Annotated[Condition, msgspec.Meta(description="What it is doing, in a word")]
    characters_per_second: Annotated[
        float | None,
        msgspec.Meta(
            description="Characters in a second, by the looks at it in the last ten seconds, at the"
            " first look since the first byte; null without text"
        ),
    ]
    awaits: Annotated[
        str | None, msgspec.Meta(description="What it waits for, null if nothing is awaited")
    ]
    patience_seconds: Annotated[
        float | None,
        msgspec.Meta(description="Seconds of silence after which the upstream is given up"),
    ]
    patience_left_seconds: Annotated[
        float | None,
        msgspec.Meta(description="Seconds until that, or until a pause is over; null if unknown"),
    ]
    characters: Annotated[int, msgspec.Meta(description="Characters of text that the client got")]
    events: Annotated[
        int,
        msgspec.Meta(
            description="Events of an interaction, or messages of a session, that the client got"
        ),
    ]
    bytes: Annotated[int, msgspec.Meta(description="Bytes that the client got")]
    stream: Annotated[
        str, msgspec.Meta(description="The id of a stream with an Idempotency-Key, else empty")
    ]
    followers: Annotated[
        int, msgspec.Meta(description="Connections that read it; 1 without an Idempotency-Key")
    ]
    detached: Annotated[
        bool, msgspec.Meta(description="Whether it goes on although nobody reads it")
    ]
    silent_seconds: Annotated[
        float | None,
        msgspec.Meta(
            description="Seconds since the upstream's last byte; null while nothing is awaited"
        ),
    ]
    waits_for_client: Annotated[
        bool, msgspec.Meta(description="Whether the client reads too slowly")
    ]
    cancelled: Annotated[bool, msgspec.Meta(description="Whether an operator is ending it")]
    attempts: Annotated[
        list[Attempt], msgspec.Meta(description="Its requests to the upstream, in order")
    ]


class Workers(Form, frozen=True):
    """How many other workers were asked, and how many of them answered."""

    asked: Annotated[int, msgspec.Meta(description="How many other workers were asked")]
    answered: Annotated[int, msgspec.Meta(description="How many of them answered in time")]


class ConditionCount(Form, frozen=True):
    """How many running requests are doing the same."""

    condition: Annotated[Condition, msgspec.Meta(description="What they are doing")]
    streams: Annotated[int, msgspec.Meta(description="How many they are")]


class StreamList(Form, frozen=True):
    """The running requests, oldest first; ``total`` counts all that the query means.

    A page goes on behind the last request of the one before, also if that has ended meanwhile.
    """

    streams: Annotated[
        list[RunningStream], msgspec.Meta(description="The running requests, oldest first")
    ]
    total: Annotated[
        int, msgspec.Meta(description="How many the query means, also beyond its limit")
    ]
    conditions: Annotated[
        list[ConditionCount],
        msgspec.Meta(description="How many there are of each condition, whichever is asked for"),
    ]
    next: Annotated[
        str | None, msgspec.Meta(description="The cursor of the page behind, null at the end")
    ]
    workers: Annotated[
        Workers, msgspec.Meta(description="Whether the list has those of all workers")
    ]


class CancelQuery(Form, frozen=True):
    """Whose request with the id is meant."""

    worker: Annotated[int | None, msgspec.Meta(description="Only those of this worker")] = None


class CancelAnswer(Form, frozen=True):
    """How many requests with this id were ended."""

    id: Annotated[str, msgspec.Meta(description="The id of the requests")]
    cancelled: Annotated[int, msgspec.Meta(description="How many requests were ended")]
    workers: Annotated[Workers, msgspec.Meta(description="Whether all workers were asked")]


class InterruptAnswer(Form, frozen=True):
    """How many requests with this id lost their connection."""

    id: Annotated[str, msgspec.Meta(description="The id of the requests")]
    interrupted: Annotated[int, msgspec.Meta(description="How many requests were interrupted")]
    workers: Annotated[Workers, msgspec.Meta(description="Whether all workers were asked")]


class _Meant(msgspec.Struct):
    """The question to end or interrupt requests."""

    id: str
    worker: int | None = None


@attrs.frozen(eq=False)
class Streams:
    """The running requests of worker ``number``.

    ``clock`` is the monotonic one of ``in_flight``, ``now`` returns the Unix time (seconds).
    """

    in_flight: InFlight
    number: int = 0
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    _paces: MutableMapping[Run, Pace] = attrs.field(factory=WeakKeyDictionary, init=False)

    async def list(self, _document: Any = None) -> list[RunningStream]:  # noqa: ANN401 (JSON)
        """Return those of this worker."""
        clock, now = self.clock(), self.now()
        return [self._shown(run, clock, now) for run in self._running()]

    async def cancel(self, document: Any) -> int:  # noqa: ANN401 (JSON)
        """End those of this worker that are meant; return how many there are."""
        return sum(map(self.in_flight.cancel, self._meant(document)))

    async def interrupt(self, document: Any) -> int:  # noqa: ANN401 (JSON)
        """Cut the connections of those of this worker that are meant; return how many were."""
        return sum(_interrupt(run.exchange.account) for run in self._meant(document))

    def _meant(self, document: Any) -> Sequence[Run]:  # noqa: ANN401 (JSON)
        meant = msgspec.convert(document, _Meant)
        if meant.worker not in {None, self.number}:
            return []
        return [run for run in self._running() if run.exchange.id == meant.id]

    def _running(self) -> Iterator[Run]:
        return (run for run in self.in_flight.running if _is_for_a_model(run))

    def _shown(self, run: Run, clock: float, now: float) -> RunningStream:
        exchange, account = run.exchange, run.exchange.account
        entries = _entries(account)
        last = entries[-1] if entries else None
        glimpse = _glimpse(account, last, clock)
        first = min((one.first for one in entries if one.first is not None), default=None)
        rate = self._paces.setdefault(run, Pace()).look(clock, glimpse.characters, first)
        age, wait = clock - run.began, glimpse.wait
        followers = 1 if account.followers is None else account.followers()
        return RunningStream(
            id=exchange.id,
            cursor=_PLACE.format(int(run.began * 1e9), self.number, exchange.id),
            worker=self.number,
            user=account.access,
            project=last.project if last is not None else "",
            key=last.key if last is not None else "",
            model=account.model or exchange.model,
            route=exchange.family,
            dialect=dialect_of(exchange),
            began=dt.datetime.fromtimestamp(now - age, dt.UTC),
            age_seconds=round(age, 3),
            state=glimpse.state,
            condition=condition_of(glimpse, len(entries), rate, cancelled=account.cancelled),
            characters_per_second=_rounded(rate, 1),
            awaits=wait.what or None,
            patience_seconds=_rounded(wait.patience),
            patience_left_seconds=_rounded(wait.left),
            characters=glimpse.characters,
            events=glimpse.events,
            bytes=run.written.output_size,
            stream=account.stream,
            followers=followers,
            detached=not followers,
            silent_seconds=_rounded(wait.silence),
            waits_for_client=wait.what == "client",
            cancelled=account.cancelled,
            attempts=under_way(entries, run.began, clock),
        )


async def streams(call: Call[StreamsQuery, Nothing]) -> StreamList:
    """Return what runs in all workers. Raises BadField."""
    desk, query = call.desk, call.query
    if query.cursor and not _CURSOR.fullmatch(query.cursor):
        raise BadField("cursor", "is not the `next` of a page of this list")
    answers = await desk.neighbours.ask(LISTS)
    found: list[RunningStream] = await desk.streams.list()
    for answer in answers.answers:
        found += msgspec.convert(answer.document, list[RunningStream])
    meant = [one for one in found if _is_wanted(one, query)]
    asked = query.condition
    wanted = sorted(
        (one for one in meant if asked in {None, one.condition}), key=lambda one: one.cursor
    )
    behind = [one for one in wanted if one.cursor > query.cursor]
    page = behind[: query.limit]
    return StreamList(
        streams=page,
        total=len(wanted),
        conditions=_counted(meant),
        next=page[-1].cursor if len(behind) > len(page) else None,
        workers=workers_of(answers),
    )


def _counted(found: Sequence[RunningStream]) -> list[ConditionCount]:
    counts = Counter(one.condition for one in found)
    return [ConditionCount(condition=one, streams=counts[one]) for one in Condition if counts[one]]


async def cancel(call: Call[CancelQuery, Nothing]) -> CancelAnswer:
    """End the running requests with an id. Raises Unrouted if there is none."""
    ended, answers = await _everywhere(call, call.desk.streams.cancel, CANCELS)
    if not ended:
        raise Unrouted(_GONE + _silent(answers))
    name = call.names["id"]
    await note(call, "cancel a stream", name, {"cancelled": ended})
    return CancelAnswer(id=name, cancelled=ended, workers=workers_of(answers))


async def interrupt(call: Call[CancelQuery, Nothing]) -> InterruptAnswer:
    """Cut the upstream's connection of the running requests with an id. Raises Unrouted."""
    cut, answers = await _everywhere(call, call.desk.streams.interrupt, INTERRUPTS)
    if not cut:
        raise Unrouted(_NOTHING_TO_CUT + _silent(answers))
    name = call.names["id"]
    await note(call, "interrupt a stream", name, {"interrupted": cut})
    return InterruptAnswer(id=name, interrupted=cut, workers=workers_of(answers))


async def _everywhere(
    call: Call[CancelQuery, Nothing], here: Callable[[Any], Awaitable[int]], question: str
) -> tuple[int, Answers]:
    """Do what a call asks here and in the other workers; return how many requests it met."""
    document = {"id": call.names["id"], "worker": call.query.worker}
    count = await here(document)
    answers = await call.desk.neighbours.ask(question, document)
    count += sum(msgspec.convert(answer.document, int) for answer in answers.answers)
    return count, answers


_GONE = "No request with this id runs."
_NOTHING_TO_CUT = (
    "No request with this id reads an answer now that would be repaired if its connection broke."
)


def _silent(answers: Answers) -> str:
    missing = answers.asked - len(answers.answers)
    return f" {missing} of {answers.asked} other workers did not answer." if missing else ""


def workers_of(answers: Answers) -> Workers:
    """Return how many of the other workers answered."""
    return Workers(asked=answers.asked, answered=len(answers.answers))


def _is_wanted(one: RunningStream, query: StreamsQuery) -> bool:
    wanted = (query.user, query.model, query.project, query.id)
    has = (one.user, one.model, one.project, one.id)
    return all(asked is None or asked == own for asked, own in zip(wanted, has, strict=True))


def _is_for_a_model(run: Run) -> bool:
    exchange = run.exchange
    if exchange.account.follows:
        return False
    if exchange.account.model is not None or exchange.account.glance is not None:
        return True
    return exchange.family in {LIVE, _READS_ON} or asks_a_model(exchange)


def _interrupt(account: Account) -> bool:
    """Cut the connections of a request, those of answers side by side among them."""
    cuts = [one.interrupt() for one in (account, *account.parts) if one.interrupt is not None]
    return any(cuts)


def _entries(account: Account) -> list[Entry]:
    """Return the attempts of a request, those of its answers side by side among them."""
    found = {id(one): one for part in (account, *account.parts) for one in part.entries}
    return sorted(found.values(), key=lambda one: one.began)


def _glimpse(account: Account, last: Entry | None, clock: float) -> Glimpse:
    """Return what a request is doing: its answers together, or what its last attempt says.

    It waits for what the answer waits for that has waited longest, and for its client before all.
    """
    seen = [one.glance() for one in (account, *account.parts) if one.glance is not None]
    if not seen:
        return _by_attempt(last, clock)
    waits = [one.wait for one in seen]
    waits.sort(key=lambda wait: (wait.what == "client", wait.silence or 0.0))
    return Glimpse(
        _state_of(seen),
        sum(one.characters for one in seen),
        sum(one.events for one in seen),
        waits[-1],
    )


def _by_attempt(last: Entry | None, clock: float) -> Glimpse:
    """Return what a request is doing of whose answer only the last attempt is known."""
    if last is None or last.ended is not None:
        return Glimpse(_CONNECTING)
    if last.answered is not None:
        return Glimpse(_STREAMING)
    return Glimpse(_CONNECTING, wait=Wait(Patience.FIRST_BYTE.value, clock - last.began))


def _state_of(seen: Sequence[Glimpse]) -> str:
    """Return the state of answers side by side: that of the one that is furthest from its end."""
    states = {one.state for one in seen}
    return next(
        (state for state in (_CONNECTING, "splicing", _STREAMING) if state in states), seen[0].state
    )


def _rounded(seconds: float | None, digits: int = 3) -> float | None:
    return None if seconds is None else round(seconds, digits)


ROUTES = (
    Route(
        "GET",
        "/streams",
        streams,
        "List the requests for models that run now, in all workers, oldest first.",
        StreamList,
        query=StreamsQuery,
        tag="streams",
    ),
    Route(
        "POST",
        "/streams/{id}/cancel",
        cancel,
        "End the running requests with an id; their clients get an error.",
        CancelAnswer,
        query=CancelQuery,
        tag="streams",
    ),
    Route(
        "POST",
        "/streams/{id}/interrupt",
        interrupt,
        "Cut the connection to Gemini of the running requests with an id; they are repaired.",
        InterruptAnswer,
        query=CancelQuery,
        tag="streams",
    ),
)
