"""What a request asks of the limits, what it holds while it runs, and what it used.

Tokens and money of a request count for the day and the month in which it was admitted, and for the
minute in which it is settled. So the sums of a day are those of the rows of the ledger that started
in it.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from gemproxy.accounts.user import Limit, User

if TYPE_CHECKING:  # it imports this module
    from gemproxy.accounts.gauges import State


@attrs.frozen
class Asked:
    """One request, before it is admitted.

    ``serial`` is its number in the ledger. ``address`` is the client's, empty if unknown.
    ``tokens`` and ``nano_usd`` are the most that it should use; ``nano_usd`` is None without a
    known price.
    """

    serial: int
    user: User
    model: str
    address: str = ""
    tokens: int = 0
    nano_usd: int | None = 0


@attrs.define(eq=False)
class Hold:
    """What an admitted request keeps from others until it is settled, or until it expires.

    ``opened`` and ``expires`` are Unix times in seconds. ``shadow`` has the shadow limits that
    would have refused the request. ``memo`` is what the limiter keeps about it; nobody else looks
    at it.
    """

    asked: Asked
    opened: float
    expires: float
    shadow: tuple[Limit, ...] = ()
    memo: Any = attrs.field(default=None, repr=False)


@attrs.frozen
class Used:
    """What a request really used, as its user pays for it; nothing if nothing was delivered."""

    tokens: int = 0
    nano_usd: int = 0


@attrs.frozen
class Spent:
    """What a user has spent on one model since a day or a month began, as the ledger has it."""

    user: str
    model: str
    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0


class Limiter(Protocol):
    """Admits requests under all limits of their users, all or nothing.

    ``now`` is a Unix time in seconds. A hold that is renewed goes on; one that is neither renewed
    nor settled is gone at its expiry.
    """

    async def admit(self, asked: Asked, now: float) -> Hold:
        """Take a hold. Raises LimitReached, and Forbidden for a model without a price."""

    def states(self, user: User, now: float) -> "Sequence[State]":
        """Return how much is taken of each limit of a user, those of client addresses apart."""

    async def visit(self, user: User, address: str, now: float) -> None:
        """Count a request that asks no model: for the whole proxy and for the client's address.

        Raises LimitReached.
        """

    def renew(self, hold: Hold, now: float) -> None:
        """Have a hold live on."""

    async def grow(self, hold: Hold, used: Used, now: float) -> None:
        """Have a hold keep at least ``used``, which is what its request has used so far.

        Raises LimitReached if the limits have no room for so much; then the hold takes the room
        that there is, and the request should end.
        """

    def settle(self, hold: Hold, used: Used, now: float) -> None:
        """Add what was used to what is spent, and drop the hold; a second call does nothing."""

    def fields(self, hold: Hold, now: float) -> dict[str, str]:
        """Return the headers for the answer: the limits of its user, and what remains of them."""

    def restore(self, day: Iterable[Spent], month: Iterable[Spent], now: float) -> None:
        """Take the ledger's sums of the current day and month, at the start."""
