"""Kept pictures for a request: within bounds, and never an error."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gemproxy.images.memory import Memory
from gemproxy.images.recalling import recall
from gemproxy.images.shelf import Found, StoreDown
from gemproxy.images.store import PictureStore
from tests.images.samples import GIF, PNG


@pytest.fixture
def store() -> PictureStore:
    return PictureStore(Memory(1 << 20), "https://ai.example")


async def test_pictures_come_by_name_and_what_is_gone_is_left_out(store: PictureStore) -> None:
    kept, moving = await store.put(PNG), await store.put(GIF)
    found = await recall(store, [f"{'0' * 32}.png", moving.name, kept.name, "../etc/passwd"])

    assert found.keys() == {kept.name}
    assert found[kept.name].data == PNG


async def test_pictures_that_do_not_fit_are_left_out(store: PictureStore) -> None:
    first, second = await store.put(PNG), await store.put(PNG)
    names = [first.name, second.name, second.name]

    assert (await recall(store, names, most=3 * len(PNG))).keys() == {first.name, second.name}
    assert (await recall(store, names, most=2 * len(PNG))).keys() == {first.name}


async def test_a_store_that_fails_or_is_late_gives_what_it_gave(
    store: PictureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await store.put(PNG), await store.put(PNG)
    find = store.find

    async def failing(_: PictureStore, name: str) -> Found | None:
        if name == second.name:
            raise StoreDown("it is away")
        return await find(name)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def stalling(_: PictureStore, name: str) -> Found | None:
        return Found(1, 0.0, never()) if name == second.name else await find(name)

    told: list[Any] = []
    for broken in (failing, stalling):
        monkeypatch.setattr(PictureStore, "find", broken)
        told.append(await recall(store, [first.name, second.name], seconds=0.05))

    assert [found.keys() for found in told] == [{first.name}, {first.name}]
