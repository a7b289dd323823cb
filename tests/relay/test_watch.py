"""The clock of one stream, with a loop whose time only passes when a test says so."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, cast

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemproxy.core.repair.engine import Patience
from gemproxy.exchange.deadline import Deadline
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.watch import Timing, Watch

TIMING = Timing(
    patience={
        Patience.FIRST_BYTE: 300.0,
        Patience.THINKING: 200.0,
        Patience.THINKING_ON: 200.0,
        Patience.CHUNK: 90.0,
        Patience.FINISH: 3.0,
        Patience.TOOL_FINISH: 30.0,
        Patience.EMPTY_FINISH: 60.0,
    },
    heartbeat=15.0,
    headers_after=30.0,
)


@attrs.define(eq=False)
class Timer:
    """What ``call_at`` returns."""

    when: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@attrs.define(eq=False)
class Sign:
    """A task whose coroutine runs as far as it can."""

    coroutine: Coroutine[Any, Any, None]
    ended: bool = False
    cancelled: bool = False

    def run(self) -> None:
        try:
            self.coroutine.send(None)
        except StopIteration:
            self.ended = True

    def done(self) -> bool:
        return self.ended

    def cancel(self) -> None:
        self.cancelled = True
        self.coroutine.close()


@attrs.define(eq=False)
class Clock:
    """The part of an event loop that a Watch uses."""

    now: float = 1000.0
    timers: list[Timer] = attrs.field(factory=list)
    signs: list[Sign] = attrs.field(factory=list)
    at_once: bool = True

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(when, callback)
        self.timers.append(timer)
        return timer

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> Sign:
        self.signs.append(Sign(coroutine))
        if self.at_once:
            self.signs[-1].run()
        return self.signs[-1]

    def pass_until(self, time: float) -> None:
        """Let time pass and fire what is due on the way."""
        while due := [t for t in self.timers if not t.cancelled and t.when <= 1000.0 + time]:
            timer = min(due, key=lambda t: t.when)
            timer.cancelled = True
            self.now = max(self.now, timer.when)
            timer.callback()
        self.now = 1000.0 + time


@attrs.define(eq=False)
class Stream:
    """A watched stream, and when what happened to it (seconds since its beginning)."""

    clock: Clock = attrs.field(factory=Clock)
    events: list[tuple[str, float]] = attrs.field(factory=list)
    timing: Timing = TIMING
    watch: Watch = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        loop = cast("asyncio.AbstractEventLoop", self.clock)
        self.watch = Watch(self.timing, self.commit, self.beat, loop=loop)

    def note(self, event: str) -> None:
        self.events.append((event, self.clock.now - 1000.0))

    async def commit(self) -> None:
        self.note("commit")

    async def beat(self) -> None:
        self.note("beat")

    def wait(self, patience: Patience = Patience.CHUNK) -> None:
        self.watch.wait_for(patience, lambda: self.note("abort"))

    def frame(self) -> None:
        """Receive a frame and pass it on."""
        self.watch.heard()
        self.watch.wrote = True


@pytest.mark.parametrize("patience", list(Patience))
def test_silence_beyond_the_patience_of_the_moment_aborts_the_attempt(patience: Patience) -> None:
    stream = Stream()
    with stream.watch:
        stream.wait(patience)
        stream.clock.pass_until(400.0)

    times = [time for event, time in stream.events if event == "abort"]
    assert times == [TIMING.patience[patience]]


def test_bytes_in_time_end_the_wait() -> None:
    stream = Stream()
    with stream.watch:
        stream.wait()
        stream.clock.pass_until(89.0)
        stream.watch.heard()
        stream.clock.pass_until(1000.0)

    assert "abort" not in dict(stream.events)


def test_a_wait_that_ends_sooner_than_the_timer_sets_it_again() -> None:
    stream = Stream()
    with stream.watch:
        stream.wait(Patience.THINKING)
        stream.watch.heard()
        stream.wait(Patience.FINISH)
        stream.clock.pass_until(4.0)

    assert stream.events == [("abort", 3.0)]


def test_a_client_without_a_frame_gets_the_head_and_then_heartbeats() -> None:
    stream = Stream()
    with stream.watch:
        stream.wait(Patience.FIRST_BYTE)
        stream.clock.pass_until(61.0)

    assert stream.events == [("commit", 30.0), ("beat", 45.0), ("beat", 60.0)]


def test_after_a_frame_the_first_heartbeat_does_not_wait_for_the_time_of_the_head() -> None:
    stream = Stream()
    with stream.watch:
        stream.wait(Patience.FIRST_BYTE)
        stream.clock.pass_until(1.0)
        stream.frame()
        stream.wait()
        stream.clock.pass_until(20.0)

    assert stream.events == [("beat", 16.0)]


def test_a_frame_is_a_sign_of_life() -> None:
    stream = Stream()
    with stream.watch:
        for second in range(100):
            stream.clock.pass_until(float(second))
            stream.frame()
            stream.wait()

    assert stream.events == []


def test_no_sign_is_given_while_a_frame_is_on_its_way() -> None:
    stream = Stream()
    with stream.watch:
        stream.frame()
        stream.watch.busy = True
        stream.clock.pass_until(100.0)

    assert stream.events == []


@pytest.mark.parametrize("begun", [False, True], ids=["head", "heartbeat"])
def test_a_sign_looks_at_what_is_on_its_way_when_it_is_given(begun: bool) -> None:
    """A frame may set out between the timer and the task that it makes."""
    stream = Stream()
    stream.clock.at_once = False
    with stream.watch:
        if begun:
            stream.frame()
        stream.wait()
        stream.clock.pass_until(30.0)
        stream.watch.busy = True
        stream.clock.signs[0].run()

    assert stream.events == []


def test_no_second_sign_is_given_while_the_first_is_on_its_way() -> None:
    stream = Stream()
    blocked: asyncio.Future[None] = asyncio.Future(loop=asyncio.new_event_loop())

    async def beat() -> None:
        stream.note("beat")
        await blocked

    stream.watch.beat = beat
    with stream.watch:
        stream.frame()
        stream.wait()
        stream.clock.pass_until(80.0)
    blocked.get_loop().close()

    assert stream.events == [("beat", 15.0)]
    assert stream.clock.signs[0].cancelled


def test_a_client_that_is_gone_is_left_to_the_loop() -> None:
    stream = Stream()

    async def beat() -> None:
        stream.note("beat")
        raise ClientGone("the client closed the connection")

    stream.watch.beat = beat
    with stream.watch:
        stream.frame()
        stream.wait()
        stream.clock.pass_until(16.0)

    assert stream.events == [("beat", 15.0)]


def test_nothing_happens_after_the_end() -> None:
    stream = Stream()
    with stream.watch:
        stream.wait()
    stream.clock.pass_until(1000.0)

    assert stream.events == []


def test_a_frame_costs_no_timer() -> None:
    stream = Stream()
    with stream.watch:
        for number in range(1000):
            stream.clock.pass_until(number / 1000)
            stream.wait()
            stream.frame()

    assert len(stream.clock.timers) <= 2


def given_seconds(seconds: float) -> Timing:
    """Return the timing of a request whose client gave so many seconds when it began."""
    return TIMING.within(Deadline(seconds, began=1000.0))


def aborted(stream: Stream, patience: Patience, *frames: float) -> float | None:
    """Return when an attempt is aborted that is silent behind ``frames``, within an hour."""
    with stream.watch:
        stream.wait(patience)
        for time in frames:
            stream.clock.pass_until(time)
            stream.frame()
            stream.wait(patience)
        stream.clock.pass_until(3600.0)
    return next((time for event, time in stream.events if event == "abort"), None)


BEFORE_TEXT = pytest.mark.parametrize("patience", [Patience.FIRST_BYTE, Patience.THINKING])


@BEFORE_TEXT
@pytest.mark.parametrize("seconds", [1.0, 20.0, 900.0, 3000.0])
def test_before_any_text_the_clients_own_seconds_are_the_patience_up_and_down(
    patience: Patience, seconds: float
) -> None:
    assert aborted(Stream(timing=given_seconds(seconds)), patience) == seconds


@pytest.mark.parametrize(
    "patience",
    [
        Patience.THINKING_ON,
        Patience.CHUNK,
        Patience.FINISH,
        Patience.TOOL_FINISH,
    ],
)
@pytest.mark.parametrize("seconds", [1.0, 3000.0])
def test_behind_text_or_a_reason_the_patience_stays(patience: Patience, seconds: float) -> None:
    assert aborted(Stream(timing=given_seconds(seconds)), patience) == TIMING.patience[patience]


def test_a_stop_before_any_content_waits_no_longer_than_the_client_gives() -> None:
    usual = TIMING.patience[Patience.EMPTY_FINISH]

    assert aborted(Stream(timing=given_seconds(5.0)), Patience.EMPTY_FINISH) == 5.0
    assert aborted(Stream(timing=given_seconds(900.0)), Patience.EMPTY_FINISH) == usual


def test_an_attempt_that_delivers_is_not_ended_by_the_clients_deadline() -> None:
    frames = [half / 2 for half in range(1, 13)]

    thinking = Stream(timing=given_seconds(2.0))
    talking = Stream(timing=given_seconds(2.0))

    assert aborted(thinking, Patience.THINKING, *frames) == 6.0 + 2.0
    assert aborted(talking, Patience.CHUNK, *frames) == 6.0 + TIMING.patience[Patience.CHUNK]


def test_an_attempt_that_begins_late_has_what_is_left() -> None:
    stream = Stream(timing=given_seconds(900.0))
    stream.clock.pass_until(850.0)

    assert aborted(stream, Patience.FIRST_BYTE) == 900.0


def test_without_a_deadline_nothing_is_moved() -> None:
    assert TIMING.within(Deadline()) is TIMING
    assert TIMING.first_byte == TIMING.silence == TIMING.patience[Patience.FIRST_BYTE]


# Half seconds: the timer's grain of milliseconds is nobody's concern.
HALF_SECONDS = st.integers(1, 800).map(lambda count: count / 2)


@given(st.lists(st.tuples(st.sampled_from(Patience), HALF_SECONDS), max_size=20))
@example([(Patience.FIRST_BYTE, 1.0), (Patience.FIRST_BYTE, 12.0), (Patience.FINISH, 3.0)])
def test_an_attempt_is_aborted_if_and_only_if_it_is_silent_for_too_long(
    waits: list[tuple[Patience, float]],
) -> None:
    stream = Stream()
    now = 0.0
    expected: list[float] = []
    with stream.watch:
        for patience, silence in waits:
            stream.wait(patience)
            if silence >= TIMING.patience[patience]:
                expected.append(now + TIMING.patience[patience])
            now += silence
            stream.clock.pass_until(now)
            stream.frame()

    times = [time for event, time in stream.events if event == "abort"]
    assert times == pytest.approx(expected)


@given(st.lists(st.floats(0.1, 100.0), max_size=20))
def test_a_client_never_waits_longer_than_a_heartbeat(silences: list[float]) -> None:
    stream = Stream()
    now, heard = 0.0, [0.0]
    with stream.watch:
        stream.frame()
        for silence in silences:
            stream.wait(Patience.FIRST_BYTE)
            now += silence
            stream.clock.pass_until(now)
            stream.frame()
            heard.append(now)

    heard = sorted([*heard, *(time for _, time in stream.events)])
    gaps = [after - before for before, after in itertools.pairwise(heard)]
    assert all(gap <= TIMING.heartbeat + 0.01 for gap in gaps)


def test_the_silence_is_known_while_the_upstream_is_awaited() -> None:
    stream = Stream()
    with stream.watch:
        assert stream.watch.silence is None
        stream.wait()
        stream.clock.pass_until(40.0)
        assert stream.watch.silence == 40.0
        stream.frame()
        assert stream.watch.silence is None
        stream.wait(Patience.THINKING)
        assert stream.watch.silence == 0.0
