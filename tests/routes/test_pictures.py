"""Kept pictures over sockets: without a key, with safe headers, and never from the upstream."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import attrs
import pytest

from gemproxy.images.shelf import Found, StoreDown
from gemproxy.images.store import PictureStore
from gemproxy.routes.parts import PICTURE_STORE
from tests.images.samples import JPEG, PNG
from tests.replies import replying
from tests.running import Proxy, StartProxy

NAME = "0123456789abcdef0123456789abcdef.png"
POOL = {"keys": "AIzaSyPool"}
ACCESS = {"keys": {"ann": "gp-7Kq2mXv9TzRw4Lp8"}}
HEAVY = PNG + os.urandom(3 << 20)


@attrs.frozen
class Got:
    """An answer as a browser gets it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> Mapping[str, object]:
        return json.loads(self.body)["error"]  # type: ignore[no-any-return]


async def get(url: str, method: str = "GET", **headers: str) -> Got:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, url, headers=sent) as answer,
    ):
        return Got(answer.status, answer.headers, await answer.read())


@pytest.fixture(params=["memory", "local"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, str]:
    return {"storage": request.param, "directory": str(tmp_path / "pictures")}


async def kept(served: Proxy, data: bytes = PNG) -> str:
    """Keep a picture; return its link."""
    return (await served.app[PICTURE_STORE].put(data, served.url)).url


@pytest.mark.parametrize("mode", ["passthrough", "pool", "both"])
async def test_an_img_tag_needs_no_key_and_gets_safe_headers(
    proxy: StartProxy, images: Mapping[str, str], mode: str
) -> None:
    async with replying() as upstream:
        pool = {**POOL, "mode": mode}
        served = await proxy(upstream.url, images=images, pool=pool, access=ACCESS)
        got = await get(await kept(served, HEAVY))
        other = await get(await kept(served, JPEG))

    assert (got.status, got.body) == (200, HEAVY)
    assert got.headers["Content-Type"] == "image/png"
    assert got.headers["Content-Length"] == str(len(HEAVY))
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert got.headers["Cache-Control"].startswith("public, max-age=6047")
    assert got.headers["Cache-Control"].endswith(", immutable")
    assert other.headers["Content-Type"] == "image/jpeg"
    assert upstream.seen == []


async def test_a_picture_that_is_known_is_not_sent_again(
    proxy: StartProxy, images: Mapping[str, str]
) -> None:
    served = await proxy("http://127.0.0.1:1", images=images)
    link = await kept(served)
    tag = (await get(link)).headers["ETag"]

    same = await get(link, If_None_Match=f'"other", {tag}')
    any_ = await get(link, If_None_Match="*")
    other = await get(link, If_None_Match='"other"')
    head = await get(link, "HEAD")

    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", tag)
    assert any_.status == 304
    assert (other.status, other.body) == (200, PNG)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PNG))
    assert (await get(f"{served.url}/images/{NAME}", If_None_Match="*")).status == 404


async def test_an_expired_picture_is_none(proxy: StartProxy, images: Mapping[str, str]) -> None:
    served = await proxy("http://127.0.0.1:1", images=images)
    link = await kept(served)
    pictures = served.app[PICTURE_STORE]
    served.app._state[PICTURE_STORE] = attrs.evolve(pictures, now=lambda: pictures.now() + 604_801)

    got = await get(link)

    assert (got.status, got.error["status"]) == (404, "NOT_FOUND")
    assert got.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("images", [{}, {"storage": "memory"}])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_nothing_there_ever_reaches_the_upstream(
    proxy: StartProxy, images: Mapping[str, str], method: str
) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url, images=images)
        below = (f"/images/{NAME}", "/images/x", "/images/m:streamGenerateContent", "/images/")
        got = [await get(f"{served.url}{path}", method) for path in below]
        got.append(await get(f"{served.url}/team/images/{NAME}", method))

    reads = method in {"GET", "HEAD"}
    assert {one.status for one in got} == {404 if reads else 405}
    assert all(one.headers["Content-Type"].startswith("application/json") for one in got)
    assert all(reads or one.headers["Allow"] == "GET, HEAD" for one in got)
    assert upstream.seen == []


async def test_no_path_leads_out_of_the_folder(proxy: StartProxy, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    served = await proxy(
        "http://127.0.0.1:1", images={"storage": "local", "directory": str(folder)}
    )
    name = (await kept(served)).rpartition("/")[2]
    (tmp_path / NAME).write_bytes(PNG)
    (folder / "notes.png").write_bytes(PNG)
    (folder / f"{NAME}#1").write_bytes(PNG)
    probes = [
        f"../{NAME}",
        f"%2e%2e/{NAME}",
        f"..%2f{NAME}",
        f"..%5c{NAME}",
        f"%252e%252e%252f{NAME}",
        f"./{name}",
        f"{name}/",
        f"{name}%00",
        f"{name}%0a",
        f"{name}%23",
        f"{name};x",
        name.upper(),
        "notes.png",
        f"{NAME}%231",
        "%2fetc%2fpasswd",
        "..",
        "%ff",
    ]

    got = {probe: await served.ask(f"/images/{probe}", b"", {}, "GET") for probe in probes}

    assert {probe: one.status for probe, one in got.items() if one.status != 404} == {}
    assert (await served.ask(f"/images/{name}?x=1#y", b"", {}, "GET")).body == PNG
    assert (await served.ask(f"//images/{name}", b"", {}, "GET")).body == PNG
    assert (await served.ask(f"/team/images/{name}", b"", {}, "GET")).body == PNG
    assert str(tmp_path) not in str([one.body for one in got.values()])


async def test_headers_of_a_client_change_nothing(
    proxy: StartProxy, images: Mapping[str, str]
) -> None:
    served = await proxy("http://127.0.0.1:1", images=images)
    link = await kept(served)

    ranged = await get(link, Range="bytes=0-3")
    zipped = await get(link, Accept_Encoding="gzip", Accept="text/html")
    keyed = await get(link, Authorization="Bearer gp-wrong-wrong-wrong-1")

    assert {(one.status, one.body) for one in (ranged, zipped, keyed)} == {(200, PNG)}
    assert "Content-Encoding" not in zipped.headers


async def test_a_page_of_an_allowed_origin_may_read_it(
    proxy: StartProxy, images: Mapping[str, str]
) -> None:
    origins = {"cors_origins": ("https://page.test",)}
    served = await proxy("http://127.0.0.1:1", images=images, server=origins)

    got = await get(await kept(served), Origin="https://page.test")

    assert got.headers["Access-Control-Allow-Origin"] == "https://page.test"
    assert got.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_it_is_no_visit_of_a_client_s_address(
    proxy: StartProxy, images: Mapping[str, str]
) -> None:
    limits = {"requests_per_minute": 1, "requests_per_day_per_ip": 1}
    served = await proxy("http://127.0.0.1:1", images=images, access=limits)
    link = await kept(served)

    assert [(await get(link)).status for _ in range(3)] == [200, 200, 200]


@attrs.frozen
class Failing:
    """A shelf that finds a picture and breaks off in it, or finds nothing."""

    serves = False
    halfway: bool

    async def find(self, name: str) -> Found | None:
        if not self.halfway:
            raise StoreDown("the disk fails")

        async def pieces() -> AsyncIterator[bytes]:
            yield PNG
            raise StoreDown("the disk fails")

        return Found(1000, 0.0, pieces())


@pytest.mark.parametrize("halfway", [False, True])
async def test_a_place_that_fails_is_never_a_whole_picture(
    proxy: StartProxy, halfway: bool
) -> None:
    served = await proxy("http://127.0.0.1:1", images={"storage": "memory"})
    served.app._state[PICTURE_STORE] = PictureStore(Failing(halfway))  # type: ignore[arg-type]

    if halfway:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(f"{served.url}/images/{NAME}")
    else:
        got = await get(f"{served.url}/images/{NAME}")
        assert (got.status, got.error["status"]) == (503, "UNAVAILABLE")


async def test_health_tells_how_the_store_of_pictures_is(proxy: StartProxy) -> None:
    with_, without = (
        await proxy("http://127.0.0.1:1", images={"storage": "memory"}),
        await proxy("http://127.0.0.1:1"),
    )

    assert b'"images": {"status": "ok", "failures": 0}' in (await get(f"{with_.url}/health")).body
    assert b"images" not in (await get(f"{without.url}/health")).body
