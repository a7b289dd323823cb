"""Times to the first byte as counts in fixed buckets, which add up over any span.

A bucket holds whole milliseconds: each upper end is about 2^(1/3) of the one below, from 1 ms up to
262 s, and the last bucket has no end. A percentile is the middle (by ratio) of the bucket in which
it lies, so it is at most 12.5 % off (``LARGEST_ERROR``). Where it lies beyond the last end, it is
that end.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

_PER_OCTAVE = 3
_OCTAVES = 18

ENDS: Sequence[int] = tuple(
    sorted({round(2 ** (step / _PER_OCTAVE)) for step in range(_OCTAVES * _PER_OCTAVE + 1)})
)
"""The upper ends of all buckets but the last one, in milliseconds; an end is in its bucket."""

BUCKETS = len(ENDS) + 1

LARGEST_ERROR = 0.125
"""The most that a percentile can be off, as a share of the true time."""

_MIDDLES = (
    *(math.sqrt((low + 1) * high) for low, high in zip((0, *ENDS[:-1]), ENDS, strict=True)),
    float(ENDS[-1]),
)


def bucket_of(milliseconds: int) -> int:
    """Return the number of the bucket of a time."""
    return bisect_left(ENDS, milliseconds)


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the time in milliseconds that a share of all times (0.5, 0.95) does not exceed.

    ``counts`` has how many times are in each bucket. None if there are none.
    """
    summed = list(accumulate(counts))
    if not summed or not summed[-1]:
        return None
    rank = max(1, math.ceil(share * summed[-1]))
    return round(_MIDDLES[bisect_left(summed, rank)], 1)
