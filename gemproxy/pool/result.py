"""What the end of an attempt is called, in one word of a closed list.

The word follows from the rules by which the pool learns: ``blame`` says whose fault a refusal is,
``quota`` and ``ailment`` what is the matter with the key.
"""

from collections.abc import Mapping
from typing import Any

from gemproxy.core.repair.blame import Fault, blame, is_of_the_location
from gemproxy.pool.ailment import ailment_of
from gemproxy.pool.quota import is_quota, quota_of
from gemproxy.pool.state import Result


def result_of(
    status: int, error: Mapping[str, Any] | None, retry_after: float | None = None
) -> Result:
    """Return the word for a refusal; ``retry_after`` is its Retry-After in seconds."""
    if is_of_the_location(error):
        return Result.LOCATION
    fault = blame(status, error)
    if fault is not Fault.KEY:
        return Result.REQUEST if fault is Fault.REQUEST else Result.SERVICE
    if is_quota(status, error):
        return Result(quota_of(error, retry_after).why.value)
    return Result(ailment_of(status, error).value)
