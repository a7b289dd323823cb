"""Sums over requests. Their names are those of the columns of a roll-up (``SUMMED``, ``COUNTED``).

Money of rows without a price is in no sum; ``unpriced`` counts these rows, so unknown money never
looks like none.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from gemproxy.ledger.buckets import BUCKETS, percentile

_NOWHERE = (0,) * BUCKETS


@attrs.define
class Sums:
    """What some requests sum up to.

    ``requests`` counts all that were admitted, also those that run. ``done`` to ``lost`` count
    their endings. ``retries`` counts the attempts beyond the calls of each. ``first_bytes``
    counts those that had a first byte, whose times are in ``first_byte_ms``; ``spread`` counts them
    by ``ledger.buckets``, and is empty where no roll-up keeps that. The other fields are sums of
    the fields of ``ledger.row.Row``.
    """

    requests: int = 0
    done: int = 0
    failed: int = 0
    client_left: int = 0
    shutdown: int = 0
    lost: int = 0
    estimated: int = 0
    unpriced: int = 0
    retries: int = 0
    attempts: int = 0
    repairs: int = 0
    characters: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    extra_input_tokens: int = 0
    extra_output_tokens: int = 0
    cost_nano_usd: int = 0
    operator_cost_nano_usd: int = 0
    first_bytes: int = 0
    first_byte_ms: int = 0
    duration_ms: int = 0
    seam_ms: int = 0
    spread: tuple[int, ...] = _NOWHERE

    @property
    def running(self) -> int:
        """How many have no ending yet."""
        ended = self.done + self.failed + self.client_left + self.shutdown + self.lost
        return self.requests - ended

    @property
    def is_unpriced(self) -> bool:
        """Whether there are rows without a price, and none with one."""
        return 0 < self.unpriced == self.requests - self.running

    def first_byte(self, share: float) -> float | None:
        """Return the milliseconds to the first byte that a share of the requests did not exceed.

        It is off by at most ``buckets.LARGEST_ERROR``. None if that is not known.
        """
        return percentile(self.spread, share)

    def add(self, figures: Sequence[Any]) -> None:
        """Add figures in the order of ``SUMMED``; PostgreSQL's may be Decimal or None."""
        for name, figure in zip(SUMMED, figures, strict=True):
            setattr(self, name, getattr(self, name) + int(figure or 0))

    def count(self, counts: Sequence[int | None]) -> None:
        """Add counts of times to the first byte, in the order of ``COUNTED``."""
        if self.spread is _NOWHERE:
            self.spread = tuple([more or 0 for more in counts])
        else:
            pairs = zip(self.spread, counts, strict=True)
            self.spread = tuple([have + (more or 0) for have, more in pairs])


def added(parts: Iterable[Sums]) -> Sums:
    """Return what sums come to together."""
    total = Sums()
    for part in parts:
        total.add([getattr(part, name) for name in SUMMED])
        if not part.spread:
            total.spread = ()
        elif total.spread:
            total.count(part.spread)
    return total


SUMMED = tuple(field.name for field in attrs.fields(Sums) if field.type is int)
"""The names of all sums."""

COUNTED = tuple(f"bucket_{number}" for number in range(BUCKETS))
"""The names of the counts of times to the first byte."""
