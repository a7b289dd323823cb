"""Plays a conversation with a machine: ``Playbook(machine) >> input << action << action``.

After each input all actions have to be named before the next input; what differs is shown
as a diff of the whole conversation. A playbook that is not asserted complains when it goes.
"""

import difflib
from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self

import attrs

from gemproxy.core.repair.events import Action, Emit, Fail

Expected = Action | Callable[[Action], bool] | type


class Machine(Protocol):
    """What answers inputs with actions."""

    def receive(self, event: Any, /) -> Iterable[Action]: ...


@attrs.define(eq=False)
class Playbook:
    """``>>`` feeds an input, ``<<`` expects an action; truth is that all agreed."""

    machine: Machine
    _expected: list[str] = attrs.field(factory=list)
    _seen: list[str] = attrs.field(factory=list)
    _due: list[Action] = attrs.field(factory=list)
    _asserted: bool = False

    def __rshift__(self, event: Any) -> Self:
        self._flush()
        self._note(f">> {event!r}", f">> {event!r}")
        self._due = _merged(self.machine.receive(event))
        return self

    def __lshift__(self, expected: Expected) -> Self:
        action = self._due.pop(0) if self._due else None
        agrees = action is not None and _agrees(action, expected)
        self._note(
            f"<< {action!r}" if agrees else f"<< {_name(expected)}",
            f"<< {action!r}" if action is not None else "<< (nothing)",
        )
        return self

    def __bool__(self) -> bool:
        self._flush()
        self._asserted = True
        if self._expected != self._seen:
            raise AssertionError("\n" + "\n".join(difflib.ndiff(self._expected, self._seen)))
        return True

    def __del__(self) -> None:
        if not self._asserted:
            raise RuntimeError("a playbook was played and never asserted")

    def _flush(self) -> None:
        for action in self._due:
            self._seen.append(f"<< {action!r}")
        self._due = []

    def _note(self, expected: str, seen: str) -> None:
        self._expected.append(expected)
        self._seen.append(seen)


def _merged(actions: Iterable[Action]) -> list[Action]:
    """Join neighbouring writes: what counts is the bytes."""
    merged: list[Action] = []
    for action in actions:
        if isinstance(action, Emit) and merged and isinstance(merged[-1], Emit):
            merged[-1] = Emit(merged[-1].raw + action.raw)
        else:
            merged.append(action)
    return merged


def _agrees(action: Action, expected: Expected) -> bool:
    if isinstance(expected, type):
        return isinstance(action, expected)
    if isinstance(expected, Fail):
        return isinstance(action, Fail) and type(action.error) is type(expected.error)
    return expected(action) if callable(expected) else action == expected


def _name(expected: Expected) -> str:
    return expected.__name__ if callable(expected) else repr(expected)
