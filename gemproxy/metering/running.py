"""A request between its beginning and its end, as the meter remembers it."""

from collections.abc import Callable

import attrs

from gemproxy.accounts.hold import Hold
from gemproxy.accounts.user import User
from gemproxy.core.errors import LimitReached
from gemproxy.exchange.account import SessionResult


@attrs.define(eq=False)
class Running:
    """What is known of a request since it began.

    ``began`` counts seconds of the monotonic clock, ``started`` is the Unix time in milliseconds.
    ``body`` is the client's, kept for as long as the request runs: where nothing says what an
    answer cost, the input is judged by it. ``hold`` is None without limits. ``report`` says what a
    session has come to so far, and ``exceeded`` that it uses more than its user has left.
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
    report: Callable[[], SessionResult] | None = attrs.field(default=None, repr=False)
    exceeded: LimitReached | None = None
