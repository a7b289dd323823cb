"""The composition of the store of pictures, from the settings."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from gemproxy.images.bucket import Bucket
from gemproxy.images.folder import Folder
from gemproxy.images.memory import Memory
from gemproxy.routes.parts import PICTURE_STORE, ROOM
from gemproxy.store.unusable import Unusable
from gemproxy.web.pictures import open_pictures, prepare_pictures
from tests.images.samples import PNG
from tests.running import PATIENCE, settings

UPSTREAM = "http://127.0.0.1:1"


async def test_without_a_storage_there_is_no_store() -> None:
    app = web.Application()

    async with open_pictures(settings(UPSTREAM), app):
        assert PICTURE_STORE not in app


async def test_each_storage_has_its_place(tmp_path: Path) -> None:
    cloud = {"bucket": "b", "access_key": "AK", "secret_key": "SK"}
    for images, kind in (
        ({"storage": "memory"}, Memory),
        ({"storage": "local", "directory": str(tmp_path / "pictures")}, Folder),
        ({"storage": "minio", "endpoint": "http://127.0.0.1:1", **cloud}, Bucket),
        ({"storage": "tencent", "region": "ap-tokyo", **cloud}, Bucket),
    ):
        app = web.Application()
        async with open_pictures(settings(UPSTREAM, images=images), app):
            assert isinstance(app[PICTURE_STORE].shelf, kind)


@pytest.mark.parametrize(
    ("storage", "on_the_way", "kept"), [("memory", 400, 400), ("local", 800, 0)]
)
async def test_pictures_in_memory_share_one_bound(
    tmp_path: Path, storage: str, on_the_way: int, kept: int
) -> None:
    app, directory = web.Application(), str(tmp_path)
    images = {"storage": storage, "directory": directory, "max_memory_bytes": 800}
    async with open_pictures(settings(UPSTREAM, images=images), app):
        shelf = app[PICTURE_STORE].shelf
        assert app[ROOM].memory == on_the_way
        assert (shelf.most if isinstance(shelf, Memory) else 0) == kept


async def test_links_have_the_base_of_pictures_else_that_of_the_server() -> None:
    for images, server, expected in (
        ({"public_url": "https://a.test"}, {"public_url": "https://b.test"}, "https://a.test"),
        ({}, {"public_url": "https://b.test"}, "https://b.test"),
        ({}, {}, ""),
    ):
        app = web.Application()
        values = settings(UPSTREAM, images={"storage": "memory", **images}, server=server)
        async with open_pictures(values, app):
            assert app[PICTURE_STORE].base == expected


async def test_expired_pictures_are_deleted_in_the_background(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, deleted = web.Application(), asyncio.Queue[str]()

    async def delete(_: Memory, name: str) -> None:
        deleted.put_nowait(name)

    monkeypatch.setattr(Memory, "delete", delete)
    values = settings(UPSTREAM, images={"storage": "memory", "expire_seconds": 0.01})
    async with open_pictures(values, app):
        kept = await app[PICTURE_STORE].put(PNG, "http://h")
        async with asyncio.timeout(PATIENCE):
            assert await deleted.get() == kept.name


async def test_a_directory_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    images = {"storage": "local", "directory": str(tmp_path / "file" / "pictures")}
    values = settings(UPSTREAM, images=images)

    with pytest.raises(Unusable, match="cannot be used: Not a directory") as caught:
        prepare_pictures(values)
    with pytest.raises(Unusable):
        await open_pictures(values, web.Application()).__aenter__()

    assert caught.value.setting == "images.directory"


def test_a_directory_is_made_before_the_workers_start(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "pictures"

    prepare_pictures(settings(UPSTREAM, images={"directory": str(folder)}))
    assert not folder.exists()
    prepare_pictures(settings(UPSTREAM, images={"storage": "local", "directory": str(folder)}))
    assert folder.is_dir()
