"""The door: whether a request comes in, and whether its own Gemini key or the pool's goes up.

The interface; see ``Door.admit``.
"""

import enum

import attrs

from gemproxy.exchange.exchange import Exchange


class Mode(enum.Enum):
    """Who brings the Gemini key."""

    PASSTHROUGH = "passthrough"
    POOL = "pool"
    BOTH = "both"


@attrs.frozen(eq=False)
class Door:
    """Lets requests in by the credentials that they bring."""

    mode: Mode = Mode.PASSTHROUGH

    def admit(self, exchange: Exchange) -> str:
        """Return the name of the caller's access key; empty for a client with its own Gemini key.

        Raises Unauthenticated.
        """
        raise NotImplementedError
