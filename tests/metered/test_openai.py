"""Requests of OpenAI's dialect at the meter: one hold, one row, refusals in its words."""

import json
from typing import Any

import pytest

from gemproxy.accounts.user import User
from gemproxy.chaos import answers
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.ledger.row import Ending
from tests.metered.conftest import StartHouse
from tests.metered.house import limited
from tests.pooled.house import MODEL, OTHER
from tests.wire import Answer

pytestmark = pytest.mark.production_loop

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
MESSAGES = [{"role": "user", "content": "Tell me of the sea."}]


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": MESSAGES, **fields}


def error(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answer.body)["error"]
    assert told["request_id"] == answer.headers["X-Request-Id"]
    return told


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_row_has_the_tokens_that_the_client_is_told(
    house: StartHouse, stream: bool
) -> None:
    at = await house({"ann": User("", "")}, Script(BUILT_IN["thinking"]))
    asked = chat(stream=stream, **({"stream_options": {"include_usage": True}} if stream else {}))
    answer = await at.send("POST", CHAT, asked, key="", headers=bearer(at.people["ann"]))

    lines = [line[6:] for line in answer.body.decode().split("\n\n") if line.startswith("data: {")]
    usage = json.loads(lines[-1] if stream else answer.body)["usage"]
    (row,) = await at.rows()
    assert (row.user, row.model, row.dialect, row.route) == ("ann", MODEL, "openai", "chat")
    assert (row.ending, row.status, row.attempts) == (Ending.DONE, 200, 1)
    assert row.input_tokens == usage["prompt_tokens"] > 0
    assert row.thought_tokens == usage["completion_tokens_details"]["reasoning_tokens"] > 0
    assert row.output_tokens + row.thought_tokens == usage["completion_tokens"]
    assert not row.estimated


async def test_the_row_is_the_same_for_a_stream_that_tells_no_usage(house: StartHouse) -> None:
    at = await house({"ann": User("", "")}, Script(BUILT_IN["thinking"], rearm=True))
    for options in ({}, {"stream_options": {"include_usage": True}}):
        await at.send("POST", CHAT, chat(stream=True, **options), key=at.people["ann"])

    first, second = await at.rows()
    assert first.input_tokens == second.input_tokens > 0
    assert first.output_tokens == second.output_tokens > 0
    assert first.thought_tokens == second.thought_tokens > 0


@pytest.mark.parametrize("stream", [True, False])
async def test_several_answers_are_one_request(house: StartHouse, stream: bool) -> None:
    at = await house({"ann": limited(rpm=1, tokens_per_day=1_000_000)})
    key = at.people["ann"]
    assert (await at.send("POST", CHAT, chat(n=3, stream=stream), key=key)).status == 200
    refused = await at.send("POST", CHAT, chat(n=3), key=key)

    (row,) = await at.rows()
    assert (row.attempts, row.repairs, row.ending) == (3, 0, Ending.DONE)
    assert row.input_tokens > 0
    assert row.calls == 3
    assert len(at.came()) == 3
    assert refused.status == 429
    assert error(refused)["type"] == "rate_limit_error"


async def test_several_answers_hold_as_much_as_they_may_use(house: StartHouse) -> None:
    """One answer of 400 tokens fits the limit, three do not."""
    at = await house({"ann": limited(tokens_per_day=1000)})
    key = at.people["ann"]

    three = await at.send("POST", CHAT, chat(n=3, max_tokens=400), key=key)
    one = await at.send("POST", CHAT, chat(max_tokens=400), key=key)

    assert (three.status, one.status) == (429, 200)
    assert error(three)["code"]
    assert "Retry-After" not in three.headers  # no wait helps
    assert three.headers["x-ratelimit-limit-tokens"] == "1000"
    assert three.headers["x-should-retry"] == "false"
    (row,) = await at.rows()
    assert row.status == 200


async def test_an_answer_without_a_bound_gets_one(house: StartHouse) -> None:
    at = await house({"ann": limited(tokens_per_day=100_000)})
    assert (await at.send("POST", CHAT, chat(), key=at.people["ann"])).status == 200

    (seen,) = at.fake.requests
    assert json.loads(seen.body)["generationConfig"]["maxOutputTokens"] > 0


@pytest.mark.parametrize("target", [CHAT, EMBEDDINGS])
async def test_another_model_is_refused_in_openai_s_words(house: StartHouse, target: str) -> None:
    at = await house({"ann": limited(models=(OTHER,))})
    asked = {**chat(), "input": "a"}
    answer = await at.send("POST", target, asked, key=at.people["ann"])

    assert answer.status == 403
    assert MODEL in error(answer)["message"]
    assert at.came() == []


async def test_no_picture_is_fetched_for_a_model_that_is_not_allowed(house: StartHouse) -> None:
    """The address would be refused, too, with a 400."""
    at = await house({"ann": limited(models=(OTHER,))}, openai={"fetch_images": True})
    picture = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}
    messages = [{"role": "user", "content": [picture]}]
    answer = await at.send("POST", CHAT, chat(messages=messages), key=at.people["ann"])

    assert answer.status == 403


@pytest.mark.parametrize("target", [CHAT, EMBEDDINGS, "/v1/audio/speech", "/v1/models"])
async def test_a_wrong_key_is_refused_in_openai_s_words(house: StartHouse, target: str) -> None:
    at = await house({"ann": User("", "")})
    answer = await at.proxy.ask(
        target, b"{}", bearer("gp-wrong"), "POST" if "model" not in target else "GET"
    )

    assert answer.status == 401
    assert error(answer)["code"] == "invalid_api_key"
    assert await at.rows() == []


async def test_a_stream_that_breaks_is_a_failure_with_the_tokens_seen(house: StartHouse) -> None:
    script = Script(BUILT_IN["story"], [parse_fault("rst@900")])
    at = await house({"ann": User("", "")}, script, repair={"max_consecutive_retries": 0})
    answer = await at.send("POST", CHAT, chat(stream=True), key=at.people["ann"])

    assert b'"error"' in answer.body
    (row,) = await at.rows()
    assert row.ending is Ending.FAILED
    assert row.input_tokens > 0
    assert row.output_tokens > 0


async def test_a_whole_answer_that_fails_costs_its_user_nothing(house: StartHouse) -> None:
    script = Script(BUILT_IN["story"], [parse_fault("rst@900")])
    at = await house({"ann": User("", "")}, script, repair={"max_consecutive_retries": 0})
    answer = await at.send("POST", CHAT, chat(), key=at.people["ann"])

    assert answer.status >= 500
    (row,) = await at.rows()
    assert row.ending is Ending.FAILED
    assert (row.input_tokens, row.output_tokens) == (0, 0)
    assert row.extra_input_tokens > 0


@pytest.mark.parametrize("stream", [True, False])
async def test_an_end_that_cannot_be_told_costs_the_user_nothing(
    house: StartHouse, stream: bool
) -> None:
    told = answers.Answer(text="", ending=answers.Ending(reason="MALFORMED_FUNCTION_CALL"))
    at = await house({"ann": User("", "")}, Script(told), repair={"max_consecutive_retries": 0})
    await at.send("POST", CHAT, chat(stream=stream), key=at.people["ann"])

    (row,) = await at.rows()
    assert row.ending is Ending.FAILED
    assert (row.input_tokens, row.output_tokens) == (0, 0)
    assert row.extra_input_tokens > 0


async def test_a_resumed_answer_is_charged_as_an_undisturbed_one(house: StartHouse) -> None:
    at = await house({"ann": User("", "")}, Script(BUILT_IN["story"], [parse_fault("rst@900")]))
    answer = await at.send("POST", CHAT, chat(), key=at.people["ann"])

    usage = json.loads(answer.body)["usage"]
    (row,) = await at.rows()
    assert (row.attempts, row.repairs) == (2, 1)
    assert row.input_tokens == usage["prompt_tokens"]
    assert row.output_tokens > 0
    assert row.extra_input_tokens > 0


async def test_embeddings_have_a_row_of_their_own(house: StartHouse) -> None:
    at = await house({"ann": limited(tokens_per_day=100_000)})
    asked = {"model": MODEL, "input": ["some text", "more text"]}
    answer = await at.send("POST", EMBEDDINGS, asked, key=at.people["ann"])

    assert answer.status == 200
    (row,) = await at.rows()
    assert (row.route, row.dialect, row.model) == ("embeddings", "openai", MODEL)
    assert row.input_tokens == json.loads(answer.body)["usage"]["prompt_tokens"] > 0
    assert row.output_tokens == 0
