"""What each route to a model is charged: as the answer tells it, or by its characters."""

import json
from typing import Any

import aiohttp
import pytest

from gemproxy.accounts.user import User
from gemproxy.core.answer.usage import estimate_tokens
from gemproxy.ledger.row import Ending, Row
from tests.metered.conftest import StartHouse
from tests.metered.house import MeteredHouse, limited
from tests.pooled.house import MODEL, access
from tests.wire import Answer, body_of

pytestmark = pytest.mark.production_loop

CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me of the sea."}]}
INTERACTION = {"model": MODEL, "input": "Tell me of the sea."}


async def charged(at: MeteredHouse, target: str, document: Any) -> tuple[Row, Answer]:
    answer = await at.send("POST", target, document, key=at.people["ann"])
    assert answer.status == 200
    (row,) = await at.rows()
    assert row.ending is Ending.DONE
    return row, answer


def tokens(row: Row) -> tuple[int, int, int, int, int]:
    used = (row.input_tokens, row.output_tokens, row.thought_tokens)
    return (*used, row.extra_input_tokens, row.extra_output_tokens)


@pytest.mark.parametrize("repaired", [True, False])
async def test_a_call_costs_what_its_answer_tells(house: StartHouse, *, repaired: bool) -> None:
    at = await house({"ann": User("", "")}, repair={"enabled": repaired})
    target = f"/v1beta/models/{MODEL}:generateContent"
    row, answer = await charged(at, target, json.loads(body_of("Hello")))
    told = json.loads(answer.body)["usageMetadata"]

    assert tokens(row) == (told["promptTokenCount"], told["candidatesTokenCount"], 0, 0, 0)
    assert row.cost_nano_usd == row.input_tokens * 1000 + row.output_tokens * 8000
    assert not row.estimated


@pytest.mark.parametrize("stream", [True, False])
async def test_an_interaction_costs_what_it_tells(house: StartHouse, *, stream: bool) -> None:
    at = await house({"ann": User("", "")})
    row, answer = await charged(at, "/v1beta/interactions", {**INTERACTION, "stream": stream})
    text = answer.body.decode()
    told = json.loads(text[text.rindex('usage":') :].partition(":")[2].partition("}")[0] + "}")

    assert tokens(row) == (told["total_input_tokens"], told["total_output_tokens"], 0, 0, 0)
    assert row.output_tokens > 0
    assert not row.estimated


async def test_an_answer_for_openais_clients_costs_what_it_tells(house: StartHouse) -> None:
    at = await house({"ann": User("", "")})
    row, _ = await charged(at, "/v1beta/openai/chat/completions", CHAT)

    assert tokens(row) == (1, 1, 0, 0, 0)
    assert not row.estimated


async def test_a_stream_that_tells_no_cost_is_counted_by_its_characters(house: StartHouse) -> None:
    at = await house({"ann": User("", "")})
    target = "/v1beta/openai/chat/completions"
    row, _ = await charged(at, target, {**CHAT, "stream": True})

    assert row.output_tokens == estimate_tokens("Tell me of the sea.")
    assert row.input_tokens > 0
    assert row.estimated


async def test_a_count_of_tokens_uses_none(house: StartHouse) -> None:
    at = await house({"ann": limited(tokens_per_day=9)})
    target = f"/v1beta/models/{MODEL}:countTokens"
    row, _ = await charged(at, target, json.loads(body_of("Hello")))

    assert (tokens(row), row.cost_nano_usd, row.estimated) == ((0, 0, 0, 0, 0), 0, False)


async def test_an_answer_too_large_to_be_kept_is_charged_too(house: StartHouse) -> None:
    at = await house({"ann": User("", "")}, repair={"keep_answer_bytes": 100})
    target = f"/v1beta/models/{MODEL}:generateContent"
    row, answer = await charged(at, target, json.loads(body_of("Hello")))

    assert row.output_tokens == json.loads(answer.body)["usageMetadata"]["candidatesTokenCount"]


LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


async def test_a_session_costs_the_sum_of_its_turns(house: StartHouse) -> None:
    at = await house({"ann": User("", "")})
    told = [0, 0]
    async with (
        aiohttp.ClientSession(at.proxy.url) as session,
        session.ws_connect(LIVE, headers=access(at.people["ann"])) as socket,
    ):
        await socket.send_json({"setup": {"model": f"models/{MODEL}"}})
        await socket.receive()
        for _ in range(3):
            said = {"turns": [{"parts": [{"text": "Tell me of the sea."}]}]}
            await socket.send_json({"clientContent": said})
            usage: dict[str, int] = {}
            while not usage:
                usage = json.loads((await socket.receive()).data).get("usageMetadata", {})
            told[0] += usage["promptTokenCount"]
            told[1] += usage["responseTokenCount"]
    (row,) = await at.rows()

    assert tokens(row) == (*told, 0, 0, 0)
    assert row.cost_nano_usd == told[0] * 1000 + told[1] * 8000
    assert row.ending is Ending.DONE
