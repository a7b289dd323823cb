"""The log of an answer against a list of its frames."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gemproxy.core.repair.events import Frames, Out, Run, each
from gemproxy.core.wire.frame import Frame
from gemproxy.resume.log import Beyond, FrameLog, Room, Trimmed

SEPARATOR = b"\r\n\r\n"
COMMENT = Frame(b": upstream\r\n\r\n", None)
PLENTY = 1 << 30


def frame(number: int, size: int = 0) -> Frame:
    data = json.dumps({"n": number, "fill": "x" * size}).encode()
    return Frame(b"data: " + data + SEPARATOR, data)


def run(first: int, count: int) -> Run:
    frames = [frame(number) for number in range(first, first + count)]
    texts = [f"text {number}" for number in range(first, first + count)]
    return Run(b"".join(one.raw for one in frames), count, SEPARATOR, texts=texts)


def raw(out: tuple[Out, ...]) -> bytes:
    return b"".join(one.raw for one in each(out))


def all_behind(log: FrameLog, after: int) -> bytes:
    """Read as a follower does, from its number to the top."""
    place = log.seek(after)
    got, serial = raw(place.rest), place.serial
    while out := log.read(serial):
        got += raw(out)
        serial += len(out)
    return got


def log_of(*outs: Out, most: int = PLENTY) -> FrameLog:
    log = FrameLog(most, Room(PLENTY))
    for out in outs:
        log.append(out)
    return log


def test_each_frame_with_data_has_the_next_number() -> None:
    log = log_of(run(1, 3), Frames((COMMENT, frame(4), COMMENT)), run(5, 1))

    assert (log.top, log.base) == (5, 0)
    assert log.size == len(all_behind(log, 0))


@pytest.mark.parametrize("after", range(8))
def test_what_comes_behind_a_number_is_everything_but_the_frames_up_to_it(after: int) -> None:
    log = log_of(run(1, 3), Frames((frame(4), frame(5))), run(6, 2))

    assert all_behind(log, after) == b"".join(frame(n).raw for n in range(after + 1, 8))


def test_a_comment_comes_with_the_frames_behind_which_it_stands() -> None:
    log = log_of(run(1, 1), Frames((COMMENT,)), Frames((frame(2), COMMENT)), run(3, 1))

    assert all_behind(log, 1) == COMMENT.raw + frame(2).raw + COMMENT.raw + frame(3).raw
    assert all_behind(log, 2) == frame(3).raw
    assert all_behind(log, 0) == frame(1).raw + all_behind(log, 1)


def test_a_run_that_is_begun_in_the_middle_has_the_texts_of_the_rest() -> None:
    place = log_of(run(1, 3)).seek(2)

    assert [one.texts for one in place.rest if isinstance(one, Run)] == [["text 3"]]


def test_a_number_that_has_not_come_is_beyond() -> None:
    log = log_of(run(1, 3))

    with pytest.raises(Beyond):
        log.seek(4)


def test_the_oldest_frames_go_first_and_the_newest_stays_whatever_its_size() -> None:
    log = log_of(*(run(number, 1) for number in range(1, 10)), most=3 * len(frame(1).raw))

    assert (log.base, log.top) == (6, 9)
    with pytest.raises(Trimmed):
        log.seek(5)
    assert all_behind(log, 6) == b"".join(frame(n).raw for n in (7, 8, 9))

    log.append(Frames((frame(10, size=1 << 20),)))

    assert (log.base, log.top) == (9, 10)
    assert all_behind(log, 9) == frame(10, size=1 << 20).raw


def test_a_reader_that_trimming_has_passed_gets_an_error_and_no_hole() -> None:
    log = log_of(run(1, 1), run(2, 1), most=2 * len(frame(1).raw))
    place = log.seek(1)
    log.append(run(3, 1))
    assert raw(log.read(place.serial)) == frame(2).raw + frame(3).raw

    log.append(run(4, 1))

    with pytest.raises(Trimmed):
        log.read(place.serial)


def test_a_reader_without_a_place_keeps_the_beginning_until_it_has_one() -> None:
    log = log_of(most=1)
    log.pins += 1
    for number in range(1, 4):
        log.append(run(number, 1))
    assert all_behind(log, 0) == run(1, 3).raw

    log.pins -= 1
    log.append(run(4, 1))

    assert log.base == 3


def test_a_log_that_was_cleared_gives_its_bytes_back_and_nothing_else() -> None:
    room = Room(PLENTY)
    log = FrameLog(PLENTY, room)
    log.append(run(1, 3))

    log.clear()

    assert (log.size, room.held, log.base) == (0, 0, 3)
    with pytest.raises(Trimmed):
        log.seek(0)


def test_the_room_is_told_when_all_logs_together_are_too_large() -> None:
    calls: list[int] = []
    room = Room(2 * len(frame(1).raw))
    room.crowded = lambda: calls.append(room.held)
    one, other = FrameLog(PLENTY, room), FrameLog(PLENTY, room)

    one.append(run(1, 1))
    other.append(run(1, 1))
    assert not calls
    one.append(run(2, 1))

    assert calls == [3 * len(frame(1).raw)]


def test_a_long_log_is_read_in_pieces() -> None:
    log = log_of(*(Frames((frame(n, size=50_000),)) for n in range(1, 9)))

    assert 1 < len(log.read(0)) < 8
    assert all_behind(log, 0) == b"".join(frame(n, size=50_000).raw for n in range(1, 9))


outs: st.SearchStrategy[Callable[[int], Out]] = st.one_of(
    st.integers(1, 5).map(lambda count: lambda first: run(first, count)),
    st.lists(st.booleans(), min_size=1, max_size=4).map(
        lambda kinds: (
            lambda first: Frames(
                tuple(
                    frame(first + sum(kinds[:place])) if counts else COMMENT
                    for place, counts in enumerate(kinds)
                )
            )
        )
    ),
)


class P1AndP2(RuleBasedStateMachine):
    """Any schedule of appends, drops and returns: followers get the log's frames, or an error.

    The model is a list of all frames. A follower keeps what it got; when it drops it comes back
    with the number of its last frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(PLENTY)
        self.log = FrameLog(900, self.room)
        self.frames: list[bytes] = []
        self.followers: dict[int, tuple[int, int]] = {}  # name -> (frames got, next batch)
        self.born = 0

    @rule(make=outs)
    def append(self, make: Callable[[int], Out]) -> None:
        out = make(self.log.top + 1)
        self.log.append(out)
        self.frames += [one.raw for one in each((out,)) if one.data is not None]

    @rule(data=st.data())
    def attach(self, data: st.DataObject) -> None:
        after = data.draw(st.integers(0, len(self.frames) + 1))
        if after > len(self.frames):
            with pytest.raises(Beyond):
                self.log.seek(after)
        elif after < self.log.base:
            with pytest.raises(Trimmed):
                self.log.seek(after)
        else:
            place = self.log.seek(after)
            self.born += 1
            self.followers[self.born] = (self.check(after, place.rest), place.serial)

    @precondition(lambda self: self.followers)
    @rule(data=st.data())
    def pull(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.followers)))
        got, serial = self.followers[name]
        try:
            out = self.log.read(serial)
        except Trimmed:
            assert self.log.base > got or self.log.base == got  # a comment may be all it lost
            del self.followers[name]
            return
        if not out:
            assert got == len(self.frames)
        self.followers[name] = (self.check(got, out), serial + len(out))

    @precondition(lambda self: self.followers)
    @rule(data=st.data())
    def drop_and_return(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.followers)))
        got, _ = self.followers.pop(name)
        if got >= self.log.base:
            place = self.log.seek(got)
            self.followers[name] = (self.check(got, place.rest), place.serial)

    def check(self, got: int, out: tuple[Out, ...]) -> int:
        """Return how many frames a follower has that got ``out`` behind ``got`` frames."""
        new = [one.raw for one in each(out) if one.data is not None]
        assert new == self.frames[got : got + len(new)]
        return got + len(new)

    @invariant()
    def accounted_as_p7_asks(self) -> None:
        kept = sum(batch.size for batch in self.log._batches)
        assert self.log.size == self.room.held == kept
        assert self.log.size <= 900 or len(self.log._batches) == 1
        assert self.log.top == len(self.frames)


TestP1ExactlyOnceAndP2NoHole = P1AndP2.TestCase


@given(st.lists(outs, min_size=1, max_size=12), st.data())
def test_p1_a_follower_that_drops_at_any_number_has_every_frame_once(
    makes: list[Callable[[int], Out]], data: st.DataObject
) -> None:
    log, frames = log_of(), b""
    for make in makes:
        out = make(log.top + 1)
        log.append(out)
        frames += b"".join(one.raw for one in each((out,)) if one.data is not None)
    cut = data.draw(st.integers(0, log.top))
    first = b"".join(frame(n).raw for n in range(1, cut + 1))

    rest = all_behind(log, cut).replace(COMMENT.raw, b"")

    assert first + rest == frames
