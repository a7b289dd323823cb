"""Serials of rows: unique among all processes of one ledger, and growing with time.

A serial fits into 63 bits until 2039: the Unix time in milliseconds, 10 bits of the process, and 12
bits that count within a millisecond. Processes whose numbers are equal in these bits must not run
at the same time.
"""

import attrs

_PROCESS_BITS = 10
_COUNT_BITS = 12
_SHIFT = _PROCESS_BITS + _COUNT_BITS

PROCESSES = 1 << _PROCESS_BITS
"""Numbers of processes that serials tell apart."""


@attrs.define(eq=False)
class Serials:
    """Makes the serials of one process; ``process`` is its number."""

    process: int
    _last: int = 0

    def next(self, milliseconds: int) -> int:
        """Return a serial for a Unix time; later than all before, also where the clock goes back.

        Beyond 4,096 in a millisecond the time in it runs ahead.
        """
        base = (milliseconds << _SHIFT) | (self.process % PROCESSES << _COUNT_BITS)
        if base <= self._last:
            base = self._last + 1
            if base & ((1 << _COUNT_BITS) - 1) == 0:  # the count is used up
                base += (1 << _SHIFT) - (1 << _COUNT_BITS)
        self._last = base
        return base
