"""Pictures of chats by links, over sockets: kept ones go up, and those of answers are kept."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gemproxy.routes.parts import ROOM
from tests.drawing import behind, break_store, inline
from tests.gemini import Json, chunk, sse
from tests.images.samples import PNG
from tests.replies import Reply, cut, replying, sse_reply
from tests.routes.test_chat import body, events
from tests.running import Proxy, StartProxy

CHAT = "/v1/chat/completions"
BEARER = {"Authorization": "Bearer some-key"}
MODEL = "gemini-3-pro-image"
DATA = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{DATA}"
INLINE = inline(PNG)
LINKS = {"storage": "memory", "markdown_links": True}


def drawn(data: bytes = PNG) -> Reply:
    picture = {**inline(data), "thoughtSignature": "c2lnbmVk"}
    draft = {**INLINE, "thought": True}
    return sse_reply(
        sse(
            chunk("A boat:"),
            chunk(parts=[draft]),
            chunk(parts=[picture]),
            chunk("!", finish="STOP"),
        )
    )


async def chat(served: Proxy, messages: list[Json] | None = None, **fields: Any) -> Json:
    given = messages or [{"role": "user", "content": "draw"}]
    answer = await served.ask(CHAT, body(model=MODEL, messages=given, **fields), BEARER)
    assert answer.status == 200, answer.body
    if not fields.get("stream"):
        told: Json = json.loads(answer.body)
        return dict(told["choices"][0]["message"])
    deltas = [one["choices"][0]["delta"] for one in events(answer) if one.get("choices")]
    return {
        "role": "assistant",
        "content": "".join(delta.get("content") or "" for delta in deltas),
        "images": [entry for delta in deltas for entry in delta.get("images", [])],
    }


def link_of(message: Json) -> str:
    (entry,) = message["images"]
    link: str = entry["image_url"]["url"]
    return link


@pytest.mark.parametrize("stream", [False, True])
async def test_a_picture_of_an_answer_is_a_link_and_comes_back_as_a_picture(
    proxy: StartProxy, *, stream: bool
) -> None:
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images=LINKS)
        message = await chat(served, stream=stream)
        link = link_of(message)
        kept = await behind(link, served)
        told = [{"role": "user", "content": "draw"}, {"role": "assistant", **message}]
        await chat(served, [*told, {"role": "user", "content": "larger"}])

    assert link.startswith(f"{served.url}/images/")
    assert (kept.status, kept.body) == (200, PNG)
    assert message["content"] == f"A boat:\n\n![image]({link})\n\n!"
    model = upstream.seen[1].document["contents"][1]["parts"]
    assert {**INLINE, "thoughtSignature": "c2lnbmVk"} in model
    assert link not in json.dumps(upstream.seen[1].document)


async def test_a_large_picture_is_a_link(proxy: StartProxy) -> None:
    large = PNG + bytes(3 << 20)
    async with replying(drawn(large)) as upstream:
        served = await proxy(upstream.url, images=LINKS)
        link = link_of(await chat(served, stream=True))
        kept = await behind(link, served)

    assert kept.body == large


@pytest.mark.parametrize("stream", [False, True])
async def test_several_answers_have_a_link_each(proxy: StartProxy, *, stream: bool) -> None:
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images=LINKS)
        answer = await served.ask(CHAT, body(model=MODEL, n=2, stream=stream), BEARER)

    assert DATA.encode() not in answer.body
    assert answer.body.count(b"![image](") == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_store_that_is_down_costs_the_link_of_an_answer(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    break_store(monkeypatch)
    async with replying(drawn()) as upstream:
        message = await chat(await proxy(upstream.url, images=LINKS), stream=stream)

    assert link_of(message) == DATA_URL
    assert f"![image]({DATA_URL})" in message["content"]


@pytest.mark.parametrize("images", [{"storage": "memory"}, {"markdown_links": True}])
async def test_without_the_switch_or_a_storage_answers_are_as_before(
    proxy: StartProxy, images: Json
) -> None:
    async with replying(drawn()) as upstream:
        message = await chat(await proxy(upstream.url, images=images))

    assert (link_of(message), message["content"]) == (DATA_URL, "A boat:!")


@pytest.mark.parametrize(("history", "count"), [("last", 1), ("all", 2)])
async def test_the_pictures_of_the_last_message_or_all_go_up(
    proxy: StartProxy, tmp_path: Path, history: str, count: int
) -> None:
    images = {"storage": "local", "directory": str(tmp_path), "history": history}
    for name in ("a", "b"):
        (tmp_path / f"{name * 32}.png").write_bytes(PNG)
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images=images)
        old, new = f"{served.url}/images/{'a' * 32}.png", f"/images/{'b' * 32}.png"
        messages: list[Json] = [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": old}}]},
            {"role": "assistant", "content": f"![image]({new})"},
            {"role": "user", "content": "larger"},
        ]
        await chat(served, messages)

    sent = json.dumps(upstream.seen[0].document)
    assert sent.count(DATA) == count
    assert (old in sent) == (history == "last")
    assert new not in sent


@pytest.mark.parametrize("down", [False, True])
async def test_a_picture_that_cannot_be_had_is_no_failed_request(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch, *, down: bool
) -> None:
    if down:
        break_store(monkeypatch, "find")
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images={"storage": "memory"})
        link = f"{served.url}/images/{'a' * 32}.png"
        part = {"type": "image_url", "image_url": {"url": link}}
        messages: list[Json] = [
            {"role": "assistant", "content": f"![image]({link})", "images": [part]},
            {"role": "user", "content": [{"type": "text", "text": "larger"}, part]},
        ]
        await chat(served, messages)

    user = upstream.seen[0].document["contents"][-1]["parts"]
    assert user == [{"text": "larger"}, {"text": link}]
    assert f"![image]({link})" in json.dumps(upstream.seen[0].document)


LARGE = PNG + bytes(range(256)) * 2000
"""A picture whose frame is taken in when there is room."""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize("room", [1, 64 << 20])
async def test_large_pictures_come_whole_one_after_another_where_room_is_short(
    proxy: StartProxy, room: int, *, markdown: bool, stream: bool
) -> None:
    url = f"data:image/png;base64,{base64.b64encode(LARGE).decode()}"
    async with replying(drawn(LARGE)) as upstream:
        images = {"max_memory_bytes": room}
        served = await proxy(upstream.url, images=images, openai={"markdown_images": markdown})
        messages = await asyncio.gather(*(chat(served, stream=stream, n=2) for _ in range(3)))

        for message in messages:
            assert {entry["image_url"]["url"] for entry in message["images"]} == {url}
            assert (url in message["content"]) is markdown
        assert served.app[ROOM].answers == 0


async def test_a_large_picture_in_an_answer_that_breaks_off_gives_its_room_back(
    proxy: StartProxy,
) -> None:
    async with replying(cut(drawn(LARGE), short_of=300_000)) as upstream:
        served = await proxy(upstream.url)
        with pytest.raises(AssertionError):
            await chat(served)

        assert served.app[ROOM].answers == 0
