"""The places of an access key, and what goes up in its stead: exactly one key of the pool."""

import json
from typing import Any

import aiohttp
import pytest

from gemproxy.chaos.refusals import INVALID
from tests.pooled.conftest import StartHouse
from tests.pooled.house import ANN, BOB, K1, K2, K3, MODEL, House
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

GENERATE = f"/v1beta/models/{MODEL}:generateContent"
CHAT = "/v1beta/openai/chat/completions"
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
SETUP: dict[str, Any] = {"setup": {"model": f"models/{MODEL}"}}
NONE = {"X-Nothing": "x"}


def sent(house: House) -> str:
    """Return all that went up: targets and headers."""
    return "".join(f"{one.target}{one.headers}" for one in house.fake.requests)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"x-goog-api-key": ANN}),
        ("", {"X-Goog-Api-Key": ANN}),
        (f"?key={ANN}", NONE),
        (f"?alt=json&key={ANN}&prettyPrint=false", NONE),
        ("", {"Authorization": f"Bearer {ANN}"}),
        (f"?key={ANN}", {"x-goog-api-key": ANN}),
        ("", {"x-goog-api-key": ANN, "Cookie": f"session={BOB}", "x-goog-user-project": "mine"}),
    ],
)
async def test_an_access_key_may_stand_where_sdks_put_it(
    house: StartHouse, query: str, headers: dict[str, str]
) -> None:
    started = await house()
    answer = await started.proxy.ask(f"{GENERATE}{query}", body_of("Hello"), headers)

    assert answer.status == 200
    (request,) = started.fake.requests
    assert request.header("x-goog-api-key") in (K1, K2, K3)
    assert request.values("authorization") == []
    assert ANN not in sent(started)
    assert BOB not in sent(started)
    assert started.fake.violations == []


async def test_the_openai_layer_gets_the_key_as_bearer(house: StartHouse) -> None:
    started = await house()
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    for stream in (False, True):
        bearer = {"Authorization": f"Bearer {ANN}", "Content-Type": "application/json"}
        body = json.dumps({**asked, "stream": stream}).encode()
        assert (await started.proxy.ask(CHAT, body, bearer)).status == 200

    for request in started.fake.requests:
        assert request.header("authorization").removeprefix("Bearer ") in (K1, K2, K3)
        assert request.values("x-goog-api-key") == []
    assert started.fake.violations == []


@pytest.mark.parametrize("place", ["header", "query", "bearer"])
async def test_a_live_session_takes_it_too(house: StartHouse, place: str) -> None:
    started = await house()
    headers = {"header": {"x-goog-api-key": ANN}, "bearer": {"Authorization": f"Bearer {ANN}"}}
    query = f"?key={ANN}" if place == "query" else ""
    async with (
        aiohttp.ClientSession(started.proxy.url) as session,
        session.ws_connect(f"{LIVE}{query}", headers=headers.get(place)) as socket,
    ):
        await socket.send_json(SETUP)
        assert json.loads((await socket.receive()).data) == {"setupComplete": {}}

    assert ANN not in sent(started)
    assert started.cloud.log[-1].key in (K1, K2, K3)


async def test_a_live_session_goes_on_with_a_key_that_is_well(house: StartHouse) -> None:
    started = await house()
    for key in (K1, K2):
        started.cloud.refuse(key, INVALID)
    for _ in range(4):
        async with (
            aiohttp.ClientSession(started.proxy.url) as session,
            session.ws_connect(LIVE, headers={"x-goog-api-key": ANN}) as socket,
        ):
            await socket.send_json(SETUP)
            assert json.loads((await socket.receive()).data) == {"setupComplete": {}}

    assert [one.key for one in started.cloud.log if not one.status] == [K3] * 4


@pytest.mark.parametrize("sick", [(K1, K2), (K3,)])
async def test_an_upload_begins_with_a_key_that_is_well(
    house: StartHouse, sick: tuple[str, ...]
) -> None:
    started = await house()
    for key in sick:
        started.cloud.refuse(key, INVALID)
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    begun = await started.send("POST", "/upload/v1beta/files", {"file": {}}, headers=start)
    target = begun.headers["X-Goog-Upload-URL"].removeprefix(started.proxy.url)
    piece = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    done = await started.proxy.ask(target, b"content", piece)
    name = json.loads(done.body)["file"]["name"]

    assert (begun.status, done.status) == (200, 200)
    assert (await started.send("GET", f"/v1beta/{name}")).status == 200
