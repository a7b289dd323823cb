"""What a request says about its stream: its key, and what its client has already.

``Idempotency-Key`` is 1 to 255 visible characters of ASCII. ``Last-Event-ID``, or ``after`` in a
query, is the number of the last chunk that the client got: digits alone, or the id of the stream, a
colon and the digits, as ids of events are written here. With the id a client cannot be given
another answer that happens to have the same key.

``X-Gemproxy-On-Disconnect`` says whether the answer is made to its end when nobody follows it:
``continue`` or ``cancel``.
"""

import re
from collections.abc import Sequence
from typing import Self

import attrs
from multidict import CIMultiDictProxy

from gemproxy.core.errors import BadRequest

KEY = "Idempotency-Key"
LAST = "Last-Event-ID"
ON_DISCONNECT = "X-Gemproxy-On-Disconnect"
EVENT_IDS = "X-Gemproxy-Event-Ids"

CONTINUE, CANCEL = "continue", "cancel"

_KEY = re.compile(r"[!-~]{1,255}")
_CURSOR = re.compile(r"(?:([0-9a-f]{32}):)?([0-9]{1,15})")


@attrs.frozen
class Cursor:
    """The number of the last chunk that a client has; ``stream`` is the id that it named."""

    after: int = 0
    stream: str = ""

    @classmethod
    def of(cls, values: Sequence[str], name: str) -> Self | None:
        """Return what the values of the field ``name`` say, None if there are none.

        Raises BadRequest for another form and for several values.
        """
        if not values:
            return None
        found = _CURSOR.fullmatch(values[0].strip(" \t")) if len(values) == 1 else None
        if found is None:
            raise BadRequest(
                f"{name} must be there once: the number of the last chunk that came, as 0 or 17."
            )
        return cls(int(found[2]), found[1] or "")


@attrs.frozen
class Wish:
    """What a keyed request asks for; ``cursor`` is None for one that does not resume.

    ``on_disconnect`` is empty where the request leaves it to the settings. ``ids``: events shall
    have ids.
    """

    key: str
    cursor: Cursor | None
    on_disconnect: str = ""
    ids: bool = False

    @property
    def after(self) -> int:
        """The number of the last chunk that the client has."""
        return 0 if self.cursor is None else self.cursor.after


def wish_of(headers: CIMultiDictProxy[str]) -> Wish:
    """Return the wish of a request that has a key. Raises BadRequest."""
    keys = headers.getall(KEY)
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise BadRequest(f"{KEY} must be there once, with 1 to 255 visible characters of ASCII.")
    cursor = Cursor.of(headers.getall(LAST, ()), LAST)
    return Wish(keys[0], cursor, _on_disconnect(headers), wants_ids(headers))


def wants_ids(headers: CIMultiDictProxy[str]) -> bool:
    """Return whether a client wants ids of events, which Google's SDKs do not take."""
    return headers.get(EVENT_IDS, "").strip() == "1"


def _on_disconnect(headers: CIMultiDictProxy[str]) -> str:
    given = headers.get(ON_DISCONNECT, "").strip().lower()
    if given not in {"", CONTINUE, CANCEL}:
        raise BadRequest(f"{ON_DISCONNECT} must be {CONTINUE} or {CANCEL}.")
    return given
