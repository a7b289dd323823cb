"""What the log gets of a collector that fails, and how delivery ends."""

import logging
import threading

import pytest
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gemproxy.core.answer.usage import Billed
from gemproxy.tracing.delivery import (
    EVERY_SECONDS,
    SDK,
    Delivery,
    MetricSender,
    Quiet,
    interval,
    quiet,
    wants_delta,
)
from gemproxy.tracing.totals import Totals
from tests.tracing.test_totals import observe, one_stream, totals

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


def record(
    name: str = EXPORTER, text: str = "Failed to export %s", *args: object
) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "x.py", 1, text, args or ("spans",), None)


def test_failures_are_one_line_a_minute_with_the_number_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    handler = Quiet(lambda: now[0])
    for _ in range(5):
        handler.handle(record())
    now[0] = EVERY_SECONDS
    handler.handle(record())

    first, second = caplog.records
    assert first.getMessage().endswith("Failed to export spans")
    assert first.__dict__["similar_before"] == 0
    assert second.__dict__["similar_before"] == 4


def test_a_line_about_headers_shows_none_of_them(caplog: pytest.LogCaptureFixture) -> None:
    Quiet().handle(record("opentelemetry.util.re", "Header format invalid! %s", "Basic c2VjcmV0"))

    (said,) = caplog.records
    assert "OTEL_EXPORTER_OTLP_HEADERS" in said.getMessage()
    assert "c2VjcmV0" not in said.getMessage()


def test_what_the_sdk_says_of_a_client_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    Quiet().handle(record("opentelemetry.trace.span", "Invalid key/value pair (%s, %s)", "a", "b"))

    assert not caplog.records


def test_the_sdk_logs_as_before_when_tracing_is_over() -> None:
    logger = logging.getLogger(SDK)
    with quiet():
        assert not logger.propagate
        with quiet():
            pass
        assert not logger.propagate

    assert logger.propagate
    assert logger.handlers == []


class Stuck(SpanExporter):
    """A collector that takes nothing until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def export(self, spans: object) -> SpanExportResult:
        self.released.wait(10)
        return SpanExportResult.FAILURE


async def test_the_end_does_not_wait_for_a_collector_that_hangs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stuck = Stuck()
    processor = BatchSpanProcessor(stuck)
    span = ReadableSpan("x", resource=Resource({}), instrumentation_scope=InstrumentationScope("x"))
    processor._batch_processor.emit(span)
    try:
        await Delivery(processor).close(0.01)
    finally:
        stuck.released.set()

    assert "did not take the last spans" in caplog.text


class Metrics:
    """A collector of metrics."""

    def __init__(self) -> None:
        self.taken: list[MetricsData] = []
        self.over = False

    def export(self, data: MetricsData) -> None:
        self.taken.append(data)

    def shutdown(self) -> None:
        self.over = True


def test_the_last_figures_go_out_at_the_end() -> None:
    into: Totals = totals()
    collector = Metrics()
    sender = MetricSender(into, collector, 3600.0)  # type: ignore[arg-type]  # a stand-in
    observe(into, one_stream(Billed(prompt=1, total=1)))
    sender.shutdown()

    assert len(collector.taken) == 1
    assert collector.over


@pytest.mark.parametrize(
    ("value", "seconds"), [("5000", 5.0), ("", 60.0), ("soon", 60.0), ("0", 60.0), ("-1", 60.0)]
)
def test_the_interval_of_metrics(value: str, seconds: float) -> None:
    assert interval({"OTEL_METRIC_EXPORT_INTERVAL": value}) == seconds


@pytest.mark.parametrize(("word", "delta"), [("delta", True), ("LowMemory", True), ("", False)])
def test_who_wants_what_is_new(word: str, delta: bool) -> None:
    environ = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": word}

    assert wants_delta(environ) is delta
