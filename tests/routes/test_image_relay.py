"""/generate over real sockets: pictures for people who come from a relay for pictures."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gemproxy.routes.parts import PRESENT
from tests.drawing import behind, break_store, drawn, said
from tests.images.samples import JPEG, PNG
from tests.metered.house import rows_of
from tests.replies import Reply, error_reply, replying
from tests.running import AccessLog, Proxy, StartProxy
from tests.wire import Answer

MODEL = "gemini-3-pro-image-preview"
KEY = {"x-goog-api-key": "some-key", "Content-Type": "application/json"}
PRICES = """
[[models]]
name = "gemini-3-pro-image-preview"
[[models.prices]]
source = "https://prices.test"
checked = 2026-11-28
input = 2
output = 12
output_image = 100
"""
"""A picture is 1290 x 100 + 10 x 2 millionths: 0.12902 dollars."""


async def ask(served: Proxy, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    body = json.dumps({"prompt": "a kelp", **fields}).encode()
    return await served.ask("/generate", body, KEY if headers is None else headers)


@pytest.fixture
def priced(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "prices.toml"
    file.write_text(PRICES)
    return {"prices": str(file)}


async def test_a_prompt_becomes_a_picture_with_its_cost(
    proxy: StartProxy, access_log: AccessLog, priced: dict[str, str]
) -> None:
    async with replying(drawn(JPEG)) as upstream:
        answer = await ask(await proxy(upstream.url, accounts=priced))

    assert answer.status == 200
    assert json.loads(answer.body) == {
        "images": [{"mime_type": "image/jpeg", "data": base64.b64encode(JPEG).decode()}],
        "failed": [],
        "model": MODEL,
        "usage": {
            "input_tokens": 10,
            "output_tokens": 1290,
            "total_tokens": 1300,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 0},
        },
        "cost_usd": "0.12902",
    }
    (seen,) = upstream.seen
    assert seen.target == f"/v1beta/models/{MODEL}:generateContent"
    assert seen.headers["x-goog-api-key"] == "some-key"
    assert seen.document["contents"] == [{"role": "user", "parts": [{"text": "a kelp"}]}]
    line = await access_log.line()
    assert (line["route"], line["model"], line["attempts"]) == ("image_relay", MODEL, 1)


async def test_a_model_without_a_price_costs_null(proxy: StartProxy) -> None:
    async with replying(drawn()) as upstream:
        answer = await ask(await proxy(upstream.url), model="some-image-model")

    document = json.loads(answer.body)
    assert (document["model"], document["cost_usd"]) == ("some-image-model", None)


@pytest.mark.parametrize("fails", [error_reply(400), said({"text": "No."})])
async def test_partial_success_is_told_and_costs_what_the_ledger_says(
    proxy: StartProxy, priced: dict[str, str], fails: Reply
) -> None:
    async with replying(drawn(), fails, drawn(JPEG)) as upstream:
        served = await proxy(
            upstream.url,
            accounts=priced,
            ledger={"enabled": True},
            repair={"empty_stop_retries": 0},
        )
        document = json.loads((await ask(served, number_of_images=3)).body)
        (row,) = await rows_of(served)

    assert len(upstream.seen) == 3
    assert len(document["images"]) == 2
    (failed,) = document["failed"]
    assert failed["index"] in {0, 1, 2}
    assert failed["error"] in {
        "scripted 400",
        "Gemini answered without a picture (STOP).",
    }
    assert document["cost_usd"] == "0.25804"
    assert document["usage"]["total_tokens"] == 2600
    assert (row.route, row.model, row.dialect) == ("image_relay", MODEL, "gemini")
    assert (row.cost_nano_usd, row.calls, row.status) == (258_040_000, 3, 200)


@pytest.mark.parametrize(
    ("reply", "status", "message"),
    [
        (said({"text": "I cannot draw."}), 502, "Gemini answered without a picture (STOP)."),
        (said(finish="IMAGE_SAFETY"), 400, "Gemini refuses to draw this: IMAGE_SAFETY."),
        (error_reply(403), 403, "scripted 403"),
    ],
)
async def test_it_is_an_error_of_google_s_form_if_none_came(
    proxy: StartProxy, reply: Reply, status: int, message: str
) -> None:
    async with replying(reply) as upstream:
        served = await proxy(upstream.url, repair={"empty_stop_retries": 0})
        answer = await ask(served, number_of_images=2)

    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["message"]) == (status, status, message)
    assert answer.headers["X-Request-Id"] in answer.body.decode()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        (b'{"prompt": "a", "prompt": "b"}', "twice"),
        (b"{}", "'prompt'"),
        (b'{"prompt": "p", "number_of_images": 11}', "'number_of_images'"),
        (b'{"prompt": "p", "model": "gemini-2.5-flash"}', "'model'"),
        (b'{"prompt": "p", "model": "../image"}', "'model'"),
    ],
)
async def test_a_wrong_request_is_refused_and_nothing_goes_up(
    proxy: StartProxy, body: bytes, word: str
) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url, images={"rate_per_minute": 1})
        answers = [await served.ask("/generate", body, KEY) for _ in range(2)]

    for answer in answers:  # which do not count
        error = json.loads(answer.body)["error"]
        assert (answer.status, error["status"]) == (400, "INVALID_ARGUMENT")
        assert word in error["message"]
    assert upstream.seen == []


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_it_takes_post_only_and_nothing_goes_up(proxy: StartProxy, method: str) -> None:
    async with replying() as upstream:
        answer = await (await proxy(upstream.url)).ask("/generate", b"", KEY, method)

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert upstream.seen == []


async def test_the_limit_of_a_minute_holds_over_all_clients(proxy: StartProxy) -> None:
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images={"rate_per_minute": 2})
        answers = [await ask(served, {**KEY, "x-goog-api-key": f"key-{n}"}) for n in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    error = json.loads(answers[2].body)["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED"
    assert "2 in a minute" in error["message"]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60
    assert len(upstream.seen) == 2


async def test_a_crowd_gets_no_further_than_the_limit(proxy: StartProxy) -> None:
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images={"rate_per_minute": 3}, ledger={"enabled": True})
        answers = await asyncio.gather(*(ask(served) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 5
    assert len(upstream.seen) == 3


async def test_each_worker_has_its_share(proxy: StartProxy) -> None:
    served = await proxy("http://127.0.0.1:9", server={"workers": 7})

    assert served.app[PRESENT].live.gate.most == 8


async def test_links_lead_to_the_pictures(proxy: StartProxy, tmp_path: Path) -> None:
    images = {"storage": "local", "directory": str(tmp_path), "response": "url"}
    async with replying(drawn(JPEG)) as upstream:
        served = await proxy(upstream.url, images=images)
        (image,) = json.loads((await ask(served)).body)["images"]
        picture = await behind(image["url"], served)

    assert image.keys() == {"mime_type", "url"}
    assert (picture.status, picture.body) == (200, JPEG)
    assert picture.headers["Content-Type"] == image["mime_type"] == "image/jpeg"


async def test_a_store_that_is_down_costs_the_link(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_store(monkeypatch)
    async with replying(drawn()) as upstream:
        served = await proxy(upstream.url, images={"storage": "memory", "response": "url"})
        document = json.loads((await ask(served)).body)

    assert base64.b64decode(document["images"][0]["data"]) == PNG
    assert document["store"] == "unavailable"
