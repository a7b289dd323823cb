"""The clock of one answer, on a loop whose time stands until a test moves it."""

import asyncio
import heapq
from collections.abc import Callable
from typing import cast

import attrs
import pytest

from gemproxy.relay.silence import Silence


@attrs.define(eq=False)
class Timer:
    due: float
    run: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: "Timer") -> bool:
        return self.due < other.due


@attrs.define
class Loop:
    """Stands for an event loop."""

    now: float = 100.0
    timers: list[Timer] = attrs.field(factory=list)

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, run: Callable[[], None]) -> Timer:
        timer = Timer(self.now + seconds, run)
        heapq.heappush(self.timers, timer)
        return timer

    def pass_to(self, then: float) -> None:
        """Let time pass until ``then``."""
        while self.timers and self.timers[0].due <= then:
            timer = heapq.heappop(self.timers)
            self.now = timer.due
            if not timer.cancelled:
                timer.run()
        self.now = then


@attrs.define
class Scene:
    loop: Loop = attrs.field(factory=Loop)
    late: list[float] = attrs.field(factory=list)
    silence: Silence = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        loop = cast("asyncio.AbstractEventLoop", self.loop)
        self.silence = Silence(loop, lambda: self.late.append(self.loop.now))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_silence_is_late_once(scene: Scene) -> None:
    scene.silence.allow(5)
    assert scene.silence.timed

    scene.loop.pass_to(200)

    assert scene.late == [105]
    assert not scene.silence.timed


def test_what_is_heard_counts_from_then(scene: Scene) -> None:
    scene.silence.allow(5)
    for then in (104, 108, 110, 114.5):
        scene.loop.pass_to(then)
        scene.silence.heard()

    scene.loop.pass_to(200)

    assert scene.late == [119.5]


def test_a_read_sets_no_timer(scene: Scene) -> None:
    scene.silence.allow(5)
    for _ in range(100):
        scene.silence.heard()

    assert len(scene.loop.timers) == 1


def test_other_limits_count_from_when_they_are_set(scene: Scene) -> None:
    scene.silence.allow(5)
    scene.loop.pass_to(104)
    scene.silence.allow(3)
    scene.loop.pass_to(106)
    scene.silence.allow(10)
    scene.loop.pass_to(200)

    assert scene.late == [116]


@pytest.mark.parametrize(
    "stop", [lambda silence: silence.allow(None), lambda silence: silence.stop()]
)
def test_no_limit_is_never_late(scene: Scene, stop: Callable[[Silence], None]) -> None:
    scene.silence.allow(5)
    stop(scene.silence)
    assert not scene.silence.timed
    scene.loop.pass_to(200)

    assert scene.late == []


def test_nobody_is_late_while_nobody_listens(scene: Scene) -> None:
    scene.silence.allow(5)
    scene.silence.hold()
    scene.loop.pass_to(163)
    scene.silence.go_on()
    scene.loop.pass_to(300)

    assert scene.late == [168]
