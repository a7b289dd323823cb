"""The shelf in memory: it has room for some bytes, and the oldest make room."""

import pytest

from gemproxy.images.memory import Memory
from gemproxy.images.shelf import StoreDown


async def names(shelf: Memory) -> set[str]:
    return {name async for name, *_ in shelf.names()}


async def test_a_picture_comes_back_in_pieces() -> None:
    shelf = Memory(1 << 20)
    data = bytes(range(256)) * 4000
    await shelf.put("one", data)

    found = await shelf.find("one")

    assert found is not None
    assert found.size == len(data)
    assert b"".join([piece async for piece in found.pieces]) == data
    assert await shelf.link("one") == ""


async def test_the_oldest_make_room() -> None:
    shelf = Memory(10)
    for name in ("one", "two", "three"):
        await shelf.put(name, b"1234")

    assert await names(shelf) == {"two", "three"}
    await shelf.put("four", b"1234567890")
    assert await names(shelf) == {"four"}


async def test_what_is_deleted_makes_room_too() -> None:
    shelf = Memory(10)
    await shelf.put("one", b"12345")
    await shelf.put("two", b"12345")
    await shelf.delete("two")
    await shelf.delete("two")
    await shelf.put("three", b"12345")

    assert await names(shelf) == {"one", "three"}
    assert await shelf.find("two") is None


async def test_a_picture_that_is_larger_than_all_room_is_not_kept() -> None:
    shelf = Memory(10)
    await shelf.put("one", b"1")

    with pytest.raises(StoreDown):
        await shelf.put("two", b"12345678901")

    assert await names(shelf) == {"one"}
    await shelf.tidy(0.0)
