"""The meter of a proxy with limits or a ledger: from the admission of a request to its settled row.

    model allowed? -> estimate -> price -> hold -> row (on disk) -> ... -> charge -> settle -> row

A request of a user with a limit of a day or a month waits until its row is on disk, for a bounded
time: then a process that is killed has forgotten no request that went up. The hold and the row of a
request live until its end. What still runs has its holds renewed by one step of the background for
all of them, at a third of a hold's life.

A request takes one hold, however many attempts its answer needs. The end of a Live session is not
known, so its hold grows with what it uses, and a session that has used up the limits of its user is
ended with the client's next message.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from gemproxy.access.models import require
from gemproxy.accounts.addresses import Proxies
from gemproxy.accounts.bounding import bounded
from gemproxy.accounts.charge import charge
from gemproxy.accounts.cost import most_cost
from gemproxy.accounts.estimate import Asking, asking, estimate
from gemproxy.accounts.gauges import State as Taken
from gemproxy.accounts.hold import Asked, Hold, Limiter, Used
from gemproxy.accounts.prices import Prices
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import BadRequest, Forbidden, LimitReached
from gemproxy.core.repair.request import Unreadable, parse_strictly
from gemproxy.exchange.account import Account, SessionResult
from gemproxy.exchange.exchange import Exchange
from gemproxy.ledger.row import Row
from gemproxy.metering import rows
from gemproxy.metering.asking import dialect_of, is_batch, model_of
from gemproxy.metering.ending import ending_of
from gemproxy.metering.meter import NO_FIELDS
from gemproxy.metering.running import Running
from gemproxy.observe.logs import unsaid

_TOKENS = frozenset({Kind.TPM, Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_MONTH})
_MONEY = frozenset({Kind.USD_PER_DAY, Kind.USD_PER_MONTH})
_AMOUNTS = _TOKENS | _MONEY
_LASTING = frozenset(
    {Kind.RPD, Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_MONTH, Kind.USD_PER_DAY, Kind.USD_PER_MONTH}
)
"""Limits whose counters are rebuilt from the ledger after a restart."""
_PER_ADDRESS = frozenset({Kind.PER_IP_RPM, Kind.PER_IP_RPD})

_log = logging.getLogger(__name__)


class State(Protocol):
    """Whether the ledger works; see ``ledger.health``."""

    @property
    def failing_since(self) -> float | None:
        """The Unix time since when it fails."""

    @property
    def lost(self) -> int:
        """How many settled rows were dropped."""


class Rows(Protocol):
    """The ledger, as far as rows are put into it."""

    @property
    def health(self) -> State:
        """Whether it works."""

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""

    def put(self, row: Row) -> None:
        """Take a row. Never blocks or raises."""

    async def written(self, serial: int) -> bool:
        """Wait, for a bounded time, until what was put under a serial is on disk."""


@attrs.frozen
class Needs:
    """What the limits of a user ask for, found once for each tuple of limits."""

    estimate: bool
    money: bool
    lasting: bool
    address: bool

    @classmethod
    def of(cls, limits: tuple[Limit, ...]) -> "Needs":
        """Return the needs of limits."""
        kinds = {limit.kind for limit in limits}
        return cls(
            bool(kinds & _AMOUNTS),
            bool(kinds & _MONEY),
            bool(kinds & _LASTING),
            bool(kinds & _PER_ADDRESS),
        )


_NOTHING = Needs(estimate=False, money=False, lasting=False, address=False)


@attrs.define(eq=False)
class Accountant:
    """A ``Meter`` over a limiter and, where there is one, a ledger.

    ``serial`` makes the serial of a row that starts at a Unix time in milliseconds. ``everywhere``
    says that there are limits for all requests, ``per_address`` that one is for each address.
    ``max_output`` is the most output of a request that names none, where a limit needs to know.
    ``clock`` returns the Unix time in seconds.
    """

    limiter: Limiter
    prices: Prices
    serial: Callable[[int], int]
    ledger: Rows | None = None
    everywhere: bool = False
    per_address: bool = False
    proxies: Proxies = attrs.field(factory=Proxies)
    max_output: int = 8192
    clock: Callable[[], float] = time.time
    _running: set[Running] = attrs.field(factory=set, init=False)
    _needs: dict[str, tuple[tuple[Limit, ...], Needs]] = attrs.field(factory=dict, init=False)

    @property
    def running(self) -> int:
        """How many requests have begun and not ended."""
        return len(self._running)

    def states(self, user: User) -> Sequence[Taken]:
        """Return how much is taken of each limit of a user, those of client addresses apart."""
        return self.limiter.states(user, self.clock())

    def wants_address(self, user: User) -> bool:
        """Return whether a limit asks for the client's address."""
        return self.per_address or self._needs_of(user).address

    def address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the client's address; see ``Meter``."""
        return self.proxies.client(peer, forwarded)

    async def visit(self, user: User, address: str) -> None:
        """Count a request that asks no model. Raises LimitReached."""
        await self.limiter.visit(user, address, self.clock())

    async def begin(
        self,
        exchange: Exchange,
        user: User,
        address: str,
        body: bytes | None,
        model: str | None = None,
    ) -> bytes | None:
        """Admit a request; return the body that goes up. See ``Meter``."""
        account = exchange.account
        if account.metered is not None:
            return body
        now, dialect = self.clock(), dialect_of(exchange)
        name = model_of(exchange, dialect, body) if model is None else model
        if user.models:
            require(user, name)
        started = int(now * 1000)
        running = Running(
            self.serial(started), user, name, dialect, time.monotonic(), started, body
        )
        needs = _NOTHING
        if self.everywhere or not user.fixed:
            needs = self._needs_of(user)
            asked, body = self._asked(exchange, running, needs, address)
            hold = running.hold = await self.limiter.admit(asked, now)
            if hold.shadow:
                _log_shadow(running, hold)
        account.metered = running
        self._running.add(running)
        if self.ledger is not None:
            self.ledger.put(rows.begun(exchange, running))
            if needs.lasting:
                await self.ledger.written(running.serial)
        return body

    def watch(self, exchange: Exchange, report: Callable[[], SessionResult]) -> None:
        """Have what a session uses counted with each renewal, where a limit asks for it."""
        running = exchange.account.metered
        if isinstance(running, Running) and self._needs_of(running.user).estimate:
            running.report = report

    def exceeded(self, exchange: Exchange) -> LimitReached | None:
        """Return why a session must end, None while it may go on."""
        running = exchange.account.metered
        return running.exceeded if isinstance(running, Running) else None

    def fields(self, exchange: Exchange) -> Mapping[str, str]:
        """Return the headers that tell the client about its limits."""
        running = exchange.account.metered
        if not isinstance(running, Running) or running.hold is None or not running.user.limits:
            return NO_FIELDS
        return self.limiter.fields(running.hold, self.clock())

    def health(self) -> Mapping[str, Any]:
        """Return the state of the ledger: whether it fails, and how many rows wait or are lost."""
        if self.ledger is None:
            return {}
        health = self.ledger.health
        state: dict[str, Any] = {
            "status": "ok" if health.failing_since is None else "failing",
            "waiting": self.ledger.waiting,
            "lost": health.lost,
        }
        if health.failing_since is not None:
            state["failing_seconds"] = round(self.clock() - health.failing_since)
        return state

    def end(self, exchange: Exchange, status: int, *, cancelled: bool, expired: bool) -> None:
        """Settle a request that was begun; see ``Meter``."""
        running = exchange.account.metered
        if not isinstance(running, Running) or running.over:
            return
        running.over = True
        self._running.discard(running)
        used = Used()
        try:
            used = self._charge(exchange, running)
            if self.ledger is not None:
                ending = ending_of(exchange.account, status, cancelled=cancelled, expired=expired)
                row = rows.settled(exchange, running, ending, status, time.monotonic())
                self.ledger.put(row)
        except Exception as error:  # noqa: BLE001 (the answer is out; its hold must not stay)
            _log.error("unexpected error at the end of a request", exc_info=unsaid(error))
        finally:
            running.body = running.report = None
            if running.hold is not None:
                self.limiter.settle(running.hold, used, self.clock())

    async def renew(self) -> None:
        """Have the holds of all running requests live on."""
        now = self.clock()
        for running in self._running:
            if running.hold is not None:
                self.limiter.renew(running.hold, now)
        for running in [one for one in self._running if one.report is not None]:
            await self._grow(running, now)

    async def _grow(self, running: Running, now: float) -> None:
        """Have the hold of a session keep what it has used; note if that is too much."""
        if running.report is None or running.hold is None:
            return
        account = Account(result=running.report())
        spent = charge(account, running.model, self.prices, running.started / 1000)
        used = Used(spent.tokens, spent.cost_nano_usd or 0)
        try:
            await self.limiter.grow(running.hold, used, now)
        except LimitReached as error:
            running.exceeded = error

    def _needs_of(self, user: User) -> Needs:
        """Return what the limits of a user ask for."""
        limits = user.limits
        if not limits:
            return _NOTHING
        known = self._needs.get(user.id)
        if known is None or known[0] is not limits:
            known = self._needs[user.id] = limits, Needs.of(limits)
        return known[1]

    def _charge(self, exchange: Exchange, running: Running) -> Used:
        """Have the account say who pays; return what counts against the user's limits."""
        account, spent = exchange.account, exchange.account.spent
        if spent is not None and spent.unread and account.expected is None and running.body:
            judged = estimate(asking(exchange), running.model, running.body, 0)
            account.expected = _times(account.answers, judged.expected)
        account.charge = charge(account, running.model, self.prices, running.started / 1000)
        return Used(account.charge.tokens, account.charge.cost_nano_usd or 0)

    def _asked(
        self, exchange: Exchange, running: Running, needs: Needs, address: str
    ) -> tuple[Asked, bytes | None]:
        """Return what a request asks of the limits, and the body that goes up.

        Raises Forbidden for what no limit on tokens or money can bound.
        """
        if not needs.estimate:
            return Asked(running.serial, running.user, running.model, address), running.body
        if is_batch(exchange):
            raise Forbidden(_BATCH)
        body, model = running.body, running.model
        if body is None:
            raise Forbidden(_UNREAD)
        kind = asking(exchange)
        body = _bounded(kind, body, self.max_output)
        judged = estimate(kind, model, body, self.max_output)
        answers = exchange.account.answers
        exchange.account.expected = _times(answers, judged.expected)
        money: int | None = 0
        if needs.money:
            one = most_cost(judged.most, self.prices.of(model, running.started / 1000))
            money = None if one is None else one * answers
        tokens = judged.tokens * answers
        asked = Asked(running.serial, running.user, model, address, tokens, money)
        return asked, body


_BATCH = (
    "A batch is not for this access key, which has a limit on tokens or money: what a batch costs"
    " is known only when it is over."
)
_UNREAD = (
    "This access key has a limit on tokens or money, and nobody can estimate what a request of"
    " this form costs. Send it as JSON."
)


def _bounded(kind: Asking, body: bytes, output: int) -> bytes:
    """Return a body whose answer has a bound. Raises BadRequest and Forbidden."""
    try:
        if kind is Asking.INTERACTION:
            _refuse_unbounded(parse_strictly(body))
        return bounded(kind, body, output)
    except Unreadable:
        raise BadRequest(_AMBIGUOUS) from None


def _refuse_unbounded(document: Mapping[str, Any]) -> None:
    """Raise Forbidden for an interaction whose cost nobody can bound, or learns too late."""
    if document.get("agent"):
        raise Forbidden(_AGENT)
    if document.get("background") and not document.get("stream"):
        raise Forbidden(_BACKGROUND)


_AMBIGUOUS = (
    "The request body is no JSON object that can be read in one way only. This access key has a"
    " limit on tokens or money, so it must be."
)
_AGENT = (
    "Agents are not for this access key, which has a limit on tokens or money: what an agent uses"
    " cannot be bounded."
)

_BACKGROUND = (
    "An interaction in the background must be streamed with this access key, which has a limit on"
    " tokens or money: else what it costs is known only when it is over."
)


def _log_shadow(running: Running, hold: Hold) -> None:
    """Write the line about a request that a limit would have refused if it were no shadow."""
    _log.warning(
        "a shadow limit would have refused a request",
        extra={
            "access": running.user.name,
            "model": running.model,
            "limits": [_words(limit) for limit in hold.shadow],
        },
    )


def _times(answers: int, one: Billed) -> Billed:
    return one if answers == 1 else sum([one] * answers, Billed())


def _words(limit: Limit) -> str:
    name = f"{limit.kind.value} {limit.model}" if limit.model else limit.kind.value
    return f"{name} {limit.amount}"
