"""The interaction machine explored: every sequence of inputs up to a length, by its laws.

The world keeps one interaction, and replays it from the event that an attempt asks for.
"""

import os
from collections.abc import Callable, Iterator

import attrs
import pytest

from gemproxy.core.interactions.event import EventReceived, read
from gemproxy.core.interactions.machine import Input, InteractionMachine
from gemproxy.core.interactions.origin import Origin
from gemproxy.core.repair.engine import State
from gemproxy.core.repair.events import (
    Ended,
    Fail,
    Finish,
    Frames,
    GaveUp,
    How,
    Opened,
    Rejected,
    Resume,
)
from gemproxy.core.wire.frame import Frame
from tests.interaction import COMPLETED, CREATED, END, came, raw, status, text

LENGTH = int(os.environ.get("GEMPROXY_EXPLORE", "5")) - 1
"""How long the explored sequences are, behind a beginning; ``make explore`` goes further."""

STORY = [CREATED, status(), text("a", "e1"), text("b"), text("b"), text("c", "e2"), COMPLETED, END]
IDS = [came(one).event.id for one in STORY]
PING = b": ping\n\n"
OWN_ERROR = raw("error", error={"code": "invalid_request", "message": "mine"})
FAULT = raw("error", error={"code": 503, "message": "down"})
UNFRAMED = b'data: {"error": {"code": 503}}\n\n'
QUOTA = b'{"error": {"status": "RESOURCE_EXHAUSTED", "message": "Resource has been exhausted."}}'

CREATE = Origin(creates=True)
ORIGINS = {
    "creates": CREATE,
    "creates once": attrs.evolve(CREATE, again=False),
    "is not stored": attrs.evolve(CREATE, keeps=False),
    "reads": Origin(creates=False, interaction_id="v1_a"),
    "reads on": Origin(creates=False, interaction_id="v1_a", last_event_id="e1"),
}


@attrs.define
class World:
    """One interaction behind one machine; ``seen`` is what the client got."""

    machine: InteractionMachine
    at: int = 0
    seen: list[bytes] = attrs.field(factory=list)
    pings: int = 0
    error: bytes = b""
    may_have_arrived: bool = False
    ending: Finish | Fail | None = None

    @property
    def begins_at(self) -> int:
        """Where in the story the client's own request begins."""
        last = self.machine.origin.last_event_id
        return 0 if last is None else IDS.index(last) + 1

    @property
    def asked_for(self) -> int:
        """Where in the story the next attempt should begin."""
        point = self.machine.next_request
        last = point.last_event_id if point is not None else self.machine.origin.last_event_id
        return 0 if last is None else IDS.index(last) + 1

    def legal(self, name: str) -> bool:
        kind = type(INPUTS[name](self))
        over = name == "event" and self.at >= len(STORY)
        repeats = name in ("opened at the last id", "opened at the beginning")
        if repeats and not self.machine.started:  # the client gets what it is answered
            return False
        return not over and (self.machine.state, kind) in self.machine.TRANSITIONS

    def play(self, name: str) -> None:
        given = INPUTS[name](self)
        if isinstance(given, Opened):
            self.at = OPENINGS[name](self.asked_for)
        self.pings += name == "ping"
        self.at += name == "event"
        unsent = name in NEVER_ARRIVED or self.machine.state is not State.CONNECTING
        self.may_have_arrived |= not unsent
        for action in self.machine.receive(given):
            assert self.ending is None, "nothing follows a decision"
            match action:
                case Frames(frames):
                    self.seen += [frame.raw for frame in frames]
                case Resume():
                    self._check_resume()
                case Finish() | Fail():
                    self.ending = action
        self._check()

    def _check_resume(self) -> None:
        """Assert the laws of another attempt."""
        point = self.machine.next_request
        if self.machine.origin.creates and point is None:
            assert not self.may_have_arrived, "an interaction is never created twice"
            assert self.machine.origin.again
            return
        if point is not None:
            assert self.machine.origin.keeps, "what is not stored cannot be read"
            delivered = [IDS[at] for at in range(self.begins_at + len(self._events()))]
            ids = [one for one in delivered if one is not None]
            assert point.last_event_id == (ids[-1] if ids else None), "it is read on from the end"

    def _events(self) -> list[bytes]:
        return [one for one in self.seen if one not in (PING, OWN_ERROR, FAULT, UNFRAMED)]

    def _check(self) -> None:
        """Assert the laws that hold after every input."""
        events = self._events()
        wanted = STORY[self.begins_at :]
        assert events == wanted[: len(events)], "every event comes once, in its order"
        assert self.seen.count(PING) <= self.pings
        state = self.machine.state
        assert (self.ending is None) == (state not in (State.DONE, State.FAILED))
        if state is State.DONE:
            whole = events == wanted
            assert whole or {OWN_ERROR, FAULT} & set(self.seen), "a clean end is a whole stream"
        if state is State.FAILED:
            assert isinstance(self.ending, Fail)


def _event(world: World) -> EventReceived:
    return came(STORY[min(world.at, len(STORY) - 1)])


INPUTS: dict[str, Callable[[World], Input]] = {
    "opened": lambda _: Opened(),
    "opened at the last id": lambda _: Opened(),
    "opened at the beginning": lambda _: Opened(),
    "event": _event,
    "ping": lambda _: EventReceived(Frame(PING, None), read(None)),
    "its own error": lambda _: came(OWN_ERROR),
    "fault": lambda _: came(FAULT),
    "unframed error": lambda _: came(UNFRAMED),
    "end": lambda _: Ended(How.EOF),
    "reset": lambda _: Ended(How.RESET),
    "unreachable": lambda _: Ended(How.UNREACHABLE),
    "unavailable": lambda _: Rejected(503, b"{}"),
    "not found": lambda _: Rejected(404, b"{}"),
    "quota": lambda _: Rejected(429, QUOTA, another=True),
    "gave up": lambda _: GaveUp("budget"),
}
NEVER_ARRIVED = ("unreachable", "quota")


OPENINGS: dict[str, Callable[[int], int]] = {
    "opened": lambda asked_for: asked_for,
    "opened at the last id": lambda asked_for: max(asked_for - 1, 0),
    "opened at the beginning": lambda _: 0,
}
BEGINNINGS: dict[str, tuple[str, ...]] = {
    "from its beginning": (),
    "behind an event without an id": ("opened", *["event"] * 4, "reset", "opened"),
    "behind the last id": ("opened", *["event"] * 6, "ping", "reset", "opened"),
    "behind the last event": ("opened", *["event"] * 7),
    "broken behind the last id": ("opened", *["event"] * 6, "reset"),
}


def _played(origin: Origin, path: tuple[str, ...]) -> World:
    """Return a world after these inputs, save those that it cannot give."""
    world = World(InteractionMachine(origin))
    for name in path:
        if world.legal(name):  # what is read on has fewer events
            world.play(name)
    return world


def _sequences(origin: Origin, begun: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield every legal sequence of inputs behind ``begun``, or shorter where the stream ends."""
    stack = [begun]
    while stack:
        path = stack.pop()
        world = _played(origin, path)
        if len(path) == len(begun) + LENGTH or world.ending is not None:
            yield path
            continue
        stack.extend((*path, name) for name in INPUTS if world.legal(name))


@pytest.mark.parametrize("begun", BEGINNINGS.values(), ids=BEGINNINGS)
@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_every_sequence_of_inputs_keeps_the_laws(origin: Origin, begun: tuple[str, ...]) -> None:
    explored = sum(1 for _ in _sequences(origin, begun))

    over = _played(origin, begun).ending is not None
    assert explored == 1 if over else explored > 10 ** (LENGTH - 2)
