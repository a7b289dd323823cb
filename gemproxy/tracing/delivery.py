"""How spans and metrics get to a collector: two threads of their own, and what they may log.

Spans go through the SDK's ``BatchSpanProcessor``. Its queue is bounded, so a collector that is slow
or down costs spans and never a request. Metrics go at an interval. Both are sent by the SDK's
exporters for OTLP over HTTP, which understand ``OTEL_EXPORTER_OTLP_*`` (endpoints, headers, TLS,
time-outs, compression), as the batches understand ``OTEL_BSP_*`` and the metrics
``OTEL_METRIC_EXPORT_INTERVAL``.

The SDK logs each failure. While this is open, the log gets one line a minute instead, with the
number of the others. A line about headers shows none of their text.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from gemproxy.tracing.protobuf import encoded
from gemproxy.tracing.totals import Totals

SDK = "opentelemetry"
_ABOUT_DELIVERY = ("opentelemetry.exporter", "opentelemetry.sdk", "opentelemetry.util.re")
"""Loggers of the SDK that are about sending; the others quote headers of clients."""
EVERY_SECONDS = 60.0
_INTERVAL_SECONDS = 60.0
_ABOUT_HEADERS = "opentelemetry.util.re"

_log = logging.getLogger("gemproxy.tracing")


class Quiet(logging.Handler):
    """Reports a library's warnings at most once in ``EVERY_SECONDS``, and counts the rest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._next = float("-inf")
        self._others = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, or count it."""
        if not record.name.startswith(_ABOUT_DELIVERY):
            return
        now = self._clock()
        if now < self._next:
            self._others += 1
            return
        self._next = now + EVERY_SECONDS
        others, self._others = self._others, 0
        _log.warning(
            "the OpenTelemetry collector is not reached as it should be: %s",
            _said(record),
            extra={"similar_before": others},
        )


def _said(record: logging.LogRecord) -> str:
    if record.name == _ABOUT_HEADERS:
        return "OTEL_EXPORTER_OTLP_HEADERS is not of the form name=value,name=value"
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Have the SDK's own records reported by ``Quiet`` while this is entered."""
    logger = logging.getLogger(SDK)
    handler = Quiet()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = not logger.handlers


class SpanSender(SpanExporter):
    """The SDK's exporter with another encoder; see ``protobuf``."""

    def __init__(self, stock: OTLPSpanExporter) -> None:
        self._stock = stock
        self._client = stock._client  # noqa: SLF001 - it sends bytes, with retries and time-outs

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; the SDK's thread calls this."""
        sent = self._client.export(encoded(spans))
        return SpanExportResult.SUCCESS if sent.success else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """End a wait for another try."""
        self._stock.shutdown()  # type: ignore[no-untyped-call]  # the SDK's


@attrs.define(eq=False)
class MetricSender:
    """Sends what ``totals`` has at an interval, and once at the end."""

    totals: Totals
    exporter: MetricExporter
    seconds: float
    _over: threading.Event = attrs.field(factory=threading.Event)
    _thread: threading.Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="gemproxy-metrics", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(self.seconds)
            data = self.totals.take()
            if data is not None:
                self.exporter.export(data)

    def shutdown(self) -> None:
        """Send the rest, and end the thread."""
        self._over.set()
        self._thread.join()
        self.exporter.shutdown()


def interval(environ: Mapping[str, str]) -> float:
    """Return the seconds between two deliveries of metrics."""
    try:
        seconds = float(environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")) / 1000
    except ValueError:
        return _INTERVAL_SECONDS
    return seconds if seconds > 0 else _INTERVAL_SECONDS


def wants_delta(environ: Mapping[str, str]) -> bool:
    """Return whether the collector wants what was new since the last delivery."""
    word = environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "")
    return word.strip().lower() in {"delta", "lowmemory"}


@attrs.define(eq=False)
class Delivery:
    """Both ways to a collector; made by ``deliver``."""

    processor: BatchSpanProcessor
    metrics: MetricSender | None = None

    async def close(self, seconds: float) -> None:
        """Send what is left, but wait no longer than ``seconds`` for a collector."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()

        def shut() -> None:
            self._shut()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(over.set)

        # No thread of the loop's pool, because the process would wait for that one at its end.
        threading.Thread(target=shut, name="gemproxy-tracing-end", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await over.wait()
                return
        _log.warning("the collector did not take the last spans in %g s", seconds)

    def _shut(self) -> None:
        metrics = self.metrics
        if metrics is None:
            self.processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's
            return
        beside = threading.Thread(target=metrics.shutdown, daemon=True)
        beside.start()
        self.processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's
        beside.join()


def deliver(endpoint: str, totals: Totals | None) -> Delivery:
    """Open the ways to the collector at a base URL; empty: where the environment says."""
    traces = f"{endpoint}/v1/traces" if endpoint else None
    processor = BatchSpanProcessor(SpanSender(OTLPSpanExporter(endpoint=traces)))
    if totals is None:
        return Delivery(processor)
    to = f"{endpoint}/v1/metrics" if endpoint else None
    return Delivery(
        processor, MetricSender(totals, OTLPMetricExporter(endpoint=to), interval(os.environ))
    )
