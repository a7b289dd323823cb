"""What the client has of an interaction, and what of a replay is new to it.

An interaction can be read again from an event on: from the last ``event_id`` that the client
got, or from its beginning. Not every event has an id (deep research was seen to give one to
every few), so what came after the last id comes again, and has to be recognised:

- an event whose id the client has is old, and so is everything up to the last id; a replay
  that begins with the creation begins at the beginning;
- after that, events have to come in the order in which they came the first time, each with
  the same content. Ids may have been added. An event that differs means that the replay is cut
  into other pieces, and then it is unknown which of them are new;
- a second creation is old, and so is a status that the client has.

Where an event could be new and could be old, the replay is astray, and the stream ends loudly:
to lose or to double an event in silence would be worse.

Contents are remembered as digests: a few dozen bytes for each event without an id since the
last one with an id, and each id.
"""

import enum

import attrs

from gemproxy.core.interactions.event import COMPLETED, CREATED, Event, fingerprint
from gemproxy.core.wire.frame import Data


class News(enum.Enum):
    """What an event of a replay is to the client."""

    NEW = "new"
    OLD = "old"
    ASTRAY = "astray"  # it stands where the client has another one


@attrs.define
class Delivered:
    """The events that the client has; ``count`` of them, ``last_id`` to read on from."""

    last_id: str | None = None
    count: int = 0
    _ids: set[str] = attrs.field(factory=set)
    _since: list[bytes] = attrs.field(factory=list)
    _lifecycle: set[bytes] = attrs.field(factory=set)
    _created: bool = False
    _matched: int = 0
    _behind: bool = False
    _skipped: bool = False

    def add(self, event: Event, data: Data) -> None:
        """Note an event that went out."""
        self.count += 1
        self._created |= event.type in CREATED
        if event.id is not None:
            self._pass(event.id)
        elif event.is_lifecycle:
            self._lifecycle.add(fingerprint(data))
        else:
            self._since.insert(self._matched, fingerprint(data))  # an error may come in a replay
            self._matched += 1

    def rewind(self) -> None:
        """Begin to compare a replay."""
        self._matched = 0
        self._behind = self._skipped = False

    @property
    def caught_up(self) -> bool:
        """Whether a replay has come to where the client is, as far as that is known."""
        return not self._behind and self._matched == len(self._since)

    @property
    def skips(self) -> bool:
        """Whether a replay left events out and has still to reach the last id."""
        return self._behind and self._skipped

    def has(self, event: Event) -> bool:
        """Tell whether the client has an event with this id."""
        return event.id is not None and event.id in self._ids

    def judge(self, event: Event, data: Data) -> News:
        """Return what an event of a replay is; one that is NEW has still to be added."""
        if self.has(event):
            self._behind, self._skipped = event.id != self.last_id, False
            self._matched = 0
            return News.OLD
        if self._behind and event.id is None and event.type not in COMPLETED:
            self._skipped |= not event.is_lifecycle
            return News.OLD
        if self.skips:
            return News.ASTRAY
        self._behind = False
        if event.is_lifecycle and self._knows(event, data):
            self._behind = event.type in CREATED and self.last_id in self._ids
            return News.OLD
        if event.is_lifecycle or self.caught_up:
            return News.NEW
        return self._compare(event, data)

    def _knows(self, event: Event, data: Data) -> bool:
        again = self._created and event.type in CREATED
        return again or (event.id is None and fingerprint(data) in self._lifecycle)

    def _compare(self, event: Event, data: Data) -> News:
        if fingerprint(data) != self._since[self._matched]:
            return News.ASTRAY
        self._matched += 1
        if event.id is not None:
            self._ids.add(event.id)
            self._learn(event.id)
        return News.OLD

    def _learn(self, event_id: str) -> None:
        """Read on from an old event whose id came only with the replay."""
        self.last_id = event_id
        del self._since[: self._matched]
        self._matched = 0

    def _pass(self, event_id: str) -> None:
        self._ids.add(event_id)
        self.last_id = event_id
        self._since.clear()
        self._matched = 0
