"""The engine: a machine moves as its table says, and any other move is a bug."""

from collections.abc import Callable
from typing import Any, ClassVar

import attrs
import pytest

from gemproxy.core.errors import Unrepaired
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Origin
from gemproxy.core.repair.engine import (
    Actions,
    IllegalInput,
    IllegalTransition,
    State,
    Table,
    checked,
    to,
)
from gemproxy.core.repair.events import Ended, Fail, Finish, How, Opened
from gemproxy.core.repair.machine import StreamMachine

END = Ended(How.EOF)


@attrs.define
class Door:
    """A small machine that goes where it is sent, whatever its table says."""

    goal: State
    state: State = State.CONNECTING

    def _go(self, _: object) -> Actions:
        self.state = self.goal
        return (Finish(),)

    TRANSITIONS: ClassVar[Table] = {
        (State.CONNECTING, Opened): to(_go, State.STREAMING),
        (State.STREAMING, Ended): to(_go),
    }
    receive: ClassVar[Callable[[Any, object], Actions]] = checked(TRANSITIONS)


def test_an_input_is_given_to_its_handler() -> None:
    door = Door(State.STREAMING)

    assert door.receive(Opened()) == (Finish(),)
    assert door.state is State.STREAMING


def test_staying_is_always_allowed() -> None:
    assert Door(State.CONNECTING).receive(Opened()) == (Finish(),)
    assert Door(State.STREAMING, State.STREAMING).receive(END) == (Finish(),)


def test_a_handler_may_lead_only_where_the_table_says() -> None:
    with pytest.raises(IllegalTransition, match="CONNECTING -> DONE"):
        Door(State.DONE).receive(Opened())


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.CONNECTING, END),
        (State.STREAMING, Opened()),
        (State.SPLICING, Opened()),
        (State.DONE, END),
        (State.FAILED, Fail(Unrepaired(""))),
    ],
)
def test_an_input_that_the_table_does_not_have_is_a_bug(state: State, event: object) -> None:
    door = Door(State.STREAMING, state)

    with pytest.raises(IllegalInput, match=f"{type(event).__name__} when {state.name}"):
        door.receive(event)
    assert door.state is state


@pytest.mark.parametrize("table", [StreamMachine.TRANSITIONS, InteractionMachine.TRANSITIONS])
def test_every_state_of_a_machine_can_be_reached_and_an_ending_is_final(table: Table) -> None:
    reached = {State.CONNECTING}.union(*(transition.targets for transition in table.values()))

    assert reached == set(State)
    assert {state for state, _ in table} == reached - {State.DONE, State.FAILED}


def test_two_machines_share_the_engine_and_no_row() -> None:
    interaction = InteractionMachine(Origin(creates=True))
    interaction.receive(Opened())

    assert interaction.state is State.STREAMING
    assert {kind for _, kind in StreamMachine.TRANSITIONS} - {
        kind for _, kind in InteractionMachine.TRANSITIONS
    }
