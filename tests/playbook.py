"""Plays a conversation with a machine: ``Playbook(machine) >> input << action << action``.

What goes out is named by the bytes that the client gets: ``Said``. After each input all actions
have to be named before the next input; what differs is shown
as a diff of the whole conversation. A playbook that is not asserted complains when it goes.
"""

import difflib
from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self

import attrs

from gemproxy.core.repair.events import Action, Fail, Finish, Frames, Next, Run
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.voice import Voice


@attrs.frozen
class Said:
    """These bytes went out."""

    raw: bytes


Seen = Said | Next
Expected = Seen | Callable[[Any], bool] | type


class Machine(Protocol):
    """What answers inputs with actions."""

    def receive(self, event: Any, /) -> Iterable[Action]: ...


@attrs.define(eq=False)
class Playbook:
    """``>>`` feeds an input, ``<<`` expects an action; truth is that all agreed."""

    machine: Machine
    voice: Voice = attrs.field(factory=EventVoice)
    _expected: list[str] = attrs.field(factory=list)
    _seen: list[str] = attrs.field(factory=list)
    _due: list[Seen] = attrs.field(factory=list)
    _asserted: bool = False

    def __rshift__(self, event: Any) -> Self:
        self._flush()
        self._note(f">> {event!r}", f">> {event!r}")
        self._due = seen(self.machine.receive(event), self.voice)
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


def seen(actions: Iterable[Action], voice: Voice | None = None) -> list[Seen]:
    """Return actions as a client sees them: all that goes out as bytes, then what is next."""
    voice, raw, following = voice or EventVoice(), b"", list[Seen]()
    for action in actions:
        if isinstance(action, Run | Frames):
            assert not following, "nothing goes out behind a decision"
            raw += voice.say((action,))
        elif isinstance(action, Finish):
            raw += voice.close(action.tail)
            following.append(Finish())
        else:
            following.append(action)
    return [Said(raw), *following] if raw else following


def said(actions: Iterable[Action], voice: Voice | None = None) -> bytes:
    """Return the bytes that go out."""
    return b"".join(one.raw for one in seen(actions, voice) if isinstance(one, Said))


def _agrees(action: Seen, expected: Expected) -> bool:
    if isinstance(expected, type):
        return isinstance(action, expected)
    if isinstance(expected, Fail):
        return isinstance(action, Fail) and type(action.error) is type(expected.error)
    return expected(action) if callable(expected) else action == expected


def _name(expected: Expected) -> str:
    return expected.__name__ if callable(expected) else repr(expected)
