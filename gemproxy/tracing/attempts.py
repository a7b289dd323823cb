"""A request that is over, and each of its attempts, as spans and metrics see them.

The entries of an account have the usage that an attempt was seen to have. What the account as a
whole counts beyond that belongs to the attempt that was left before it was noted down: a session,
an interaction, the last attempt for a client that left. So each token is at one attempt, and the
sum over the attempts is the cost of the request.
"""

from collections.abc import Sequence

import attrs

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import How
from gemproxy.core.repair.verdict import error_status
from gemproxy.exchange.account import (
    Account,
    CallResult,
    Entry,
    InteractionResult,
    StreamResult,
)
from gemproxy.exchange.exchange import Exchange
from gemproxy.tracing.operations import FETCH, operation_of

_ERRORS = 400
_OF_A_SERVER = 500
DONE, FAILED, SHUTDOWN = "done", "failed", "shutdown"
"""Endings of a request, in the words of the ledger."""


@attrs.frozen
class Upstream:
    """Where attempts go: the provider in the words of the conventions, the host and its port."""

    provider: str
    address: str
    port: int


@attrs.define(eq=False)
class Served:
    """A request that is over.

    ``status`` and ``size`` (bytes) are those of its answer. ``began`` and ``ended`` are times of
    the monotonic clock. ``ending`` is the ledger's word for how it ended.
    """

    exchange: Exchange
    status: int
    size: int
    began: float
    ended: float
    ending: str
    scheme: str = "http"

    @property
    def account(self) -> Account:
        """The record of the request."""
        return self.exchange.account

    @property
    def error(self) -> str:
        """The kind of error that the request ended with; empty for none of ours.

        A request that was wrong (4xx), and a client that left, are no errors of the server.
        """
        if self.ending == SHUTDOWN:
            return SHUTDOWN
        if self.status >= _OF_A_SERVER:
            return str(self.status)
        if self.ending != FAILED or self.status >= _ERRORS:
            return ""
        upstream = self.account.upstream
        return "broken" if upstream is None else upstream.value


@attrs.define(eq=False)
class Attempt:
    """One attempt of a request; ``number`` counts from 1, ``operation`` may be empty."""

    served: Served
    upstream: Upstream
    entry: Entry
    number: int
    operation: str
    usage: Billed | None
    is_last: bool

    @property
    def model(self) -> str:
        """The model that was asked; empty if none is known."""
        exchange = self.served.exchange
        return exchange.account.model or exchange.model

    @property
    def seconds(self) -> float:
        """The duration of the attempt."""
        ended = self.served.ended if self.entry.ended is None else self.entry.ended
        return max(ended - self.entry.began, 0.0)

    @property
    def is_stream(self) -> bool:
        """Whether the upstream was asked for a stream."""
        match self.served.account.result:
            case StreamResult():
                return True
            case InteractionResult(ending=ending):
                return ending is not None
        return False

    @property
    def first_chunk(self) -> float | None:
        """The seconds until the first bytes of a stream, if they are known."""
        first = self.entry.first
        return None if first is None else max(first - self.entry.began, 0.0)

    @property
    def characters(self) -> int | None:
        """The characters that it added to the client's text; None if it is no stream.

        An attempt that was left in the middle has all that no other one has.
        """
        own, account = self.entry.characters, self.served.account
        if own is not None or not self.is_last or not isinstance(account.result, StreamResult):
            return own
        others = sum(entry.characters or 0 for entry in account.entries)
        return max(account.result.characters - others, 0)

    @property
    def finish_reason(self) -> str | None:
        """The finishReason of the answer, at the attempt that brought it."""
        if not self.is_last:
            return None
        match self.served.account.result:
            case StreamResult(finish_reason=reason):
                return reason
            case CallResult(generation=generation) if generation is not None:
                return generation.finish_reason
        return None

    @property
    def error(self) -> str:
        """The kind of error that the attempt ended with; empty for none.

        It is an HTTP status, how the connection ended, or why another attempt was needed.
        """
        entry, served = self.entry, self.served
        if entry.ended is None or (
            self.is_last and served.ending == SHUTDOWN and entry.how is None
        ):
            return SHUTDOWN
        status = entry.status
        if status is not None and status >= _ERRORS:
            return str(status)
        if self.is_last and served.ending == DONE:
            return ""
        return _broken(entry)


def _broken(entry: Entry) -> str:
    """Return what was wrong with an answer that began well, or did not begin."""
    if entry.error:
        return str(error_status(entry.error))
    if entry.how is not None and entry.how is not How.EOF:
        how: str = entry.how.value
        return how
    return "" if entry.cause is None else str(entry.cause.value)


def attempts_of(served: Served, upstream: Upstream) -> list[Attempt]:
    """Return the attempts of a request, in the order of their beginnings."""
    exchange, entries = served.exchange, served.account.entries
    if not entries:
        return []
    operation = operation_of(exchange.family, exchange.method, exchange.raw_path)
    read_on = exchange.family == "interactions"
    usages, attempts = _usages(served.account), []
    last = len(entries)
    for number, entry in enumerate(entries, 1):
        attempts.append(
            Attempt(served, upstream, entry, number, operation, usages[number - 1], number == last)
        )
        if read_on and entry.status is not None and entry.status < _ERRORS:
            operation = FETCH  # from here on it is read, not made
    return attempts


def _usages(account: Account) -> Sequence[Billed | None]:
    """Return the usage of each attempt; the sum is the cost of the request."""
    entries, spent = account.entries, account.spent
    usages = [entry.usage for entry in entries]
    if spent is None or None not in usages:
        return usages
    rest = sum(spent.bills, Billed())
    for usage in usages:
        if usage is not None:
            rest -= usage
    if rest.total > 0 or rest.pictures > 0:
        usages[_owner(entries)] = rest
    return usages


def _owner(entries: Sequence[Entry]) -> int:
    """Return the place of the first attempt that was answered and has no usage."""
    places = [place for place, entry in enumerate(entries) if entry.usage is None]
    answered = (place for place in places if (entries[place].status or _ERRORS) < _ERRORS)
    return next(answered, places[-1])
