"""The page of kept pictures over sockets: figures as the API has them, looking, deleting."""

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import PictureStore
from gemproxy.routes.parts import PICTURE_STORE
from tests.images.samples import JPEG, PNG
from tests.operating import SECRET, Browser, signed_in, told, words_of
from tests.replies import replying
from tests.running import StartProxy

OPERATOR = {"x-admin-secret": SECRET}


async def browsing(proxy: StartProxy, url: str, **images: Any) -> Browser:
    return await signed_in(proxy, url, images=images, ledger={"enabled": True})


def store_of(browser: Browser) -> PictureStore:
    return browser.served.app[PICTURE_STORE]


@pytest.mark.parametrize("storage", ["memory", "local"])
async def test_pictures_are_counted_seen_and_deleted(
    proxy: StartProxy, tmp_path: Path, storage: str
) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url, storage=storage, directory=str(tmp_path))
        store = store_of(browser)
        kept = [await store.put(data, "http://host") for data in (PNG, JPEG)]
        state = await told(browser, "/images?limit=1")
        page = (await browser.get("/admin/images")).body.decode()
        picture = await browser.get(f"/admin/images/{kept[0].name}")
        stranger = await browser.served.ask(f"/admin/images/{kept[0].name}", b"", {}, "GET")
        done = await browser.post(f"/admin/images/{kept[0].name}/delete", {})
        after = words_of(await browser.get("/admin/images"))
        gone = await browser.get(f"/admin/images/{kept[0].name}")
        (entry,) = (await told(browser, "/audit?action=images.delete"))["entries"]

    size = len(PNG) + len(JPEG)
    assert (state["count"], state["bytes"], state["kept"], state["ok"]) == (2, size, 2, True)
    assert state["room"] == ((32 << 20) if storage == "memory" else None)
    assert len(state["newest"]) == 1
    assert {one.name for one in kept} == set(re.findall(r'data-row="([^"]+)"', page))
    assert f"{size} B" in page
    assert set(re.findall(r'src="([^"]+)"', page)) >= {f"./images/{one.name}" for one in kept}
    assert (picture.body, picture.headers["Content-Type"]) == (PNG, "image/png")
    assert picture.headers["Cache-Control"] == "no-store"
    assert stranger.status == 401
    assert done.status == 303
    assert "The picture is deleted." in after
    assert gone.status == 404
    assert entry["target"] == kept[0].name


async def test_expired_pictures_are_swept_now(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        images = {"storage": "local", "directory": str(tmp_path), "expire_seconds": 1000}
        browser = await browsing(proxy, upstream.url, **images)
        store = store_of(browser)
        kept = await store.put(PNG, "http://host")
        page = words_of(await browser.get("/admin/images"))
        later = attrs.evolve(store, now=lambda: 5e9)
        object.__setattr__(store, "now", later.now)
        await browser.post("/admin/images/sweep", {})
        swept = words_of(await browser.get("/admin/images"))

    assert "17 min" in page
    assert "1 expired pictures were deleted." in swept
    assert not (tmp_path / kept.name).exists()


async def test_a_storage_that_fails_is_told(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        folder = tmp_path / "pictures"
        browser = await browsing(proxy, upstream.url, storage="local", directory=str(folder))
        folder.rmdir()
        page = await browser.get("/admin/images")
        state = await told(browser, "/images")
        with pytest.raises(StoreDown):
            await store_of(browser).kept()

    assert page.status == 200
    assert "The storage fails" in words_of(page)
    assert (state["ok"], state["count"]) == (False, None)
    assert state["problem"]


async def test_without_a_storage_the_page_says_how_to_turn_it_on(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        page = await browser.get("/admin/images")
        api = await browser.served.ask("/admin/api/v1/images", b"", OPERATOR, "GET")

    assert 'storage = "local"' in words_of(page)
    assert api.status == 404
    assert b"images.storage" in api.body


@pytest.mark.parametrize("name", ["..%2fsecret", "0" * 32 + ".png", "x.svg"])
async def test_no_other_file_is_a_picture(proxy: StartProxy, tmp_path: Path, name: str) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url, storage="local", directory=str(tmp_path))
        answers = [
            await browser.get(f"/admin/images/{name}"),
            await browser.post(f"/admin/images/{name}/delete", {}),
        ]

    assert [answer.status for answer in answers] == [404, 404]
