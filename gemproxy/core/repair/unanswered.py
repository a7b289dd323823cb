"""The errors for an attempt that brought no answer."""

from gemproxy.core.errors import NoFirstByte, Unreachable, UpstreamFailure
from gemproxy.core.repair.events import How


def unanswered(how: How | None, *, begun: bool = False) -> UpstreamFailure:
    """Return the error of an attempt that ended so.

    ``begun`` says that a part of an answer may have come, which is not passed on.
    """
    if how is How.UNREACHABLE:
        return Unreachable("The upstream cannot be reached.")
    if how is How.NO_FIRST_BYTE or (begun and how is How.STALLED):
        return NoFirstByte("The upstream did not answer in time.")
    whole = "a whole" if begun else "an"
    return UpstreamFailure(f"The upstream closed the connection without {whole} answer.")
