"""Pictures by URL in chats, over sockets: fetched from the public Internet, or refused in words."""

import base64
import json
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.fetching.links import Rules
from gemproxy.fetching.pictures import open_pictures
from tests.fetching.public import PNG, Gallery, Names
from tests.gemini import Json
from tests.running import StartProxy
from tests.wire import Answer

CHAT = "/v1/chat/completions"
BEARER = {"Authorization": "Bearer some-key"}
ON = {"fetch_images": True}
INLINE = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}
AT = "messages[0].content[1].image_url.url"


def shown(*urls: str) -> list[Json]:
    return [{"type": "image_url", "image_url": {"url": url}} for url in urls]


def asked(*urls: str, **fields: Any) -> bytes:
    content = [{"type": "text", "text": "What is this?"}, *shown(*urls)]
    messages = [{"role": "user", "content": content}]
    return json.dumps({"model": "gemini-2.5-flash", "messages": messages, **fields}).encode()


def refused(answer: Answer) -> Json:
    told: Json = json.loads(answer.body)["error"]
    assert answer.status == 400
    assert told["type"] == "invalid_request_error"
    return told


def chaos() -> ChaosServer:
    return ChaosServer(Script(Told("A boat.")))


def gallery() -> Gallery:
    return Gallery({"/a.png": web.Response(body=PNG), "/b": web.Response(body=b"<html>")})


@pytest.mark.parametrize("stream", [False, True])
async def test_no_picture_is_fetched_unless_the_operator_wants_it(
    proxy: StartProxy, *, stream: bool
) -> None:
    inner = gallery()
    async with chaos() as server, RawTestServer(inner.handle) as pictures:
        url = f"http://127.0.0.1:{pictures.port}/a.png"
        told = refused(await (await proxy(server)).ask(CHAT, asked(url, stream=stream), BEARER))

        assert told["param"] == AT
        assert "openai.fetch_images" in told["message"]
        assert (server.requests, inner.asked) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:PORT/a.png",
        "http://localhost:PORT/a.png",
        "http://localhost/a.png",
        "http://[::1]/a.png",
        "http://2130706433/a.png",
        "http://0x7f.0.0.1/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/",
        "http://10.0.0.1/a.png",
        "http://user@8.8.8.8/a.png",
        "http://8.8.8.8:22/a.png",
    ],
)
async def test_inner_addresses_are_refused_with_the_part_of_the_message(
    proxy: StartProxy, url: str
) -> None:
    inner = gallery()
    async with chaos() as server, RawTestServer(inner.handle) as pictures:
        running = await proxy(server, openai=ON)
        url = url.replace("PORT", str(pictures.port))
        told = refused(await running.ask(CHAT, asked(url), BEARER))

        assert told["param"] == AT
        assert url not in told["message"]
        assert (server.requests, inner.asked) == ([], [])


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the function that makes a server of the test the public Internet."""

    def make(port: int | None) -> Names:
        names = Names({"pictures.example": (("127.0.0.1",),)})
        rules = Rules(frozenset({port or 0}), frozenset({"127.0.0.1"}))
        opened = partial(open_pictures, rules=rules, names=names)
        monkeypatch.setattr("gemproxy.web.dialect.open_pictures", opened)
        return names

    return make


@pytest.mark.parametrize("stream", [False, True])
async def test_fetched_pictures_reach_gemini(
    proxy: StartProxy, public: Any, *, stream: bool
) -> None:
    outer = gallery()
    async with chaos() as server, RawTestServer(outer.handle) as pictures:
        public(pictures.port)
        running = await proxy(server, openai=ON)
        url = f"http://pictures.example:{pictures.port}/a.png"
        answer = await running.ask(CHAT, asked(url, url, stream=stream), BEARER)

        assert answer.status == 200
        (request,) = server.requests
        assert request.document["contents"][0]["parts"][1:] == [INLINE, INLINE]
        assert outer.paths == ["/a.png"]


async def test_a_picture_in_a_result_is_fetched_too(proxy: StartProxy, public: Any) -> None:
    outer = gallery()
    async with chaos() as server, RawTestServer(outer.handle) as pictures:
        public(pictures.port)
        call = {"id": "c", "type": "function", "function": {"name": "plot", "arguments": "{}"}}
        url = f"http://pictures.example:{pictures.port}/a.png"
        messages = [
            {"role": "user", "content": "plot"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": shown(url)},
        ]
        running = await proxy(server, openai=ON)
        body = json.dumps({"model": "gemini-3.8-flash", "messages": messages}).encode()
        answer = await running.ask(CHAT, body, BEARER)

        assert answer.status == 200
        assert json.dumps(INLINE) in json.dumps(server.requests[0].document)


async def test_what_is_no_picture_is_refused_without_a_word_about_it(
    proxy: StartProxy, public: Any
) -> None:
    outer = gallery()
    async with chaos() as server, RawTestServer(outer.handle) as pictures:
        public(pictures.port)
        running = await proxy(server, openai=ON)
        good, bad = (f"http://pictures.example:{pictures.port}/{name}" for name in ("a.png", "b"))
        unknown = f"http://nobody.example:{pictures.port}/a.png"
        told = refused(await running.ask(CHAT, asked(good, bad), BEARER))
        other = refused(await running.ask(CHAT, asked(good, unknown), BEARER))

        assert told["param"] == "messages[0].content[2].image_url.url"
        assert told["message"] == other["message"]
        assert server.requests == []
