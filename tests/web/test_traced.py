"""Spans of requests that are no streams of Gemini's, over sockets; and what answers are called.

Usage stands at one attempt of a request, however often it is told: the sum over the spans is what
the request used.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.drawing import drawn
from tests.gemini import chunk, sse
from tests.images.samples import PNG
from tests.io.test_live import close_of, connected, received
from tests.live_upstream import Socket, live_upstream
from tests.replies import json_reply, replying, sse_reply
from tests.routes.test_interactions import MODEL, create, script
from tests.running import AccessLog, running
from tests.tracing.collector import Collector, collecting
from tests.wire import KEY

ANN = "gp-7Kq2mXv9TzRw4Lp8"
POOLED: Mapping[str, Any] = {"pool": {"keys": "AIzaSyPool"}, "access": {"keys": {"ann": ANN}}}
UNARY = "/v1beta/models/gemini-x:generateContent"


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as made:
        yield made


def traced(collector: Collector) -> Mapping[str, Any]:
    return {"enabled": True, "endpoint": collector.url}


def used(collector: Collector, kind: str) -> list[int]:
    """Return the tokens of a kind at the attempts that have any."""
    name = f"gen_ai.usage.{kind}_tokens"
    return [fields[name] for _, fields in collector.spans if name in fields]


async def test_each_attempt_of_a_stream_has_the_name_of_its_own_answer(
    collector: Collector, access_log: AccessLog
) -> None:
    faults = [parse_fault(spec) for spec in ("rst@event:3", "error:503@event:2")]
    async with (
        ChaosServer(Script(BUILT_IN["story"], faults)) as server,
        running(server, tracing=traced(collector)) as proxy,
    ):
        answer = await proxy.ask()
        line = await access_log.line()

    _, *attempts = (fields for _, fields in collector.spans)
    ids = [fields["gen_ai.response.id"] for fields in attempts]
    assert answer.response_ids == {ids[0]}
    assert len({*ids}) == 3
    assert {fields["gen_ai.response.model"] for fields in attempts} == {"gemini-test"}
    reasons = [fields.get("gen_ai.response.finish_reasons") for fields in attempts]
    assert reasons == [None, None, ["STOP"]]
    assert sum(used(collector, "output")) == line["tokens"]["output"]


@pytest.mark.parametrize("target", [UNARY, UNARY.replace("generate", "streamGenerate")])
async def test_an_answer_in_one_attempt_has_its_names(collector: Collector, target: str) -> None:
    told = chunk("a", finish="STOP", usage=(3, 2))
    reply = json_reply(told) if target == UNARY else sse_reply(sse(told))
    async with (
        replying(reply) as upstream,
        running(upstream.url, tracing=traced(collector)) as proxy,
    ):
        await proxy.ask(target if target == UNARY else f"{target}?alt=sse")

    _, (_, fields) = collector.spans
    assert fields["gen_ai.response.id"] == "first"
    assert fields["gen_ai.response.model"] == "gemini-test"
    assert fields["gen_ai.response.finish_reasons"] == ["STOP"]
    assert (used(collector, "input"), used(collector, "output")) == ([3], [2])


async def test_a_refused_attempt_has_no_name(collector: Collector) -> None:
    async with (
        replying(json_reply({"error": {"code": 400, "message": "no"}}, 400)) as upstream,
        running(upstream.url, tracing=traced(collector)) as proxy,
    ):
        await proxy.ask()

    _, (_, fields) = collector.spans
    assert not [name for name in fields if name.startswith("gen_ai.response.")]


async def test_an_interaction_that_was_cut_is_made_once_and_read_twice(
    collector: Collector,
) -> None:
    async with (
        ChaosServer(script("rst@event:3", "rst@event:2")) as server,
        running(server, tracing=traced(collector)) as proxy,
    ):
        answer = await create(proxy)

    assert answer.status == 200
    (whole, request), *attempts = collector.spans
    assert request["gemproxy.causes"] == ["drop", "drop"]
    assert [fields["gen_ai.operation.name"] for _, fields in attempts] == [
        *("generate_content", "fetch_response", "fetch_response"),
    ]
    assert [span.name for span, _ in attempts] == [
        *(f"generate_content {MODEL}", f"fetch_response {MODEL}", f"fetch_response {MODEL}"),
    ]
    assert {span.parent_span_id for span, _ in attempts} == {whole.span_id}
    assert {fields["gen_ai.response.id"] for _, fields in attempts} == {f"v1_{MODEL}_1"}
    assert len(used(collector, "output")) == len(used(collector, "input")) == 1
    assert "gen_ai.usage.output_tokens" in attempts[0][1]


async def test_the_pictures_of_a_relay_have_a_span_each(collector: Collector) -> None:
    body = json.dumps({"prompt": "a kelp", "number_of_images": 2}).encode()
    async with (
        replying(drawn(PNG)) as upstream,
        running(upstream.url, tracing=traced(collector)) as proxy,
    ):
        answer = await proxy.ask("/generate", body, {**KEY, "Content-Type": "application/json"})

    (whole, request), *attempts = collector.spans
    assert (answer.status, request["http.route"]) == (200, "/generate")
    assert {span.name for span, _ in attempts} == {"generate_content gemini-3-pro-image-preview"}
    assert {span.parent_span_id for span, _ in attempts} == {whole.span_id}
    assert {fields["gen_ai.output.type"] for _, fields in attempts} == {"image"}
    told = json.loads(answer.body)["usage"]
    assert len(attempts) == len(used(collector, "output")) == 2
    assert sum(used(collector, "output")) == told["output_tokens"]
    assert sum(used(collector, "input")) == told["input_tokens"]


async def talking(socket: Socket, _request: web.Request) -> None:
    """Answer two turns, each with the usage of its own."""
    for tokens in (5, 7):
        await socket.receive()
        usage = {"promptTokenCount": 3, "responseTokenCount": tokens, "totalTokenCount": 3 + tokens}
        await socket.send_json({"usageMetadata": usage, "serverContent": {"turnComplete": True}})
    await socket.close()


async def test_a_live_session_has_a_span_with_the_usage_of_its_turns(
    collector: Collector, access_log: AccessLog
) -> None:
    async with (
        live_upstream(talking) as upstream,
        running(upstream.url, tracing=traced(collector), **POOLED) as proxy,
    ):
        async with connected(proxy.url, headers={"x-goog-api-key": ANN}) as client:
            await client.send_json({"setup": {"model": "models/gemini-live"}})
            await received(client)
            await client.send_json({"clientContent": {"turnComplete": True}})
            await received(client)
            await close_of(client)
        line = await access_log.line()

    (whole, request), (span, fields) = collector.spans
    assert request["http.route"] == "/ws/{service}"
    assert request["gemproxy.frames.up"] == request["gemproxy.frames.down"] == 2
    assert request["gemproxy.close_code"] == 1000
    assert whole.trace_id.hex() == line["trace_id"]
    assert (span.trace_id, span.parent_span_id) == (whole.trace_id, whole.span_id)
    assert span.name == "generate_content gemini-live"
    assert fields["http.response.status_code"] == 101
    assert (used(collector, "input"), used(collector, "output")) == ([6], [12])
