"""Spans as bytes: what opentelemetry-proto reads in them, and what the SDK's encoder writes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from gemproxy.tracing.protobuf import encoded

RESOURCE = Resource({"service.name": "gemproxy", "process.pid": 4711})
SCOPE = InstrumentationScope("gemproxy", "1.2", "https://schema")


def span(
    attributes: dict[str, Any],
    *,
    state: str = "",
    remote: bool | None = None,
    kind: SpanKind = SpanKind.CLIENT,
    error: bool = False,
    name: str = "chat gemini-x",
) -> ReadableSpan:
    held = TraceState.from_header([state]) if state else TraceState()
    context = SpanContext(1 << 127, 5, is_remote=False, trace_flags=TraceFlags(1), trace_state=held)
    parent = None if remote is None else SpanContext(1 << 127, 1 << 63, is_remote=remote)
    return ReadableSpan(
        name,
        context,
        parent,
        RESOURCE,
        attributes,
        kind=kind,
        status=Status(StatusCode.ERROR if error else StatusCode.UNSET),
        start_time=1_795_937_694_035_272_320,
        end_time=1_795_937_694_035_272_999,
        instrumentation_scope=SCOPE,
    )


def same(*spans: ReadableSpan) -> bool:
    return bool(ExportTraceServiceRequest.FromString(encoded(spans)) == encode_spans(spans))


@pytest.mark.parametrize(
    "made",
    [
        span({}),
        span({}, state="a=1,b=2", remote=True, kind=SpanKind.SERVER),
        span({"a": "x"}, remote=False, error=True),
        span({"a": True, "b": False, "c": 1, "d": 0, "e": -1, "f": 1.0, "g": 2**62, "h": ""}),
        span({"list": ["a", "b"], "empty": [], "numbers": [1, 2]}),
        span({"long": "x" * 5000, "\N{SNOWMAN}": "\N{SNOWMAN}"}, name="\N{SNOWMAN}" * 100),
    ],
)
def test_the_bytes_say_what_the_encoder_of_the_sdk_says(made: ReadableSpan) -> None:
    assert same(made)


def test_several_spans_go_together() -> None:
    assert same(*(span({"number": number}) for number in range(300)))


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False)
        | st.booleans(),
    )
)
def test_any_attributes(attributes: dict[str, Any]) -> None:
    assert same(span(attributes))


def test_half_of_a_surrogate_pair_costs_no_span() -> None:
    sent = ExportTraceServiceRequest.FromString(encoded([span({"path": "/\udc80"})]))

    (found,) = sent.resource_spans[0].scope_spans[0].spans
    assert found.attributes[0].value.string_value == "/?"
