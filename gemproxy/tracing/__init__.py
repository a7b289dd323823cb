"""Spans and gen_ai metrics for OpenTelemetry; its packages are the extra ``otel``."""
