"""Streams in memory: their keys, their bounds, and how long they are remembered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import Busy, Gone, LimitReached
from gemproxy.core.repair.events import Frames
from gemproxy.core.wire.frame import Frame
from gemproxy.resume.log import Broken, Ending, Refused, Whole
from gemproxy.resume.shelf import Bounds, Shelf
from gemproxy.resume.stream import Scope, Stream, new_id
from tests.generation.scripted import exchange

FRAME = Frames((Frame(b"data: {}\r\n\r\n", b"{}"),))
SIZE = len(FRAME.frames[0].raw)
BOUNDS = Bounds(
    stream_bytes=10 * SIZE, total_bytes=20 * SIZE, streams=4, streams_per_owner=3, seconds=60.0
)


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def shelf(bounds: Bounds = BOUNDS) -> tuple[Shelf, Clock]:
    clock = Clock()
    return Shelf(bounds, clock), clock


def stream(of: Shelf, key: str = "k", owner: str = "ann", frames: int = 0) -> Stream:
    made = Stream(new_id(), Scope(owner, key), b"", "sse", exchange(), of.new_log())
    for _ in range(frames):
        made.log.append(FRAME)
    return made


async def ended(of: Shelf, key: str, owner: str = "ann", frames: int = 1) -> Stream:
    """Put a stream with some frames that has ended."""
    made = stream(of, key, owner)
    assert await of.claim(made) is made
    for _ in range(frames):
        made.log.append(FRAME)
    await end(of, made, Whole())
    return made


async def end(of: Shelf, made: Stream, ending: Ending) -> None:
    made.log.ending = ending
    await of.end(made, ending)


async def test_p3_a_key_has_one_stream_and_another_owner_s_key_has_another() -> None:
    kept, _ = shelf()
    first, second, third = stream(kept), stream(kept), stream(kept, owner="bob")

    assert [await kept.claim(one) for one in (first, second, third)] == [first, first, third]
    assert await kept.find(Scope("ann", "k")) is first
    assert await kept.find(Scope("ann", "other")) is None


async def test_p6_only_its_owner_finds_a_stream_by_its_id() -> None:
    kept, _ = shelf()
    made = await ended(kept, "k")

    assert await kept.named(made.id, "ann") is made
    assert await kept.named(made.id, "bob") is None
    assert await kept.named(new_id(), "ann") is None


async def test_an_answer_is_kept_for_its_time_and_its_id_is_remembered_for_as_long() -> None:
    kept, clock = shelf()
    made = await ended(kept, "k")

    clock.at += 59
    assert await kept.find(made.scope) is made
    clock.at += 1
    assert await kept.find(made.scope) is None
    assert kept.room.held == 0
    with pytest.raises(Gone):
        await kept.named(made.id, "ann")
    assert await kept.named(made.id, "bob") is None

    clock.at += 60
    assert await kept.named(made.id, "ann") is None
    kept.tend()
    assert (len(kept), kept.remembered) == (0, 0)


async def test_what_is_being_read_stays() -> None:
    kept, clock = shelf()
    made = await ended(kept, "k")
    made.attach()
    clock.at += 61
    kept.tend()
    assert await kept.find(made.scope) is made

    made.followers = 0
    kept.tend()
    assert await kept.find(made.scope) is made
    clock.at += 60
    kept.tend()
    assert await kept.find(made.scope) is None


@pytest.mark.parametrize("ending", [Refused(ValueError()), Broken({})])
async def test_a_failure_before_anything_came_frees_the_key_at_once(ending: Ending) -> None:
    kept, _ = shelf()
    made = stream(kept)
    await kept.claim(made)

    await end(kept, made, ending)

    assert await kept.find(made.scope) is None
    assert await kept.named(made.id, "ann") is None


@pytest.mark.parametrize(
    "ending", [Refused(ValueError(), cancelled=True), Broken({}, cancelled=True)]
)
async def test_what_somebody_cancelled_is_a_result(ending: Ending) -> None:
    kept, _ = shelf()
    made = stream(kept)
    await kept.claim(made)

    await end(kept, made, ending)

    assert await kept.find(made.scope) is made


async def test_the_oldest_ended_answer_makes_place_and_its_key_is_410_until_its_time() -> None:
    kept, clock = shelf()
    first = await ended(kept, "1")
    for key in ("2", "3"):
        await ended(kept, key)

    await ended(kept, "4")

    with pytest.raises(Gone):
        await kept.find(first.scope)
    with pytest.raises(Gone):
        await kept.claim(stream(kept, "1"))
    clock.at += 60
    assert await kept.find(first.scope) is None


async def test_running_streams_are_not_put_out_for_another() -> None:
    kept, _ = shelf()
    for key in ("1", "2", "3"):
        await kept.claim(stream(kept, key))
    with pytest.raises(LimitReached):
        await kept.claim(stream(kept, "4"))
    await kept.claim(stream(kept, "1", "bob"))

    with pytest.raises(Busy):
        await kept.claim(stream(kept, "2", "bob"))


async def test_p7_over_the_total_ended_answers_go_first_and_then_the_oldest_frames() -> None:
    kept, _ = shelf()
    old = await ended(kept, "old", frames=8)
    running = stream(kept, "running")
    await kept.claim(running)
    for _ in range(10):
        running.log.append(FRAME)
    other = stream(kept, "other", "bob")
    await kept.claim(other)
    for _ in range(9):
        other.log.append(FRAME)

    with pytest.raises(Gone):
        await kept.find(old.scope)
    assert kept.room.held == 19 * SIZE

    third = stream(kept, "third", "bob")
    await kept.claim(third)
    for _ in range(2):
        third.log.append(FRAME)

    assert kept.room.held <= 20 * SIZE
    assert running.log.base > 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 30), st.booleans()), max_size=40))
async def test_p7_the_bytes_are_those_of_the_frames_and_within_bounds(
    steps: list[tuple[int, int, bool]],
) -> None:
    kept, clock = shelf()
    streams: dict[int, Stream] = {}
    for key, frames, ends in steps:
        made = streams.get(key)
        if made is None:
            made = stream(kept, str(key), f"owner {key}")
            try:
                if await kept.claim(made) is not made:
                    continue
            except (Gone, Busy):
                continue
            streams[key] = made
        for _ in range(frames):
            made.log.append(FRAME)
        assert kept.room.held == sum(one.log.size for one in kept)
        assert kept.room.held <= BOUNDS.total_bytes
        assert all(one.log.size <= BOUNDS.stream_bytes for one in kept)
        if ends:
            await end(kept, made, Whole())
            del streams[key]
    for made in streams.values():
        await end(kept, made, Whole())
    clock.at += 60
    kept.tend()
    clock.at += 60
    kept.tend()
    assert (kept.room.held, len(kept), kept.remembered) == (0, 0, 0)
