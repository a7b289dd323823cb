"""A request between its beginning and its end, as the meter remembers it."""

import attrs

from gemproxy.accounts.hold import Hold
from gemproxy.accounts.user import User


@attrs.define(eq=False)
class Running:
    """What is known of a request since it began.

    ``began`` counts seconds of the monotonic clock, ``started`` is the Unix time in milliseconds.
    ``body`` is the client's, kept for as long as the request runs: where nothing says what an
    answer cost, the input is judged by it. ``hold`` is None without limits.
    """

    serial: int
    user: User
    model: str
    dialect: str
    began: float
    started: int
    body: bytes | None = attrs.field(repr=False)
    hold: Hold | None = None
    over: bool = False
