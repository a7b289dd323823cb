"""Room for the pictures of chat answers: who waits for it, and who gives it back when."""

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.repair.events import Frames, Out
from gemproxy.core.wire.frame import Frame
from gemproxy.images.room import Room
from gemproxy.routes.bounded import SMALL, BoundedReader, Places

UNSAID = 8 << 20
LARGE = (Frames((Frame(b"p" * (2 * SMALL), None),)),)
LITTLE = (Frames((Frame(b"t", None),)),)


@attrs.define(eq=False)
class Behind:
    """Takes frames at once, or ``slow`` ones when it is settled; ``told`` is what it heard."""

    slow: bool = False
    content_type: str = "text/event-stream"
    committed: bool = True
    sent: int = 7
    told: list[str] = attrs.field(factory=list)

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        self.told.append(f"open {status} {dict(headers)}")

    async def offer(self, out: tuple[Out, ...]) -> bool:
        self.told.append("offer")
        return not self.slow

    async def settle(self) -> None:
        self.told.append("settle")

    async def heartbeat(self) -> None:
        self.told.append("heartbeat")

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        self.told.append("finish")

    async def pass_on(self, body: bytes) -> None:
        self.told.append(f"pass on {body!r}")

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        self.told.append("fail")


def places(*, choices: int = 1, times: int = 1, document: bool = False) -> Places:
    return Places(Room(64 << 20), choices, times, document)


async def test_small_frames_go_straight_on() -> None:
    behind, there = Behind(), places()
    reader = BoundedReader(behind, there)

    assert reader.expect(SMALL)
    assert await reader.offer(LITTLE)
    assert reader.expect(SMALL)
    assert (behind.told, there.room.answers) == (["offer"], 0)


async def test_a_stream_has_room_from_the_beginning_of_a_picture_until_its_client_has_it() -> None:
    for slow in (False, True):
        behind, there = Behind(slow), places(times=2)
        reader = BoundedReader(behind, there)

        assert not reader.expect(SMALL + 1)
        await reader.settle()
        assert (there.room.answers, behind.told) == (2 * UNSAID, [])
        assert reader.expect(SMALL)
        assert await reader.offer(LARGE) is not slow
        if slow:
            assert there.room.answers == 2 * UNSAID
            await reader.settle()
        assert there.room.answers == 0


async def test_a_picture_that_came_in_one_read_waits_for_room() -> None:
    behind, there = Behind(), places()
    taken = await there.room.answer(there.room.most)
    reader = BoundedReader(behind, there)

    assert not await reader.offer(LARGE)
    settling = asyncio.create_task(reader.settle())
    await asyncio.sleep(0)
    assert behind.told == []
    taken.release()
    await settling
    assert (behind.told, there.room.answers) == (["offer"], 0)


async def test_a_picture_at_the_end_has_room_and_gives_it_back() -> None:
    behind, there = Behind(), places()
    await BoundedReader(behind, there).finish(LARGE, None)

    assert (behind.told, there.room.answers) == (["finish"], 0)


async def test_a_document_takes_room_once_for_all_choices_and_keeps_it() -> None:
    there = places(choices=3, document=True)
    readers = [BoundedReader(Behind(), there) for _ in range(3)]
    for reader in readers:
        assert not reader.expect(SMALL + 1)
    await asyncio.gather(*(reader.settle() for reader in readers))
    for reader in readers:
        assert await reader.offer(LARGE)
        await reader.finish((), None)
        reader.close()

    assert there.room.answers == 3 * UNSAID
    there.release()
    assert there.room.answers == 0


async def test_what_fails_gives_all_back() -> None:
    there = places()
    reader = BoundedReader(Behind(), there)
    assert not reader.expect(SMALL + 1)
    await reader.settle()
    reader.close()
    there.release()

    assert there.room.answers == 0


async def test_all_else_is_passed_on() -> None:
    behind = Behind()
    reader = BoundedReader(behind, places())
    await reader.open(200, {"a": "b"})
    await reader.heartbeat()
    await reader.settle()
    await reader.pass_on(b"body")
    await reader.fail(None)

    assert behind.told == ["open 200 {'a': 'b'}", "heartbeat", "settle", "pass on b'body'", "fail"]
    assert (reader.content_type, reader.committed, reader.sent) == ("text/event-stream", True, 7)
