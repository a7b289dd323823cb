"""The store of pictures: type by the bytes, size, links, expiry, and a place that fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from gemproxy.core.picture import Picture
from gemproxy.images.folder import Folder
from gemproxy.images.health import CHANCE
from gemproxy.images.memory import Memory
from gemproxy.images.names import new_name, type_in
from gemproxy.images.shelf import Entry, Found, Shelf, StoreDown
from gemproxy.images.store import NotKept, PictureStore
from tests.images.samples import GIF, JPEG, PNG, SVG, WEBP

BASE = "https://pictures.test/under"
Make = Callable[[Path], Shelf]


@attrs.define
class Clock:
    """A clock that is set by hand, from now on."""

    later: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.later


@pytest.fixture(params=["memory", "folder"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Memory(1 << 20) if request.param == "memory" else Folder.open(tmp_path)


@attrs.define
class Broken:
    """A shelf on which nothing works while ``why`` is set."""

    serves: ClassVar[bool] = False

    why: str = "the disk is full"
    there: str = ""

    async def put(self, name: str, data: bytes) -> None:
        self._fail()

    async def find(self, name: str) -> Found | None:
        self._fail()
        return None

    async def link(self, name: str) -> str:
        return ""

    async def delete(self, name: str) -> None:
        self._fail()

    async def names(self) -> AsyncIterator[Entry]:
        yield self.there, 0.0, 0

    async def tidy(self, now: float) -> None:
        self._fail()

    def _fail(self) -> None:
        if self.why:
            raise StoreDown(self.why)


@pytest.mark.parametrize(
    ("data", "mime"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (GIF, "image/gif")],
)
async def test_the_bytes_decide_the_type_and_the_link_leads_to_them(
    shelf: Shelf, data: bytes, mime: str
) -> None:
    pictures = PictureStore(shelf, BASE)

    kept = await pictures.put(data, "http://of-the-request")

    assert kept.mime == type_in(kept.name) == mime
    assert kept.url == f"{BASE}/images/{kept.name}"
    assert await pictures.get(kept.name) == Picture(data, mime)
    assert pictures.state() == {"status": "ok", "failures": 0}


async def test_without_a_base_the_link_is_on_that_of_the_request(shelf: Shelf) -> None:
    pictures = PictureStore(shelf)

    assert (await pictures.put(PNG, "http://h:8000/")).url.startswith("http://h:8000/images/")
    with pytest.raises(StoreDown):
        await pictures.put(PNG)


@pytest.mark.parametrize("data", [b"", b"text", SVG, b"<html>", PNG[:7]])
async def test_what_is_no_picture_is_not_kept(shelf: Shelf, data: bytes) -> None:
    with pytest.raises(NotKept):
        await PictureStore(shelf, BASE).put(data)

    assert [name async for name, *_ in shelf.names()] == []


async def test_a_picture_that_is_too_large_is_not_kept(shelf: Shelf) -> None:
    pictures = PictureStore(shelf, BASE, largest=len(PNG))

    await pictures.put(PNG)
    with pytest.raises(NotKept):
        await pictures.put(PNG + b"0")

    assert pictures.state()["failures"] == 0


async def test_a_picture_expires_at_its_second_and_is_deleted_after_it(shelf: Shelf) -> None:
    clock = Clock()
    pictures = PictureStore(shelf, BASE, lasting=60, now=clock)
    kept = await pictures.put(PNG)
    clock.later = 58
    young = await pictures.put(PNG)
    await pictures.sweep()
    assert await pictures.get(kept.name) is not None

    clock.later = 61
    assert await pictures.get(kept.name) is None
    assert await shelf.find(kept.name) is not None
    await pictures.sweep()

    assert await shelf.find(kept.name) is None
    await pictures.delete(young.name)
    assert [name async for name, *_ in shelf.names()] == []


async def test_without_an_expiry_a_picture_stays(shelf: Shelf) -> None:
    clock = Clock()
    pictures = PictureStore(shelf, BASE, lasting=0, now=clock)
    kept = await pictures.put(PNG)
    clock.later = 1e9

    await pictures.sweep()

    assert await pictures.get(kept.name) is not None


async def test_the_sweep_leaves_what_it_did_not_make(tmp_path: Path) -> None:
    foreign = [tmp_path / "notes.png", tmp_path / ("0" * 32 + ".svg")]
    for file in foreign:
        file.write_bytes(PNG)
    clock = Clock(1e6)

    await PictureStore(Folder.open(tmp_path), BASE, lasting=60, now=clock).sweep()

    assert [file.read_bytes() for file in foreign] == [PNG, PNG]


@pytest.mark.parametrize("name", ["", "..", "../secret", "notes.png", "0" * 32 + ".png/../x"])
async def test_no_other_name_reaches_the_shelf(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.png").write_bytes(PNG)
    pictures = PictureStore(Broken(), BASE)

    assert await pictures.find(name) is None
    await pictures.delete(name)


async def test_a_place_that_fails_costs_the_link_and_is_told_once() -> None:
    shelf = Broken()
    pictures = PictureStore(shelf, BASE, now=lambda: 100.0)

    for _ in range(2):
        with pytest.raises(StoreDown) as caught:
            await pictures.put(PNG)

    assert str(caught.value) == "the disk is full"
    assert pictures.state() == {"status": "failing", "failures": 2, "failing_seconds": 0}
    shelf.why = ""
    await pictures.put(PNG)
    assert pictures.state() == {"status": "ok", "failures": 2}


async def test_nobody_waits_long_for_a_place_that_failed_until_it_has_another_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gemproxy.images.store.BRIEF", 0.001)
    shelf, clock, go_on = Broken(), Clock(), asyncio.Event()

    async def put(*_: object) -> None:
        await go_on.wait()

    pictures = PictureStore(shelf, BASE, now=clock)
    with pytest.raises(StoreDown):
        await pictures.put(PNG)
    monkeypatch.setattr(Broken, "put", put)
    with pytest.raises(StoreDown, match="it takes too long"):
        await pictures.put(PNG)
    clock.later = CHANCE
    patient = asyncio.create_task(pictures.put(PNG))
    await asyncio.sleep(0)
    with pytest.raises(StoreDown):
        await pictures.put(PNG)
    assert not patient.done()
    go_on.set()
    assert (await patient).url
    assert pictures.state()["status"] == "ok"


async def test_a_place_that_fails_while_it_is_read_says_so() -> None:
    pictures = PictureStore(Broken(there=new_name("image/png")), BASE, lasting=1)

    await pictures.sweep()
    assert pictures.state()["failures"] == 1
    with pytest.raises(StoreDown):
        await pictures.get(new_name("image/png"))
    with pytest.raises(StoreDown):
        await pictures.delete(new_name("image/png"))
    assert pictures.writing.failures == 0


@pytest.mark.parametrize(("lasting", "pause"), [(0, 900), (604_800, 900), (400, 100), (1, 1)])
def test_a_sweep_comes_a_few_times_in_the_life_of_a_picture(lasting: float, pause: float) -> None:
    assert PictureStore(Broken(), lasting=lasting).pause() == pause
