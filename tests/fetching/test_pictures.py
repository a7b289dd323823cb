"""Pictures by URL, over sockets: a server of the test is the public Internet."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from gemproxy.core.errors import BadField
from gemproxy.core.picture import Picture
from gemproxy.fetching.links import Rules
from gemproxy.fetching.pictures import Bounds, open_pictures
from tests.fetching.public import PNG, Gallery, Names, internet
from tests.sockets import chunk, head, scripted

FIELD = "messages[0].content[1].image_url.url"
JPEG = b"\xff\xd8\xff\xe0" + b"picture"
SAME = Picture(PNG, "image/png")


def here(*names: str) -> Names:
    return Names(dict.fromkeys(names or ("pictures.example",), (("127.0.0.1",),)))


def to(place: str, status: int = 302) -> web.Response:
    return web.Response(status=status, headers={"Location": place})


def typed(body: bytes, mime: str = "image/png", **headers: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": mime, **headers})


async def fetched(
    answers: Mapping[str, web.Response],
    *urls: str,
    names: Names | None = None,
    **how: Any,
) -> tuple[Gallery, Mapping[str, Picture] | BadField]:
    """Fetch ``urls`` (PORT is the server's port) from a server with these answers."""
    gallery = Gallery(answers)
    async with (
        RawTestServer(gallery.handle) as server,
        internet(server.port or 0, names or here(), **how) as pictures,
    ):
        port = str(server.port)
        named = {
            f"messages[{i}].content[1].image_url.url": url.replace("PORT", port)
            for i, url in enumerate(urls)
        }
        for answer in answers.values():
            if "Location" in answer.headers:
                answer.headers["Location"] = answer.headers["Location"].replace("PORT", port)
        try:
            found = await pictures.fetch(named)
        except BadField as error:
            return gallery, error
        return gallery, {url.replace(port, "PORT"): picture for url, picture in found.items()}


async def test_a_picture_comes_with_the_type_of_its_bytes() -> None:
    url = "http://pictures.example:PORT/a"
    _, found = await fetched({"/a": typed(JPEG, "image/png")}, url)

    assert found == {url: Picture(JPEG, "image/jpeg")}


async def test_many_pictures_are_fetched_side_by_side_and_each_once() -> None:
    together = asyncio.Barrier(3)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await together.wait()
        return typed(PNG)

    async with (
        RawTestServer(handle) as server,
        internet(server.port or 0, here()) as pictures,
    ):
        urls = [f"http://pictures.example:{server.port}/{name}" for name in "abca"]
        found = await pictures.fetch({str(place): url for place, url in enumerate(urls)})

    assert found == dict.fromkeys(urls, SAME)


async def test_nothing_of_client_or_proxy_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    cookie = {"Set-Cookie": "a=b", "Location": "/b"}
    gallery, found = await fetched(
        {"/a": web.Response(status=302, headers=cookie), "/b": typed(PNG)},
        "http://pictures.example:PORT/a#part",
    )

    assert not isinstance(found, BadField)
    for request in gallery.asked:
        assert set(request.headers) == {
            "Host",
            "Accept",
            "Accept-Encoding",
            "User-Agent",
            "Connection",
        }
        assert request.headers["User-Agent"] == "gemproxy"
        assert request.method == "GET"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status: int) -> None:
    url = "http://pictures.example:PORT/a"
    gallery, found = await fetched(
        {
            "/a": to("b", status),
            "/b": to("//other.example:PORT/c", status),
            "/c": to("http://pictures.example:PORT/d", status),
            "/d": typed(PNG),
        },
        url,
        names=here("pictures.example", "other.example"),
    )

    assert found == {url: SAME}
    assert gallery.paths == ["/a", "/b", "/c", "/d"]


@pytest.mark.parametrize(
    "place",
    [
        "http://inner.example:PORT/secret",
        "http://127.0.0.2:PORT/secret",
        "http://[::1]:PORT/secret",
        "http://2130706433:PORT/secret",
        "http://localhost:PORT/secret",
        "http://metadata.google.internal:PORT/secret",
        "http://pictures.example:1/secret",
        "http://user@pictures.example:PORT/secret",
        "file:///etc/passwd",
        "http://[::1",
        "",
        "/a",
    ],
)
async def test_each_redirect_is_checked(place: str) -> None:
    names = Names({"pictures.example": [["127.0.0.1"]], "inner.example": [["127.0.0.2"]]})
    gallery, found = await fetched(
        {"/a": to(place), "/secret": typed(PNG)}, "http://pictures.example:PORT/a", names=names
    )

    assert isinstance(found, BadField)
    assert found.field == "messages[0].content[1].image_url.url"
    assert "/secret" not in gallery.paths


async def test_a_name_that_leads_inside_is_never_connected() -> None:
    gallery, found = await fetched(
        {"/a": typed(PNG)}, "http://pictures.example:PORT/a", addresses=()
    )

    assert isinstance(found, BadField)
    assert gallery.paths == []


async def test_an_address_that_is_inside_is_never_connected() -> None:
    gallery, found = await fetched({"/a": typed(PNG)}, "http://127.0.0.1:PORT/a", addresses=())

    assert isinstance(found, BadField)
    assert "public Internet" in found.message
    assert gallery.paths == []


async def test_a_connection_goes_to_the_answer_that_was_checked() -> None:
    """A name server that gives an inner address to the second question is not asked twice."""
    names = Names({"pictures.example": [["127.0.0.1"], ["127.0.0.2"]]})
    url = "http://pictures.example:PORT/a"
    _, found = await fetched({"/a": typed(PNG)}, url, names=names)

    assert found == {url: SAME}
    assert names.asked == ["pictures.example"]


async def test_the_next_connection_has_an_answer_of_its_own() -> None:
    names = Names({"pictures.example": [["127.0.0.1"], ["127.0.0.2"]]})
    gallery, found = await fetched(
        {"/a": to("/b"), "/b": typed(PNG)}, "http://pictures.example:PORT/a", names=names
    )

    assert isinstance(found, BadField)
    assert gallery.paths == ["/a"]


NO_PICTURES: dict[str, web.Response] = {
    "missing": web.Response(status=404),
    "an error with a picture": web.Response(status=500, body=PNG),
    "html": typed(b"<html>secret</html>"),
    "svg": typed(b"<svg/>", "image/svg+xml"),
    "gif": typed(b"GIF89a\x01\x00", "image/gif"),
    "empty": typed(b""),
    "too large by its length": typed(PNG + b"a" * 200),
    "packed": typed(b"\x1f\x8b" + PNG, **{"Content-Encoding": "gzip"}),
    "a part": web.Response(status=206, body=PNG),
    "nothing new": web.Response(status=304),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
async def test_whatever_goes_wrong_is_told_in_the_same_words(kind: str) -> None:
    bounds = Bounds(size=100, total=1000)
    answers = {"/a": NO_PICTURES[kind]}
    _, wrong = await fetched(answers, "http://pictures.example:PORT/a", bounds=bounds)
    _, inner = await fetched(answers, "http://pictures.example:PORT/a", bounds=bounds, addresses=())
    _, unknown = await fetched(answers, "http://nobody.example:PORT/a", bounds=bounds)

    assert isinstance(wrong, BadField)
    assert isinstance(inner, BadField)
    assert isinstance(unknown, BadField)
    assert wrong.message == inner.message == unknown.message
    assert "secret" not in wrong.message
    assert "could not be fetched" in wrong.message


async def test_a_server_that_refuses_the_connection_is_told_in_the_same_words() -> None:
    _, wrong = await fetched({"/a": web.Response(status=404)}, "http://pictures.example:PORT/a")
    async with internet(9, here()) as pictures:
        with pytest.raises(BadField) as refused:
            await pictures.fetch(
                {"messages[0].content[1].image_url.url": "http://pictures.example:9/"}
            )

    assert isinstance(wrong, BadField)
    assert refused.value.message == wrong.message


async def test_bytes_are_counted_where_no_length_is_told() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(PNG))
        while True:
            writer.write(chunk(b"a" * 1000))
            await writer.drain()

    async with scripted(endless) as url, internet(url.port or 0, here()) as pictures:
        with pytest.raises(BadField, match="could not be fetched"):
            await pictures.fetch({FIELD: f"http://pictures.example:{url.port}/"})


async def test_all_pictures_together_have_a_bound() -> None:
    bounds = Bounds(size=len(PNG), total=2 * len(PNG))
    urls = [f"http://pictures.example:PORT/{name}" for name in "abc"]
    answers = {f"/{name}": typed(PNG) for name in "abc"}
    _, two = await fetched(answers, *urls[:2], bounds=bounds)
    _, three = await fetched(answers, *urls, bounds=bounds)

    assert not isinstance(two, BadField)
    assert isinstance(three, BadField)


async def test_the_number_of_pictures_has_a_bound() -> None:
    bounds = Bounds(count=2)
    urls = [f"http://pictures.example:PORT/{name}" for name in "aabc"]
    gallery, found = await fetched({}, *urls, bounds=bounds)

    assert isinstance(found, BadField)
    assert found.field == "messages[3].content[1].image_url.url"
    assert "too many" in found.message
    assert gallery.paths == []


async def test_nothing_is_fetched_if_one_url_is_refused_by_its_text() -> None:
    gallery, found = await fetched(
        {"/a": typed(PNG)}, "http://pictures.example:PORT/a", "ftp://pictures.example/"
    )

    assert isinstance(found, BadField)
    assert found.field == "messages[1].content[1].image_url.url"
    assert gallery.paths == []


async def test_all_pictures_together_have_a_time() -> None:
    """The server never answers; the bound is so short that nobody waits for it."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await reader.read()

    bounds = Bounds(seconds=0.05)
    async with (
        scripted(silent) as url,
        internet(url.port or 0, here(), bounds=bounds) as pictures,
    ):
        with pytest.raises(BadField, match="could not be fetched") as failed:
            await pictures.fetch({FIELD: f"http://pictures.example:{url.port}/"})

    assert failed.value.field == FIELD


async def test_a_failure_ends_the_others() -> None:
    left = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/bad":
            return web.Response(status=404)
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    async with (
        RawTestServer(handle) as server,
        internet(server.port or 0, here()) as pictures,
    ):
        with pytest.raises(BadField) as failed:
            await pictures.fetch(
                {
                    "slow": f"http://pictures.example:{server.port}/slow",
                    "bad": f"http://pictures.example:{server.port}/bad",
                }
            )
        await left.wait()

    assert failed.value.field == "bad"


async def test_the_usual_rules_are_those_of_the_public_internet() -> None:
    async with open_pictures(Bounds()) as pictures:
        with pytest.raises(BadField, match="usual port"):
            await pictures.fetch({FIELD: "http://pictures.example:8080/"})
        with pytest.raises(BadField, match="public Internet"):
            await pictures.fetch({FIELD: "http://127.0.0.1/"})
    assert Rules().ports == {80, 443}
