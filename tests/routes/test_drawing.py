"""/v1/images over real sockets: pictures of Gemini's for clients of OpenAI's."""

import base64
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.drawing import USAGE, behind, break_store, drawn, inline, said
from tests.images.samples import JPEG, PNG
from tests.replies import SILENT, Reply, error_reply, replying
from tests.running import AccessLog, Proxy, StartProxy
from tests.wire import Answer, Ending

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
MODEL = "gemini-3.1-flash-image"
BEARER = {"Authorization": "Bearer some-key"}


async def ask(served: Proxy, target: str = GENERATIONS, **fields: Any) -> Answer:
    body = json.dumps({"prompt": "a kelp", "model": MODEL, **fields}).encode()
    return await served.ask(target, body, BEARER)


def sdk(served: Proxy) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="some-key", max_retries=0)


async def test_a_prompt_becomes_a_picture(proxy: StartProxy, access_log: AccessLog) -> None:
    async with replying(drawn()) as upstream:
        answer = await ask(await proxy(upstream.url), size="1536x1024")

    document = json.loads(answer.body)
    assert answer.status == 200
    assert isinstance(document["created"], int)
    assert base64.b64decode(document["data"][0]["b64_json"]) == PNG
    assert "url" not in document["data"][0]
    assert document["usage"]["total_tokens"] == USAGE["totalTokenCount"]
    (seen,) = upstream.seen
    assert seen.target == f"/v1beta/models/{MODEL}:generateContent"
    assert seen.headers["x-goog-api-key"] == "some-key"
    assert seen.document["generationConfig"]["imageConfig"] == {"aspectRatio": "3:2"}
    line = await access_log.line()
    assert (line["route"], line["model"], line["attempts"]) == ("drawing", MODEL, 1)


async def test_n_pictures_are_n_requests_and_one_row(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with replying(drawn(PNG), drawn(JPEG), drawn(PNG)) as upstream:
        answer = await ask(await proxy(upstream.url), n=3)

    document = json.loads(answer.body)
    assert len(document["data"]) == len(upstream.seen) == 3
    assert document["usage"]["total_tokens"] == 3 * USAGE["totalTokenCount"]
    assert (await access_log.line())["attempts"] == 3


async def test_what_failed_is_said_beside_what_came(proxy: StartProxy) -> None:
    async with replying(error_reply(400), drawn()) as upstream:
        answer = await ask(await proxy(upstream.url), n=2)

    document = json.loads(answer.body)
    assert answer.status == 200
    assert len(document["data"]) == 1
    (failed,) = document["gemproxy"]["failed"]
    assert failed["error"]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (said({"text": "I cannot draw."}), 502, "no_image_generated"),
        (said(finish="NO_IMAGE"), 502, "no_image_generated"),
        (said(finish="IMAGE_SAFETY"), 400, "content_policy_violation"),
        (error_reply(403), 403, "permission_denied"),
    ],
)
async def test_no_picture_is_an_error_in_openai_s_form(
    proxy: StartProxy, reply: Reply, status: int, code: str
) -> None:
    async with replying(reply) as upstream:
        answer = await ask(await proxy(upstream.url, repair={"empty_stop_retries": 0}), n=2)

    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (status, code)
    assert error["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"size": "999x7"}, "size"), ({"n": 0}, "n"), ({"response_format": "url"}, "response_format")],
)
async def test_a_wrong_request_is_refused_and_nothing_goes_up(
    proxy: StartProxy, fields: dict[str, Any], param: str
) -> None:
    async with replying() as upstream:
        answer = await ask(await proxy(upstream.url), **fields)

    assert (answer.status, json.loads(answer.body)["error"]["param"]) == (400, param)
    assert upstream.seen == []


async def test_a_link_leads_to_the_picture_on_our_own_base(
    proxy: StartProxy, tmp_path: Path
) -> None:
    images = {"storage": "local", "directory": str(tmp_path)}
    async with replying(drawn(JPEG)) as upstream:
        served = await proxy(upstream.url, images=images)
        answer = await ask(served, response_format="url")
        (datum,) = json.loads(answer.body)["data"]
        picture = await behind(datum["url"], served)

    assert datum.keys() == {"url"}
    assert datum["url"].startswith(f"{served.url}/images/")
    assert (picture.status, picture.body) == (200, JPEG)
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert len(upstream.seen) == 1


async def test_a_store_that_is_down_costs_the_link(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_store(monkeypatch)
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images={"storage": "memory"})
        document = json.loads((await ask(served, response_format="url")).body)

    assert base64.b64decode(document["data"][0]["b64_json"]) == PNG
    assert document["gemproxy"] == {"store": "unavailable"}


async def test_a_client_that_waits_is_kept_warm(proxy: StartProxy) -> None:
    warm = {"headers_after_seconds": 0.01, "heartbeat_seconds": 0.01}
    async with replying(SILENT) as upstream:
        served = await proxy(upstream.url, images={"timeout_seconds": 0.5}, client=warm)
        answer = await ask(served, stream=True)

    assert answer.status == 200
    assert answer.body.startswith(b": keep-alive\n\n")
    assert b'data: {"error"' in answer.body
    assert answer.ending is not Ending.COMPLETE


async def test_openai_s_sdk_draws_streams_and_edits(proxy: StartProxy) -> None:
    async with replying(drawn()) as upstream:
        client = sdk(await proxy(upstream.url))
        async with client:
            made = await client.images.generate(prompt="p", model=MODEL, size="1024x1024")
            stream = await client.images.generate(prompt="p", model=MODEL, stream=True)
            events = [event async for event in stream]
            edited = await client.images.edit(
                image=[("x.png", JPEG, "image/png"), ("y.png", PNG, "image/png")],
                prompt="p",
                model=MODEL,
                n=1,
            )

    assert made.data is not None
    assert edited.data is not None
    assert base64.b64decode(made.data[0].b64_json or "") == PNG
    assert [event.type for event in events] == ["image_generation.completed"]
    assert base64.b64decode(events[0].b64_json) == PNG
    assert base64.b64decode(edited.data[0].b64_json or "") == PNG
    parts = upstream.seen[-1].document["contents"][0]["parts"]
    assert [part.get("inlineData", {}).get("mimeType") for part in parts] == [
        "image/jpeg",
        "image/png",
        None,
    ]
    assert parts[2] == {"text": "p"}


async def test_an_edit_may_be_json(proxy: StartProxy) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    async with replying(drawn()) as upstream:
        answer = await ask(await proxy(upstream.url), EDITS, images=[{"image_url": url}])

    assert answer.status == 200
    assert len(upstream.seen[0].document["contents"][0]["parts"]) == 2


async def test_an_edit_may_name_a_picture_that_we_keep(proxy: StartProxy) -> None:
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images={"storage": "memory"})
        link = json.loads((await ask(served, response_format="url")).body)["data"][0]["url"]
        answer = await ask(served, EDITS, images=[{"image_url": link}])
        gone = await ask(served, EDITS, image=f"{served.url}/images/{'0' * 32}.png")

    assert answer.status == 200
    assert upstream.seen[1].document["contents"][0]["parts"][0] == inline(PNG)
    assert (gone.status, json.loads(gone.body)["error"]["param"]) == (400, "image")
    assert len(upstream.seen) == 2
