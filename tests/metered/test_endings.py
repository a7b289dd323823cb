"""However a request ends, its row says how, and its hold is given back."""

import asyncio
import json
from collections.abc import Callable

import aiohttp
import pytest

from gemproxy.accounts.user import Kind as Of
from gemproxy.accounts.user import Limit, User
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.ledger.row import Ending, Row
from gemproxy.routes.parts import IN_FLIGHT
from tests.metered.conftest import StartHouse
from tests.metered.house import MeteredHouse, limited
from tests.pooled.house import MODEL, access, stream_of
from tests.running import PATIENCE
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

STORY = BUILT_IN["story"]
STALLED = Script(STORY, [Fault(Kind.STALL, event(5))])
ONE = limited(Limit(Of.CONCURRENCY, 1), Limit(Of.TOKENS_PER_DAY, 10_000))
"""One request at once, and tokens for one that names no bound of its answer."""

TARGETS = {
    "stream": stream_of(),
    "array": stream_of().partition("?")[0],
    "unary": f"/v1beta/models/{MODEL}:generateContent",
    "count": f"/v1beta/models/{MODEL}:countTokens",
    "passed": f"{stream_of()}&fields=candidates.content",
}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 (nobody announces the end of a handler)
            await asyncio.sleep(0.005)


async def assert_free(at: MeteredHouse) -> Row:
    """Assert that nothing is held, and return the row of the only request."""
    await until(lambda: at.meter.running == 0)
    (row,) = await at.rows()
    limiter = at.meter.limiter
    assert limiter.holds == 0  # type: ignore[attr-defined]
    return row


@pytest.mark.parametrize("target", TARGETS)
async def test_a_client_that_leaves_is_settled(house: StartHouse, target: str) -> None:
    at = await house({"ann": ONE}, STALLED, latency=30.0 if target == "count" else 0.0)
    async with at.proxy.connect() as connection:
        await connection.send(TARGETS[target], body_of("Hello"), access(at.people["ann"]))
        await at.fake.until_requests(1)
        if target != "count":
            await at.fake.until_stalled()
    row = await assert_free(at)

    assert row.ending is Ending.CLIENT_LEFT
    if target in {"stream", "array"}:
        assert row.characters > 0
        assert row.output_tokens > 0
        assert row.input_tokens > 0


@pytest.mark.parametrize("target", TARGETS)
async def test_the_end_of_the_process_settles_what_runs(house: StartHouse, target: str) -> None:
    at = await house({"ann": ONE}, STALLED, latency=30.0 if target == "count" else 0.0)
    async with at.proxy.connect() as connection:
        await connection.send(TARGETS[target], body_of("Hello"), access(at.people["ann"]))
        await at.fake.until_requests(1)
        if target != "count":
            await at.fake.until_stalled()
        await at.proxy.app[IN_FLIGHT].drain(0)
        row = await assert_free(at)
        at.proxy.app[IN_FLIGHT].expired = False  # as the fixture wants it

    assert row.ending is Ending.SHUTDOWN


@pytest.mark.parametrize("target", ["stream", "array", "unary"])
async def test_an_answer_that_cannot_be_had_has_failed(house: StartHouse, target: str) -> None:
    at = await house(
        {"ann": ONE},
        Script(STORY, [Fault(Kind.RST, event(3))] * 30),
        repair={"max_consecutive_retries": 1, "max_resumes": 2},
    )
    await at.proxy.ask(TARGETS[target], body_of("Hello"), access(at.people["ann"]))
    row = await assert_free(at)

    assert row.ending is Ending.FAILED
    assert row.attempts > 1


async def test_an_answer_that_is_whole_before_its_client_leaves_is_done(house: StartHouse) -> None:
    at = await house({"ann": ONE})
    await at.ask(key=at.people["ann"])
    row = await assert_free(at)

    assert (row.ending, row.characters) == (Ending.DONE, len(STORY.text))


async def test_a_body_that_never_comes_is_no_request(house: StartHouse) -> None:
    at = await house({"ann": ONE})
    async with at.proxy.connect() as connection:
        headers = {**access(at.people["ann"]), "Content-Length": "10"}
        await connection.send(stream_of(), b"{", headers)
    assert (await at.ask(key=at.people["ann"])).status == 200

    assert len(await at.rows()) == 1


SETUP = {"setup": {"model": f"models/{MODEL}"}}
TURN = {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}]}}
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


async def test_a_session_is_one_request_and_holds_until_it_is_closed(house: StartHouse) -> None:
    at = await house({"ann": limited(concurrency=1)})
    key = at.people["ann"]
    async with aiohttp.ClientSession() as client:
        async with client.ws_connect(f"{at.proxy.url}{LIVE}?key={key}") as socket:
            await socket.send_json(SETUP)
            await socket.receive()
            assert (await at.ask(key=key)).status == 429
            await socket.send_json(TURN)
            await socket.receive()
        await until(lambda: at.meter.running == 0)
        assert (await at.ask(key=key)).status == 200
    first, _ = await at.rows()

    assert (first.ending, first.dialect, first.model) == (Ending.DONE, "live", MODEL)
    assert first.status == 101
    assert first.input_tokens + first.output_tokens > 0


async def test_a_session_beyond_a_limit_is_refused_in_its_close_frame(house: StartHouse) -> None:
    at = await house({"ann": limited(rpm=1), "bob": limited(models=("gemini-9",))})
    assert (await at.ask(key=at.people["ann"])).status == 200
    codes: list[int | None] = []
    reasons: list[str] = []
    async with aiohttp.ClientSession() as client:
        for name in ("ann", "bob"):
            url = f"{at.proxy.url}{LIVE}?key={at.people[name]}"
            async with client.ws_connect(url) as socket:
                await socket.send_json(SETUP)
                message = await socket.receive()
                codes.append(message.data)
                reasons.append(str(message.extra))

    assert codes == [1013, 1008]
    assert reasons[0].startswith("Limit reached, resets in ")
    assert ": spent 1 request, held 0 requests of 1 request per minute. Retry in " in reasons[0]
    assert MODEL in reasons[1]
    assert len(await at.rows()) == 1


async def test_a_session_that_has_used_up_a_limit_is_ended(house: StartHouse) -> None:
    at = await house({"ann": limited(tokens_per_day=100_000)})
    said = {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "a" * 30_000}]}]}}
    async with aiohttp.ClientSession() as client:
        url = f"{at.proxy.url}{LIVE}?key={at.people['ann']}"
        async with client.ws_connect(url) as socket:
            await socket.send_json(SETUP)
            await socket.receive()
            for _ in range(2):  # the second turn costs the first one once more
                await socket.send_json(said)
                await turn_of(socket)
                await at.meter.renew()
            await socket.send_json(TURN)
            message = await socket.receive()
    row = await assert_free(at)

    assert (message.data, row.input_tokens + row.output_tokens) == (1013, 180_000)
    assert "100000 tokens per day" in str(message.extra)


async def turn_of(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Read a session until the model's turn is complete."""
    while b"turnComplete" not in await socket.receive_bytes(timeout=PATIENCE):
        pass


async def test_a_refusal_speaks_the_dialect_of_the_route(house: StartHouse) -> None:
    at = await house({"ann": limited(rpm=1)})
    key = at.people["ann"]
    await at.ask(key=key)
    chat = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    answers = {
        name: await at.proxy.ask(target, body_of("Hello"), access(key))
        for name, target in TARGETS.items()
    }
    answers["openai"] = await at.send("POST", "/v1beta/openai/chat/completions", chat, key=key)
    answers["interactions"] = await at.send(
        "POST", "/v1beta/interactions", {"model": MODEL, "input": "x"}, key=key
    )

    assert {answer.status for answer in answers.values()} == {429}
    for name, answer in answers.items():
        body = json.loads(answer.body)
        assert isinstance(body, list) == (name == "array")
        details = answer.error["details"]
        assert answer.headers["X-Request-Id"] in [one.get("requestId") for one in details]
        assert answer.headers["Retry-After"] == details[-1]["retryDelay"].removesuffix("s")


async def test_a_user_without_limits_holds_nothing_from_itself(house: StartHouse) -> None:
    at = await house({"ann": User("", "")})
    answers = await asyncio.gather(*(at.ask(f"P{n}", key=at.people["ann"]) for n in range(30)))

    assert {answer.status for answer in answers} == {200}
    assert len(await at.rows()) == 30
