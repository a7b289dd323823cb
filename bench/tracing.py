"""The cost of tracing one request, beside the same spans and figures made by the SDK.

    python bench/tracing.py [--requests 20000]

One thread renders the record of a unary request with one attempt, over and over: its trace, its
spans and its figures, and the spans as bytes for a collector. The second column makes the same with
OpenTelemetry's own tracer, instruments and encoder. Nothing is sent. Each row is the median of five
rounds, in microseconds for each request; the two take turns in each round.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose profile.py would hide the one of the standard library.
    sys.path[0] = str(ROOT)

import attrs
from multidict import CIMultiDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, set_span_in_context

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import How
from gemproxy.exchange.account import CallResult, Entry, GenerationCost, Spent
from gemproxy.exchange.exchange import Exchange
from gemproxy.tracing.attempts import Served, Upstream
from gemproxy.tracing.context import Entrance
from gemproxy.tracing.protobuf import encoded
from gemproxy.tracing.spans import Spans
from gemproxy.tracing.totals import SECONDS, TOKENS, Totals
from gemproxy.tracing.tracer import Tracer, resource_of_process

_BATCH = 512
_ROUNDS = 5
USED = Billed(12, 40, 0, 52)
PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
UPSTREAM = Upstream("gcp.gemini", "generativelanguage.googleapis.com", 443)


@attrs.define(eq=False)
class Batch(SpanProcessor):
    """Collects spans, and encodes them a batch at a time, as a collector gets them."""

    encode: Callable[[Sequence[ReadableSpan]], bytes]
    spans: list[ReadableSpan] = attrs.field(factory=list)
    last: list[ReadableSpan] = attrs.field(factory=list)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        self.spans.append(span)
        if len(self.spans) == _BATCH:
            self.encode(self.spans)
            self.last, self.spans = self.spans, []


def exchange_of(number: int) -> Exchange:
    """Return a request that is over; each has an id and a duration of its own."""
    exchange = Exchange(f"{number:032x}", "generate", "POST", PATH, "", CIMultiDict())
    now = time.monotonic()
    entry = Entry(now, "12ab34cd", 200, How.EOF, answered=now, ended=now, bytes=2000 + number % 997)
    entry.usage = USED
    exchange.account.entries.append(entry)
    exchange.account.model = "gemini-2.5-flash"
    cost = GenerationCost("STOP", USED, 0)
    exchange.account.result = CallResult(1, [], True, cost, None, Spent((USED,), USED))
    return exchange


def ours() -> tuple[Callable[[Exchange], None], Batch]:
    """Return what traces a request with gemproxy's own spans, figures and encoder."""
    resource, scope = resource_of_process(), InstrumentationScope("gemproxy", "1")
    base: dict[str, str | int] = {
        "gen_ai.provider.name": UPSTREAM.provider,
        "server.address": UPSTREAM.address,
        "server.port": UPSTREAM.port,
    }
    batch = Batch(encoded)
    tracer = Tracer(
        Entrance(), UPSTREAM, Spans(resource, scope), batch, Totals(resource, scope, base)
    )

    def trace(exchange: Exchange) -> None:
        tracer.begin(exchange)
        entry = exchange.account.entries[0]
        tracer.end(Served(exchange, 200, 2000, entry.began, entry.began, "done"))

    return trace, batch


def stock(like: Sequence[ReadableSpan]) -> Callable[[Exchange], None]:
    """Return what makes spans like these two, and figures, with the SDK alone."""
    provider = TracerProvider(resource=resource_of_process(), shutdown_on_exit=False)
    provider.add_span_processor(Batch(lambda spans: encode_spans(spans).SerializeToString()))
    tracer = provider.get_tracer("gemproxy")
    meter = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False).get_meter("gemproxy")
    seconds = meter.create_histogram("seconds", explicit_bucket_boundaries_advisory=SECONDS)
    tokens = [
        meter.create_histogram(name, explicit_bucket_boundaries_advisory=TOKENS)
        for name in ("input", "output")
    ]
    counters: list[Counter | Histogram] = [meter.create_counter(n) for n in ("used", "made")]
    request, attempt = (dict(span.attributes or {}) for span in like)
    tags: dict[str, Any] = {name: attempt[name] for name in list(attempt)[:5]}

    def trace(exchange: Exchange) -> None:
        began = time.time_ns()
        del exchange
        whole = tracer.start_span("whole", kind=SpanKind.SERVER, start_time=began)
        context = set_span_in_context(whole)
        part = tracer.start_span("part", context, SpanKind.CLIENT, start_time=began)
        part.set_attributes(attempt)
        part.end(began)
        whole.set_attributes(request)
        whole.end(began)
        seconds.record(1.0, tags)
        for histogram in tokens:
            histogram.record(12, tags)
        for counter in counters:
            if isinstance(counter, Counter):
                counter.add(12, tags)

    return trace


def timed(trace: Callable[[Exchange], None], exchanges: Sequence[Exchange]) -> float:
    """Return the microseconds of processor time that tracing one request takes."""
    began = time.thread_time()
    for exchange in exchanges:
        trace(exchange)
    return (time.thread_time() - began) / len(exchanges) * 1e6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the cost of tracing one request.")
    parser.add_argument("--requests", type=int, default=20_000)
    exchanges = [exchange_of(number) for number in range(parser.parse_args().requests)]
    own, batch = ours()
    for exchange in exchanges[:_BATCH]:
        own(exchange)
    of_sdk = stock(batch.last[:2])
    figures = [(timed(own, exchanges), timed(of_sdk, exchanges[:4000])) for _ in range(_ROUNDS)]
    first, second = (statistics.median(column) for column in zip(*figures, strict=True))
    print(f"gemproxy's own   {first:7.1f} us for each request")
    print(f"the SDK's        {second:7.1f} us for each request")
    print(f"ratio            {first / second:7.2f}")


if __name__ == "__main__":
    main()
