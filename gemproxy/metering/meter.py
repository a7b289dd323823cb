"""What routes and middlewares ask of the accounts: ``begin`` before an attempt, ``end`` after all.

A request that asks a model, creates an interaction or opens a Live session is begun once, when its
body is known and before anything of it goes up. It is ended once, whatever became of it. What is
refused at its beginning has neither a hold nor a row. Every other request is a visit.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from gemproxy.accounts.user import User
from gemproxy.core.errors import LimitReached
from gemproxy.exchange.account import SessionResult
from gemproxy.exchange.exchange import Exchange

NO_FIELDS: Mapping[str, str] = {}


class Meter(Protocol):
    """Admits requests under the limits of their users, and writes down what they used."""

    def wants_address(self, user: User) -> bool:
        """Return whether a limit asks for the client's address."""

    def address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the client's address.

        ``peer`` is that of the connection, ``forwarded`` are the values of X-Forwarded-For.
        """

    async def visit(self, user: User, address: str) -> None:
        """Count a request that asks no model. Raises LimitReached."""

    async def begin(
        self,
        exchange: Exchange,
        user: User,
        address: str,
        body: bytes | None,
        model: str | None = None,
    ) -> bytes | None:
        """Admit a request; return the body that goes up.

        ``body`` is the client's, None where it is streamed or there is none. ``model`` is given
        where neither the path nor the body names it as usual. The body that is returned is the
        client's or, for a user with limits, one that bounds the answer. Raises LimitReached and
        Forbidden. A second call for one exchange does nothing.
        """

    def watch(self, exchange: Exchange, report: Callable[[], SessionResult]) -> None:
        """Have what a session uses counted while it goes on."""

    def exceeded(self, exchange: Exchange) -> LimitReached | None:
        """Return why a session must end, None while it may go on."""

    def fields(self, exchange: Exchange) -> Mapping[str, str]:
        """Return the headers that tell the client about its limits, for the answer."""

    def health(self) -> Mapping[str, Any]:
        """Return the state of what requests are written to, for people; empty without that."""

    def end(self, exchange: Exchange, status: int, *, cancelled: bool, expired: bool) -> None:
        """Settle a request that was begun; never raises. A second call does nothing.

        ``status`` is that of the answer. ``cancelled``: the handler was cancelled, by the end of
        the process if ``expired``, else because the client left.
        """


@attrs.frozen
class NoMeter:
    """Lets everything pass, and writes nothing down."""

    def wants_address(self, user: User) -> bool:
        """Return that no limit does."""
        del user
        return False

    def address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the peer's."""
        del forwarded
        return peer

    async def visit(self, user: User, address: str) -> None:
        """Do nothing."""

    async def begin(
        self,
        exchange: Exchange,
        user: User,
        address: str,
        body: bytes | None,
        model: str | None = None,
    ) -> bytes | None:
        """Return the client's body."""
        del exchange, user, address, model
        return body

    def watch(self, exchange: Exchange, report: Callable[[], SessionResult]) -> None:
        """Do nothing."""

    def exceeded(self, exchange: Exchange) -> None:
        """Return that a session may go on."""

    def fields(self, exchange: Exchange) -> Mapping[str, str]:
        """Return nothing."""
        del exchange
        return NO_FIELDS

    def health(self) -> Mapping[str, Any]:
        """Return nothing."""
        return NO_FIELDS

    def end(self, exchange: Exchange, status: int, *, cancelled: bool, expired: bool) -> None:
        """Do nothing."""


UNMETERED = NoMeter()
