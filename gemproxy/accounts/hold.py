"""What a request asks of the limits, what it holds while it runs, and what it used."""

from typing import Protocol

import attrs

from gemproxy.accounts.user import User


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

    ``opened`` and ``expires`` are Unix times in seconds.
    """

    asked: Asked
    opened: float
    expires: float


@attrs.frozen
class Used:
    """What a request really used, as its user pays for it; nothing if nothing was delivered."""

    tokens: int = 0
    nano_usd: int = 0


class Limiter(Protocol):
    """Admits requests under all limits of their users, all or nothing.

    ``now`` is a Unix time in seconds. A hold that is renewed goes on; one that is neither renewed
    nor settled is gone at its expiry.
    """

    async def admit(self, asked: Asked, now: float) -> Hold:
        """Take a hold. Raises LimitReached, and Forbidden for a model without a price."""

    def renew(self, hold: Hold, now: float) -> None:
        """Have a hold live on."""

    def settle(self, hold: Hold, used: Used, now: float) -> None:
        """Add what was used to what is spent, and drop the hold; a second call does nothing."""
