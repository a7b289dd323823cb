"""Whether the place for pictures works: one line in the log when that ends, one when it is back."""

import logging
import time
from collections.abc import Callable

import attrs

CHANCE = 60.0
"""Seconds after which a place that fails is given all its time again."""

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Health:
    """The state of reading or of writing (``doing``).

    ``failing_since`` is a Unix time, None while it works, and ``why`` a phrase, then empty;
    ``failures`` counts them all.
    """

    doing: str
    now: Callable[[], float] = time.time
    failing_since: float | None = None
    failures: int = 0
    why: str = ""
    _chance: float = 0.0

    def failed(self, why: str) -> None:
        """Note a failure."""
        self.failures += 1
        self.why = why
        if self.failing_since is None:
            self.failing_since = self._chance = self.now()
            _log.warning("the store of pictures fails (%s): %s", self.doing, why)

    def is_doubted(self) -> bool:
        """Return whether it fails, and nobody should wait long; every so often somebody does."""
        now = self.now()
        if self.failing_since is None or now - self._chance >= CHANCE:
            self._chance = now
            return False
        return True

    def worked(self) -> None:
        """Note a success."""
        if self.failing_since is not None:
            seconds = self.now() - self.failing_since
            _log.warning(
                "the store of pictures works again (%s), after %.0f seconds", self.doing, seconds
            )
        self.failing_since, self.why = None, ""
