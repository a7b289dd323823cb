"""Spans and gen_ai metrics for OpenTelemetry; its packages are the extra ``otel``.

Both are renderings of an ``Account``, made in one step when a request is over, so nothing of this
runs while an answer streams:

    context      the trace of a request that comes in: its ids, and whether it gets spans
    operations   what a request is in the words of the gen_ai conventions
    attempts     the request and its attempts, as the spans and the metrics see them
    attributes   the table of attributes; docs/tracing.md is made from it
    spans        the span of a request and those of its attempts
    totals       the gen_ai metrics, summed up here
    protobuf     spans as bytes for a collector
    delivery     the threads that send both, what they log, and their end
    tracer       all of it, for the application
"""
