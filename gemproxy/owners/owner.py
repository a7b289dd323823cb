"""The owner of a name, and what keeps the record of owners."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import attrs


@attrs.frozen
class Owner:
    """A name that Google bound to a project: ``files/abc``, ``interactions/v1_x``.

    Names are in Google's form, collection and id; those that have no collection there get one of
    ours: ``continuationTokens/<hash>``, ``sessionHandles/<hash>``. ``caller`` is the access key
    that made it, empty if it is known only from a look-up. The record may be forgotten after
    ``until`` (seconds of the Unix clock).
    """

    name: str
    project: str
    caller: str
    until: float


class OwnerStore(Protocol):
    """Keeps the record, on disk and bounded; all processes see one record."""

    async def find(self, names: Collection[str]) -> Sequence[Owner]:
        """Return the owners of those ``names`` that are known and not over."""

    async def add(self, owners: Iterable[Owner]) -> None:
        """Record owners durably before returning.

        A name whose maker is known keeps its owner; one that was only looked up gets the new one.
        """

    async def forget(self, names: Iterable[str]) -> None:
        """Forget names that were deleted."""

    async def made_by(self, caller: str, collection: str) -> Sequence[Owner]:
        """Return what ``caller`` owns in a collection (``files``), the oldest first."""
