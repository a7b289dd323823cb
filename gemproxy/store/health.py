"""Whether the database works: one line in the log when it begins to fail, one when it is well."""

import logging
import sqlite3

import attrs

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Health:
    """The state of reading or of writing (``doing``)."""

    doing: str
    failing: bool = False

    def failed(self, error: sqlite3.Error) -> None:
        """Note a failure."""
        if not self.failing:
            _log.warning("the data directory fails (%s): %s", self.doing, error)
        self.failing = True

    def worked(self) -> None:
        """Note a success."""
        if self.failing:
            _log.warning("the data directory works again (%s)", self.doing)
        self.failing = False
