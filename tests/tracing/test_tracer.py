"""The tracer, with the SDK's exporter in memory."""

import logging
import re
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode
from yarl import URL

from gemproxy import __version__
from gemproxy.tracing.context import Entrance
from gemproxy.tracing.spans import Spans
from gemproxy.tracing.totals import Totals
from gemproxy.tracing.tracer import Tracer, is_disabled, resource_of_process, upstream_at
from tests.tracing.records import UPSTREAM, entry, served, three_attempts

RESOURCE, SCOPE = Resource({"service.name": "gemproxy"}), InstrumentationScope("gemproxy", "1")


def tracer(exporter: InMemorySpanExporter, **choices: Any) -> Tracer:
    return Tracer(
        Entrance(**choices),
        UPSTREAM,
        Spans(RESOURCE, SCOPE),
        SimpleSpanProcessor(exporter),
        Totals(RESOURCE, SCOPE, {"gen_ai.provider.name": "gcp.gemini"}),
    )


def test_a_stream_with_three_attempts_is_a_span_with_three_children() -> None:
    exporter = InMemorySpanExporter()
    of, made = three_attempts(), tracer(exporter)
    made.begin(of.exchange)
    made.end(of)

    whole, *parts = exporter.get_finished_spans()
    context, trace = whole.get_span_context(), of.account.trace
    assert trace is not None
    assert context is not None
    assert (context.trace_id, context.span_id) == (trace.trace_id, trace.span_id)
    assert whole.kind is SpanKind.SERVER
    assert whole.parent is None
    assert whole.status.status_code is StatusCode.UNSET
    assert [part.kind for part in parts] == [SpanKind.CLIENT] * 3
    assert all(part.parent == context for part in parts)
    seconds = [
        (
            (part.start_time or 0) - (whole.start_time or 0),
            (part.end_time or 0) - (part.start_time or 0),
        )
        for part in parts
    ]
    assert seconds == [(10**9, 10**9), (2_500_000_000, 500_000_000), (4 * 10**9, 4 * 10**9)]
    codes = [part.status.status_code for part in parts]
    assert codes == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert sum((part.attributes or {})["gen_ai.usage.input_tokens"] for part in parts) == 18  # type: ignore[misc]  # numbers
    assert len({part.get_span_context().span_id for part in parts}) == 3  # type: ignore[union-attr]  # there


def test_an_attempt_that_still_runs_ends_with_the_process_as_an_error() -> None:
    exporter = InMemorySpanExporter()
    of, made = served(entry(ended=None, how=None), ending="shutdown"), tracer(exporter)
    made.begin(of.exchange)
    made.end(of)

    whole, part = exporter.get_finished_spans()
    assert whole.status.status_code is part.status.status_code is StatusCode.ERROR
    assert (part.attributes or {})["error.type"] == "shutdown"
    assert part.end_time == whole.end_time


def test_a_request_without_a_span_is_counted() -> None:
    exporter = InMemorySpanExporter()
    of, made = three_attempts(), tracer(exporter, share=0.0)
    made.begin(of.exchange)
    made.end(of)

    assert exporter.get_finished_spans() == ()
    assert made.totals is not None
    assert made.totals.take() is not None


def test_a_request_does_not_fail_for_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def on_end(self, span: ReadableSpan) -> None:
            raise ValueError(span.name)

    of, made = three_attempts(), tracer(InMemorySpanExporter())
    made.sink = Broken()
    made.begin(of.exchange)
    with caplog.at_level(logging.ERROR):
        made.end(of)

    assert caplog.records
    assert "streamGenerateContent" not in caplog.text


@pytest.mark.parametrize(
    ("base", "provider", "address", "port"),
    [
        (
            "https://generativelanguage.googleapis.com",
            "gcp.gemini",
            "generativelanguage.googleapis.com",
            443,
        ),
        (
            "https://europe-west4-aiplatform.googleapis.com/v1",
            "gcp.vertex_ai",
            "europe-west4-aiplatform.googleapis.com",
            443,
        ),
        ("http://127.0.0.1:8080/base", "gcp.gemini", "127.0.0.1", 8080),
    ],
)
def test_the_upstream_by_its_url(base: str, provider: str, address: str, port: int) -> None:
    found = upstream_at(URL(base))

    assert (found.provider, found.address, found.port) == (provider, address, port)


def test_each_process_is_a_resource_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = resource_of_process().attributes, resource_of_process().attributes
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
    named = resource_of_process().attributes

    assert one["service.name"] == "gemproxy"
    assert one["service.version"] == __version__
    assert one["service.instance.id"] != other["service.instance.id"]
    assert re.fullmatch("[0-9a-f-]{36}", str(one["service.instance.id"]))
    assert named["service.name"] == "ours"
    assert named["deployment.environment.name"] == "lab"


def test_the_sdk_can_be_off() -> None:
    assert is_disabled({"OTEL_SDK_DISABLED": "True "})
    assert not is_disabled({})
