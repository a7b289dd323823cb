"""What routes and middlewares ask of the accounts: ``begin`` before an attempt, ``end`` after all.

A request that asks a model, creates an interaction or opens a Live session is begun once, when its
body is known and before anything of it goes up. It is ended once, whatever became of it. What is
refused at its beginning has neither a hold nor a row.
"""

from typing import Protocol

import attrs

from gemproxy.accounts.user import User
from gemproxy.exchange.exchange import Exchange


class Meter(Protocol):
    """Admits requests under the limits of their users, and writes down what they used."""

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

    def end(self, exchange: Exchange, status: int, *, cancelled: bool, expired: bool) -> None:
        """Settle a request that was begun; never raises. A second call does nothing.

        ``status`` is that of the answer. ``cancelled``: the handler was cancelled, by the end of
        the process if ``expired``, else because the client left.
        """


@attrs.frozen
class NoMeter:
    """Lets everything pass, and writes nothing down."""

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

    def end(self, exchange: Exchange, status: int, *, cancelled: bool, expired: bool) -> None:
        """Do nothing."""


UNMETERED = NoMeter()
