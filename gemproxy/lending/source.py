"""The pool as a source of credentials: leases of the operator's keys.

A client without an access key brings its own Gemini key, which goes up (``ClientsOwn``). For any
other request ``lease`` asks which project the names in it bind it to, and the pool for a key.

Where nobody can serve, one request waits once, if the shortest rest fits the operator's limit and
the client's deadline. Otherwise it is refused:

    all that could serve rest        429 with the time until the first can again
    no project's tier has the model  429 without a time
    all that could serve are sick    503
    all that could are disabled      503, which says so
    the project it needs is gone     503
    the location is refused          400, which says whose location it is

A lease always hears of a refusal that is its key's fault (``another``), also one that is bound to
a project: another key of that project may be well, and otherwise the client gets one of the errors
above in place of Google's words about a key that is not the client's. The dispatcher asks again at
once; one request has at most ``most`` refusals, and uses a key that was refused only after a wait.

A Live session that is opened with an ephemeral token goes by the way of the project that issued the
token, and the token itself goes up: it carries constraints that a key does not have.

What a request has met (``Trip``) is kept in its account, because an interaction is read on by
further exchanges of the same account.
"""

import asyncio
import math
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import attrs
import msgspec
from yarl import URL

from gemproxy.core.errors import DeadlinePassed, Exhausted, GemproxyError, LocationRefused, NoKey
from gemproxy.core.repair.blame import Fault, is_of_the_location
from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential, ephemeral
from gemproxy.exchange.exchange import Exchange
from gemproxy.lending.wishes import wish_of
from gemproxy.pool.pool import Nobody, Outcome, Pick, Pool, Wish
from gemproxy.relay.leases import ClientsOwn, Lease, Witness

_PATIENCE = 2
"""Attempts in a row that the service may fail before the next goes to another project."""

_OF_THE_SERVICE = 500
_EARLY_SECONDS, _TICK_SECONDS = 1.0, 0.001
"""By how much a timer may be early, and its finest step."""
_MOST_WAYS = 2
"""Ways out that one request tries when its location is refused."""


_ERRORS = 400


class Binder(Protocol):
    """Knows the owners of names (``owners.binding``)."""

    async def bind(self, exchange: Exchange, body: bytes | None) -> str | None:
        """Return the project to which a request must go, None for any. Raises a GemproxyError."""

    def witness(
        self, exchange: Exchange, status: int, headers: Mapping[str, str]
    ) -> Witness | None:
        """Return what reads the names in an answer with this head; None if it has none."""

    async def record(self, names: Mapping[str, float | None], project: str, caller: str) -> None:
        """Record what a request of ``caller`` made in a project."""


@attrs.define(eq=False)
class Trip:
    """What one request of a client has met so far.

    ``seen`` and ``body`` are the exchange and the body of the last attempt, and ``wish`` what they
    asked of the pool. The exchange leads here by its account, so the way back is weak: a circle
    would keep every body in memory until the collector comes. ``access`` is the access key.

    ``home`` is the project of the last attempt, where the next one goes if it can; it is None
    before the first attempt, after one whose answer broke off, and after two in a row that the
    service failed: then nobody is to blame, but another project may be served by other machines.
    ``failures`` counts these. ``left`` holds the projects whose answer had begun. ``tried`` holds
    all keys that it has had, ``refused`` those that were refused since the last wait, and
    ``refusals`` counts all. ``avoiding`` holds the ways out whose location was refused.
    ``waited``: it has had its wait.
    """

    seen: "weakref.ref[Exchange]"
    body: bytes | None = attrs.field(repr=False)
    wish: Wish
    access: str
    home: str | None = None
    failures: int = 0
    left: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    refusals: int = 0
    avoiding: frozenset[URL | None] = frozenset()
    waited: bool = False

    @property
    def exchange(self) -> Exchange:
        """The exchange of the last attempt, which lives at least as long as that."""
        exchange = self.seen()
        assert exchange is not None  # noqa: S101 (see above)
        return exchange

    def hear(self, pick: Pick, entry: Entry) -> bool:
        """Note the outcome of an attempt; return whether its key was at fault."""
        if entry.error is not None and is_of_the_location(entry.error):
            self.avoiding |= {pick.key.proxy}
        failed = entry.status is None or entry.status >= _OF_THE_SERVICE
        self.failures = self.failures + 1 if failed else 0
        begun = entry.status is not None and entry.status < _ERRORS
        if begun:
            self.left |= {pick.key.project}
        if begun or self.failures >= _PATIENCE:
            self.home = None
        if entry.fault is not Fault.KEY:
            return False
        self.refused |= {pick.key.name}
        self.refusals += 1
        return True


class PoolLease(msgspec.Struct, eq=False):
    """A key of the pool, for one attempt."""

    source: "PoolSource"
    trip: Trip
    pick: Pick
    base: URL
    key: str
    project: str
    proxy: URL | None
    credential: Credential
    another: bool = True
    detour: bool = True

    def __repr__(self) -> str:
        return f"PoolLease({self.key})"

    def answered(self) -> None:
        """Have the upstream's count of the request noted."""
        self.source.pool.answered(self.pick, self.source.clock())

    def witness(
        self, exchange: Exchange, status: int, headers: Mapping[str, str]
    ) -> Witness | None:
        """Return what reads the names in an answer with this head; None if it has none."""
        return self.source.binder.witness(exchange, status, headers)

    async def named(self, names: Mapping[str, float | None]) -> None:
        """Record names that the answer has, before the client gets them."""
        await self.source.binder.record(names, self.project, self.trip.access)

    def over(self, entry: Entry) -> None:
        """Have the pool learn from the outcome; the refusal of a token says nothing about a key."""
        source, pick, now = self.source, self.pick, self.source.clock()
        if not self.another:
            source.pool.returned(pick, now)
            return
        tokens = None if entry.usage is None else entry.usage.prompt or None
        if entry.status is None and entry.how is None:
            source.pool.returned(pick, now)  # the client has left
        else:
            outcome = Outcome(entry.status, entry.error, entry.retry_after, tokens)
            source.pool.over(pick, outcome, now)
        if self.trip.hear(pick, entry):
            source.learnt()
        refused = entry.error is not None and is_of_the_location(entry.error)
        if refused or (entry.status is not None and entry.status < _ERRORS):
            source.located(self.key, now, refused)


@attrs.define(eq=False)
class PoolSource:
    """Lends the keys of ``pool`` for the upstream at ``base``.

    ``longest_wait`` counts the seconds for which a request may wait once, if it ``waits`` at all;
    ``most`` bounds the refusals of keys that one request may meet. ``learnt`` is called when a key
    was at fault; ``located`` with a key, the time, and whether Google refuses the location that it
    is used from.
    ``clock`` returns the seconds of the Unix clock.
    """

    base: URL
    pool: Pool
    binder: Binder
    longest_wait: float = 30.0
    most: int = 20
    learnt: Callable[[], object] = bool
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    located: Callable[[str, float, bool], object] = attrs.field(default=lambda *_: None)
    waits: Callable[[Exchange], bool] = attrs.field(default=lambda _: True)
    _own: ClientsOwn = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._own = ClientsOwn(self.base)

    async def lease(self, exchange: Exchange, body: bytes | None) -> Lease:
        """Return a lease; may wait once. Raises a GemproxyError where no key can serve."""
        given = exchange.given
        if not exchange.account.access and (given is None or not given.key):
            return await self._own.lease(exchange, body)
        trip = exchange.account.memo
        if not isinstance(trip, Trip) or trip.body is not body or trip.seen() is not exchange:
            trip = await self._trip(exchange, body)
        if trip.refusals:
            self._check_bounds(trip)
        pick = self._pick(trip)
        if isinstance(pick, Nobody):
            seconds = self._wait_for(trip, pick)
            trip.waited = True
            trip.refused = frozenset()
            await self._sleep(seconds)
            pick = self._pick(trip)
        if isinstance(pick, Nobody):
            raise self._refusal(trip, pick)
        return self._lease(exchange, trip, pick)

    async def _trip(self, exchange: Exchange, body: bytes | None) -> Trip:
        """Return the trip of a request, with what the next attempt asks of the pool.

        A conversation stays known by its first request: a resumed one has more turns.
        """
        given, account, trip = exchange.given, exchange.account, exchange.account.memo
        project = exchange.project if given is None else given.project
        if given is None and not project:
            project = await self.binder.bind(exchange, body)
        if not isinstance(trip, Trip):
            wish = wish_of(exchange, body, project)
            trip = account.memo = Trip(weakref.ref(exchange), body, wish, account.access)
        elif trip.seen() is exchange:
            trip.body, trip.wish = body, msgspec.structs.replace(trip.wish, project=project)
        else:
            trip.seen, trip.body = weakref.ref(exchange), body
            trip.wish = wish_of(exchange, body, project)
        return trip

    def _check_bounds(self, trip: Trip) -> None:
        """Raise what ends a request whose keys were refused again and again."""
        if trip.exchange.deadline.passed:
            raise DeadlinePassed("There was no answer within X-Server-Timeout.")
        if trip.refusals >= self.most:
            raise Exhausted(f"{trip.refusals} keys of the pool were refused in a row.", 1.0)

    def _pick(self, trip: Trip) -> Pick | Nobody:
        """Return a key: of the last one's project if that can serve, and one that was not had."""
        if len(trip.avoiding) >= _MOST_WAYS:
            return Nobody(None)
        now, wish = self.clock(), trip.wish
        if not trip.tried:
            return self.pool.pick(wish, now)
        tried = trip.tried.union(*map(self.pool.keys_of, trip.left))
        resumes = bool(trip.left)
        wish = msgspec.structs.replace(wish, tried=tried, avoiding=trip.avoiding, resumes=resumes)
        home = wish.project or trip.home
        pick = self.pool.pick(msgspec.structs.replace(wish, project=home), now)
        if isinstance(pick, Nobody) and wish.project != home:
            pick = self.pool.pick(wish, now)
        if isinstance(pick, Pick) and pick.key.name in trip.refused:
            self.pool.returned(pick, now)
            return Nobody(now + 1.0)
        return pick

    def _wait_for(self, trip: Trip, nobody: Nobody) -> float:
        """Return for how many seconds a request waits; raise what refuses it."""
        if nobody.until is None or trip.waited or trip.avoiding or not self.waits(trip.exchange):
            raise self._refusal(trip, nobody)
        seconds = max(nobody.until - self.clock(), 0.0)
        left = trip.exchange.deadline.left
        if seconds > self.longest_wait or (left is not None and seconds >= left):
            raise self._refusal(trip, nobody)
        return seconds

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the clock has come to the end of a rest.

        A loop's timer may fire a little earlier than the clock says, and then the rest is not over.
        """
        until = self.clock() + seconds
        await self.sleep(seconds)
        while 0.0 < (left := until - self.clock()) < _EARLY_SECONDS:
            await self.sleep(max(left, _TICK_SECONDS))

    def _refusal(self, trip: Trip, nobody: Nobody) -> GemproxyError:
        """Return the error of a request that no key can serve."""
        if trip.avoiding:
            return LocationRefused()
        bound = trip.wish.project is not None
        if bound and trip.wish.project not in {project.name for project in self.pool.projects}:
            return NoKey("The keys of the project that has what the request names are gone.")
        if nobody.until is not None:
            seconds = max(nobody.until - self.clock(), 1.0)
            return Exhausted(_rests(trip.wish, seconds), seconds)
        those = "of the project that has what the request names" if bound else "of the pool"
        if nobody.disabled:
            return NoKey(f"The operator has disabled all keys {those}.")
        if nobody.sick:
            return NoKey(f"Google refuses all keys {those}.")
        where = "The project that has what the request names" if bound else "No project of the pool"
        has = "has no access" if bound else "has access"
        return Exhausted(f"{where} {has} to {trip.wish.model}: its tier has a limit of 0.", None)

    def _lease(self, exchange: Exchange, trip: Trip, pick: Pick) -> PoolLease:
        key = pick.key
        trip.home = key.project
        trip.tried |= {key.name}
        token = _token_of(exchange)
        return PoolLease(
            self,
            trip,
            pick,
            self.base,
            key.name,
            key.project,
            key.proxy,
            token or key.credential,
            another=token is None,
            detour=token is None,
        )


def _token_of(exchange: Exchange) -> Credential | None:
    """Return the ephemeral token that a client brings in place of a key; None if there is none."""
    own = exchange.caller
    return own if own is not None and ephemeral(own) else None


def _rests(wish: Wish, seconds: float) -> str:
    of = f" for {wish.model}" if wish.model else ""
    those = (
        "All projects of the pool are"
        if wish.project is None
        else ("The project that has what the request names is")
    )
    return f"{those} out of quota{of}. Please retry in {math.ceil(seconds)}s."
