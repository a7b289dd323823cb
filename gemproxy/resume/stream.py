"""One keyed answer: whose it is, what was asked, and its log."""

import secrets
import time
from typing import NamedTuple

import attrs

from gemproxy.core.errors import GemproxyError, LimitReached
from gemproxy.exchange.exchange import Exchange
from gemproxy.resume.cursor import CONTINUE
from gemproxy.resume.log import Broken, FrameLog, Passed, Refused, Whole
from gemproxy.resume.news import News

_RETRY_SECONDS = 5


class Scope(NamedTuple):
    """Whose key it is: keys of two owners have nothing to do with each other."""

    owner: str
    key: str


def new_id() -> str:
    """Return an id for a stream: 128 random bits, in hexadecimal."""
    return secrets.token_hex(16)


@attrs.define(eq=False)
class Stream:
    """A generation with its log.

    ``fingerprint`` is a hash of the request. ``dialect`` names how the frames are told, and
    ``terms`` is what its voice must know of the request. ``most_followers`` is how many may read at
    the same time. ``began`` and ``detached`` are times of the monotonic clock: of the request, and
    since when nobody reads. ``ended`` is when the log ended. ``created`` is the Unix time.
    ``reason`` is why the proxy itself ended it.
    """

    id: str
    scope: Scope
    fingerprint: bytes = attrs.field(repr=False)
    dialect: str
    exchange: Exchange
    log: FrameLog
    terms: object = attrs.field(default=None, repr=False)
    on_disconnect: str = CONTINUE
    most_followers: int = 4
    followers: int = 0
    began: float = attrs.field(factory=time.monotonic)
    created: float = attrs.field(factory=time.time)
    detached: float | None = None
    told: int = 0
    """The characters of the answer when the last follower left."""
    started: bool = False
    """Whether its task runs; before that the task could not be cancelled in order."""
    ended: float | None = None
    reason: GemproxyError | None = attrs.field(default=None, repr=False)
    news: News = attrs.field(factory=News, init=False, repr=False)

    @property
    def state(self) -> str:
        """What is going on: running, done, failed or cancelled."""
        match self.log.ending:
            case None:
                return "running"
            case Whole() | Passed():
                return "done"
            case Broken(cancelled=True) | Refused(cancelled=True):
                return "cancelled"
        return "failed"

    @property
    def is_result(self) -> bool:
        """Whether the ended stream is the answer to its request for as long as it is kept.

        An answer that failed before anything of it came cost nothing. Its client may ask again, so
        its key is free.
        """
        ending = self.log.ending
        if isinstance(ending, Refused | Broken) and not self.log.top:
            return ending.cancelled
        return True

    def attach(self) -> None:
        """Count a follower. Raises LimitReached if there are as many as may be."""
        if self.followers >= self.most_followers:
            raise LimitReached(
                f"{self.followers} connections read this stream, which is as many as may.",
                _RETRY_SECONDS,
                scope="followers",
            )
        self.followers += 1
        self.detached = None
