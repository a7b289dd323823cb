"""Traces over real sockets: a client, the proxy, an upstream, and a collector of OTLP."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.web.tracing import collectors_secrets
from tests.gemini import chunk, sse
from tests.replies import json_reply, replying, sse_reply
from tests.running import AccessLog, running
from tests.tracing.collector import Collector, collecting

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER, CLIENT, ERROR = 2, 3, 2


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as made:
        yield made


def traced(collector: Collector, **more: Any) -> Mapping[str, Any]:
    return {"enabled": True, "endpoint": collector.url, **more}


async def test_a_stream_with_three_attempts_has_a_span_for_each(
    collector: Collector, access_log: AccessLog
) -> None:
    faults = [parse_fault(spec) for spec in ("rst@event:3", "error:503@event:2")]
    async with (
        ChaosServer(Script(BUILT_IN["story"], faults)) as server,
        running(server, tracing=traced(collector)) as proxy,
    ):
        answer = await proxy.ask()
        line = await access_log.line()

    (whole, request), *attempts = collector.spans
    assert whole.kind == SERVER
    assert whole.name == "POST /{version}/models/{model}:streamGenerateContent"
    assert whole.trace_id.hex() == line["trace_id"]
    assert whole.span_id.hex() == line["span_id"]
    assert request["gemproxy.request.id"] == answer.headers["X-Request-Id"]
    assert request["gemproxy.causes"] == ["drop", "error_frame"]
    assert request["gemproxy.ending"] == "done"
    assert not any(name.startswith("gen_ai.") for name in request)
    for number, (span, fields) in enumerate(attempts, 1):
        assert span.kind == CLIENT
        assert span.name == "generate_content gemini-test"
        assert (span.trace_id, span.parent_span_id) == (whole.trace_id, whole.span_id)
        assert whole.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= whole.end_time_unix_nano
        assert fields["gemproxy.attempt"] == number
        assert fields["gen_ai.operation.name"] == "generate_content"
        assert fields["gen_ai.provider.name"] == "gcp.gemini"
    told = [
        (fields.get("error.type"), fields.get("gemproxy.form"), fields.get("gemproxy.joint"))
        for _, fields in attempts
    ]
    assert told == [("reset", None, None), ("503", "echo", None), (None, "echo", "echo")]
    assert [span.status.code == ERROR for span, _ in attempts] == [True, True, False]
    characters = sum(fields["gemproxy.characters"] for _, fields in attempts)
    assert characters == line["characters"] == request["gemproxy.characters"]
    used = sum(fields["gen_ai.usage.output_tokens"] for _, fields in attempts)
    assert used == line["tokens"]["output"]


async def test_a_collector_hears_who_sends_and_what_was_used(collector: Collector) -> None:
    async with (
        ChaosServer(Script(BUILT_IN["story"], ())) as server,
        running(server, tracing=traced(collector)) as proxy,
    ):
        await proxy.ask()

    (resource,) = collector.resources
    assert resource["service.name"] == "gemproxy"
    assert {"service.version", "service.instance.id", "process.pid"} <= resource.keys()
    metric = collector.metrics["gen_ai.client.inference.duration"]
    (point,) = metric.histogram.data_points
    assert point.count == 1
    assert len(point.explicit_bounds) == 14
    assert "gen_ai.client.inference.usage.input_tokens" in collector.metrics
    assert "gen_ai.client.token.usage" not in collector.metrics


async def test_nothing_of_a_trace_goes_to_the_upstream_unless_it_is_wanted(
    collector: Collector,
) -> None:
    given = {
        "x-goog-api-key": "k",
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "tracestate": "vendor=1,other=2",
        "baggage": "user=ann",
    }
    whole = sse_reply(sse(chunk("a", finish="STOP")))
    async with replying(whole) as upstream:
        async with running(upstream.url, tracing=traced(collector)) as proxy:
            await proxy.ask(headers=given)
        silent = {name.lower() for name in upstream.seen[0].headers}
    async with replying(whole) as upstream:
        onward = traced(collector, propagate_upstream=True)
        async with running(upstream.url, tracing=onward) as proxy:
            await proxy.ask(headers=given)
        told = upstream.seen[0].headers

    assert not silent & {"traceparent", "tracestate", "baggage"}
    span = collector.spans[-1][0]
    assert told["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert told["tracestate"] == "vendor=1,other=2"
    assert "baggage" not in told
    request = collector.spans[0][0]
    assert request.trace_id.hex() == TRACE
    assert request.parent_span_id.hex() == PARENT
    assert request.trace_state == "vendor=1,other=2"


async def test_without_tracing_a_line_has_no_ids(access_log: AccessLog) -> None:
    async with ChaosServer(Script(BUILT_IN["story"], ())) as server, running(server) as proxy:
        await proxy.ask()
        line = await access_log.line()

    assert "trace_id" not in line


async def test_a_collector_that_is_not_there_costs_no_request(
    access_log: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with ChaosServer(Script(BUILT_IN["story"], ())) as server:
        dead = {"enabled": True, "endpoint": "http://127.0.0.1:9"}
        async with running(server, tracing=dead, server={"drain_timeout": 0.0}) as proxy:
            answer = await proxy.ask()
            line = await access_log.line()
    for thread in threading.enumerate():  # its tries would go on beside the tests that follow
        if thread.name == "gemproxy-tracing-end":
            await asyncio.to_thread(thread.join)

    assert answer.status == 200
    assert line["ending"] == "done"


async def test_each_picture_or_answer_of_a_request_has_a_span(collector: Collector) -> None:
    chat = {"model": "gemini-x", "n": 3, "messages": [{"role": "user", "content": "Hello"}]}
    replies = [sse_reply(sse(chunk("a", finish="STOP", usage=(3, 2)))) for _ in range(3)]
    async with (
        replying(*replies) as upstream,
        running(upstream.url, tracing=traced(collector)) as proxy,
    ):
        answer = await proxy.ask(
            "/v1/chat/completions",
            json.dumps(chat).encode(),
            {"Authorization": "Bearer k", "Content-Type": "application/json"},
        )

    assert answer.status == 200
    (_, request), *attempts = collector.spans
    assert request["gemproxy.attempts"] == 3
    assert [span.name for span, _ in attempts] == ["chat gemini-x"] * 3
    assert sum(fields["gen_ai.usage.output_tokens"] for _, fields in attempts) == 6


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/v1beta/models/gemini-x:generateContent", "generate_content gemini-x"),
        ("/v1beta/models/gemini-x:embedContent", "embeddings gemini-x"),
        ("/v1beta/models/gemini-x:countTokens", "POST"),
        ("/v1beta/cachedContents", "POST"),
    ],
)
async def test_unary_requests_have_spans(collector: Collector, target: str, name: str) -> None:
    async with (
        replying(json_reply(chunk("a", finish="STOP", usage=(3, 2)))) as upstream,
        running(upstream.url, tracing=traced(collector)) as proxy,
    ):
        await proxy.ask(target)

    (_, request), (span, fields) = collector.spans
    assert span.name == name
    assert fields["http.response.status_code"] == request["http.response.status_code"] == 200
    assert ("gen_ai.usage.input_tokens" in fields) == name.endswith(" gemini-x")


async def test_a_health_check_has_no_span_and_a_refusal_has_one(collector: Collector) -> None:
    async with (
        replying() as upstream,
        running(upstream.url, tracing=traced(collector)) as proxy,
    ):
        await proxy.ask("/health", b"", method="GET")
        await proxy.ask("/v1/chat/completions", b"no JSON", {"Authorization": "Bearer k"})

    ((span, fields),) = collector.spans
    assert span.name == "POST /v1/chat/completions"
    assert fields["http.response.status_code"] == 400
    assert "error.type" not in fields


async def test_no_secret_and_no_content_is_in_what_a_collector_gets(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20c2VjcmV0")
    key = "AIzaSy" + "C4n4ryC4n4ryC4n4ryC4n4ryC4n4ryC4n"
    body = json.dumps({"contents": [{"parts": [{"text": "canary-prompt"}]}]}).encode()
    reply = sse_reply(sse(chunk("canary-answer", finish="STOP", usage=(3, 2))))
    async with (
        replying(reply) as upstream,
        running(upstream.url, tracing=traced(collector)) as proxy,
    ):
        await proxy.ask(
            f"/v1beta/models/gemini-x:streamGenerateContent?alt=sse&key={key}",
            body,
            {"User-Agent": "canary-agent", "Cookie": "canary-cookie"},
        )

    assert collector.headers[0]["authorization"] == "Basic c2VjcmV0"
    sent = b"".join(collector.bodies)
    assert b"gemini-x" in sent
    for canary in (key, "canary-prompt", "canary-answer", "canary-agent", "canary-cookie"):
        assert canary.encode() not in sent
    assert b"c2VjcmV0" not in sent


def test_the_headers_for_a_collector_are_secrets() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20c2VjcmV0,x=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=abcdefgh",
    }

    found = collectors_secrets(environ)

    assert found == ["Basic%20c2VjcmV0", "Basic c2VjcmV0", "abcdefgh"]
