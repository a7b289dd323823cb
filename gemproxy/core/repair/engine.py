"""The engine that moves a machine: its states, and the check of every transition.

A machine is moved by a table alone: (State, type of input) -> the handler, and the states that
it may lead to. `checked` makes a machine's ``receive`` from its table. A pair that is not in the
table raises `IllegalInput`; a handler that leads to a state that the table does not name raises
`IllegalTransition`. The stream machine and the interaction machine each have a table and share
everything else here. The diagrams in ARCHITECTURE.md are drawn from the tables.

    CONNECTING  an attempt is being made; nothing of it has come yet
    STREAMING   its frames go to the client
    SPLICING    its first frames are compared with what the client has
    DONE        the answer ended as the upstream ended it
    FAILED      it could not be completed, and ends loudly

``receive`` is on the hot path: it is one Python function, and it finds the row of a state by the
state's number, because an enum hashes too slowly for a look-up per event.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import attrs

from gemproxy.core.repair.events import Action, Cause
from gemproxy.core.seam.seam import Joint

Request_co = TypeVar("Request_co", covariant=True)
Actions = tuple[Action, ...]
Handler = Callable[[Any, Any], Actions]
"""A machine's method: takes one input, returns the actions in the order in which to do them."""


class State(enum.Enum):
    """Where a machine stands."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    SPLICING = "splicing"
    DONE = "done"
    FAILED = "failed"

    number: int
    """Its place in the order above."""


for _number, _state in enumerate(State):
    _state.number = _number


class Patience(enum.Enum):
    """How long silence is normal at this moment; the relay knows the seconds."""

    FIRST_BYTE = "first_byte"
    THINKING = "thinking"
    THINKING_ON = "thinking_on"  # again, behind visible text
    CHUNK = "chunk"
    FINISH = "finish"
    TOOL_FINISH = "tool_finish"
    EMPTY_FINISH = "empty_finish"


class IllegalInput(RuntimeError):
    """The world cannot do this in this state: a bug in the caller."""


class IllegalTransition(RuntimeError):
    """A handler led to a state that the table does not name: a bug in the machine."""


@attrs.frozen
class Transition:
    """What happens on an input, and where it may lead; staying is always allowed."""

    handler: Handler
    targets: frozenset[State]


Table = Mapping[tuple[State, type], Transition]


def to(handler: Handler, *targets: State) -> Transition:
    """Return the transition that ``handler`` makes, which may lead to ``targets``."""
    return Transition(handler, frozenset(targets))


class Machine(Protocol[Request_co]):
    """What intake and relay ask of a machine; ``Request_co`` is what its attempts ask for."""

    state: State
    causes: list[Cause]
    """Why attempts had to be made again, in their order."""

    def receive(self, event: Any, /) -> Actions:  # noqa: ANN401 - each has its inputs
        """Take one input; return the actions, in the order in which to do them."""

    def waiting(self, delivered: int) -> int:
        """Return the bytes of frames that wait, where ``delivered`` bytes went out before."""

    @property
    def next_request(self) -> Request_co:
        """What the next attempt asks for, or the one that is being made."""

    @property
    def patience(self) -> Patience:
        """How long silence is normal now."""

    @property
    def progress(self) -> int:
        """A count that grows whenever the client gets something new."""

    @property
    def started(self) -> bool:
        """Whether a frame with data went out."""

    @property
    def flowing(self) -> bool:
        """Whether plain events may come as a Flow."""

    @property
    def joining(self) -> bool:
        """Whether the next bytes should come a few at a time, until it is known where they join."""

    @property
    def judging(self) -> bool:
        """Whether the machine waits for a Turn to go on with what it has begun."""

    @property
    def holding(self) -> bool:
        """Whether text of a resumed attempt is held until it is known where it joins."""

    @property
    def joints(self) -> Sequence[Joint]:
        """How the resumed attempts joined, in their order."""


def checked(table: Table) -> Callable[[Any, Any], Actions]:
    """Return the method ``receive`` of the machine that ``table`` moves.

    It takes one input and returns the actions, in the order in which to do them.
    """
    rows = [{kind: t for (state, kind), t in table.items() if state is row} for row in State]

    def receive(self: Machine[Any], event: object) -> Actions:
        before = self.state
        transition = rows[before.number].get(type(event))
        if transition is None:
            raise IllegalInput(f"can't take {type(event).__name__} when {before.name}")
        actions = transition.handler(self, event)
        if self.state is not before and self.state not in transition.targets:
            raise IllegalTransition(f"{before.name} -> {self.state.name}")
        return actions

    return receive
