"""Whether the ledger can be written: one line in the log when that ends, and one when it is back.

A row that is *lost* will never be written: it was dropped because too many waited, or no database
would hold it. The log counts the lost ones with the line that ends the episode.
"""

import logging
import time
from collections.abc import Callable

import attrs

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Health:
    """The state of the ledger, for the log and for the health of the proxy.

    ``failing_since`` is a Unix time, None while writing works; ``why`` says what failed. ``lost``
    counts settled rows that were dropped, ``unbegun`` rows that were dropped before they were
    settled: these may be whole later.
    """

    now: Callable[[], float] = time.time
    failing_since: float | None = None
    why: str = ""
    lost: int = 0
    unbegun: int = 0
    _full: bool = False
    _told: int = 0

    def failed(self, why: str, waiting: int) -> None:
        """Note that a transaction failed, while rows wait."""
        if self.failing_since is None:
            self.failing_since = self.now()
            _log.warning(
                "the ledger fails: %s; it is tried again; rows that wait: %d", why, waiting
            )
        self.why = why

    def worked(self) -> None:
        """Note that a transaction was committed."""
        if self.failing_since is not None:
            seconds = self.now() - self.failing_since
            _log.warning("the ledger works again, after %.0f seconds%s", seconds, self._losses())
        self.failing_since = None
        self.why = ""

    def dropped(self, *, settled: bool) -> None:
        """Note that a row was dropped because too many wait."""
        if not self._full:
            _log.warning("too many rows of the ledger wait: the oldest are dropped")
        self._full = True
        self._count(settled=settled)

    def emptied(self) -> None:
        """Note that few rows wait."""
        if self._full:
            _log.warning("the rows of the ledger fit again%s", self._losses())
        self._full = False

    def unfit(self, why: str) -> None:
        """Note that a row was dropped because no database would hold it."""
        _log.error("a row of the ledger is lost: %s", why)
        self.lost += 1
        self._told += 1

    def _count(self, *, settled: bool) -> None:
        if settled:
            self.lost += 1
        else:
            self.unbegun += 1

    def _losses(self) -> str:
        """Return what was lost since the log last said so."""
        new = self.lost - self._told
        self._told = self.lost
        return f"; rows that were lost: {new}" if new else ""
