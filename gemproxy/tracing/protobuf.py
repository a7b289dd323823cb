"""Spans as the bytes of OTLP: an ``ExportTraceServiceRequest`` of opentelemetry-proto.

The encoder of the SDK makes an object for each attribute, which costs more than the request that
the span is about (``bench/tracing.py``). This one joins bytes, and keeps those of attributes that
occur again. Tests decode its output with the messages of opentelemetry-proto, and compare it with
the SDK's. It is only for the spans of ``spans``, which have neither events nor links.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

_BYTES, _VARINT, _FIXED64 = 2, 0, 1
_KINDS = {
    SpanKind.INTERNAL: 1,
    SpanKind.SERVER: 2,
    SpanKind.CLIENT: 3,
    SpanKind.PRODUCER: 4,
    SpanKind.CONSUMER: 5,
}
_LOCAL, _REMOTE = 0x100, 0x300
"""Flags of a span: whether its parent is known to be another process's."""
_WORD = (1 << 64) - 1

_times = struct.Struct("<BQBQ").pack  # fields 7 and 8, fixed64
_flags = struct.Struct("<HI").pack  # field 16, fixed32
_FLAGS_TAG = 0x0185
_START_TAG, _END_TAG = 7 << 3 | _FIXED64, 8 << 3 | _FIXED64


def _varint(number: int) -> bytes:
    """Return a number of 64 bits; a negative one as its two's complement."""
    number &= _WORD
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits of a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LENGTHS = [_varint(number) for number in range(2048)]


def _sized(tag: bytes, payload: bytes) -> bytes:
    size = len(payload)
    return tag + (_LENGTHS[size] if size < len(_LENGTHS) else _varint(size)) + payload


def _tag(field: int, kind: int = _BYTES) -> bytes:
    return _varint(field << 3 | kind)


_F = [_tag(field) for field in range(17)]


def _any(value: Any) -> bytes:  # noqa: ANN401 (an AnyValue)
    if isinstance(value, str):
        return _sized(_F[1], value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return _tag(2, _VARINT) + _varint(value)
    if isinstance(value, int):
        return _tag(3, _VARINT) + _varint(value)
    if isinstance(value, float):
        return _tag(4, _FIXED64) + struct.pack("<d", value)
    return _sized(_F[5], b"".join(_sized(_F[1], _any(item)) for item in value))


def _pair(name: str, value: Any) -> bytes:  # noqa: ANN401 (an AnyValue)
    return _sized(_F[1], name.encode()) + _sized(_F[2], _any(value))


@lru_cache(maxsize=8192, typed=True)
def _attribute(name: str, value: Any) -> bytes:  # noqa: ANN401 (an AnyValue)
    return _sized(_F[9], _pair(name, value))


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    return _sized(_F[5], name.encode("utf-8", "replace"))


_UNSET = _sized(_F[15], b"")
_ERROR = _sized(_F[15], _tag(3, _VARINT) + _varint(2))


def _encoded(span: ReadableSpan) -> bytes:
    context, parent = span.get_span_context(), span.parent
    assert context is not None  # noqa: S101 (ours have one)
    assert span.start_time is not None and span.end_time is not None  # noqa: S101, PT018 (the same)
    attributes: Mapping[str, Any] = span.attributes or {}
    pieces = [
        b"\x0a\x10",
        context.trace_id.to_bytes(16, "big"),
        b"\x12\x08",
        context.span_id.to_bytes(8, "big"),
    ]
    if context.trace_state:
        pieces.append(_sized(_F[3], context.trace_state.to_header().encode()))
    if parent is not None:
        pieces += (b"\x22\x08", parent.span_id.to_bytes(8, "big"))
    pieces += (
        _name(span.name),
        b"\x30",
        _LENGTHS[_KINDS[span.kind]],
        _times(_START_TAG, span.start_time, _END_TAG, span.end_time),
    )
    for name, value in attributes.items():
        known = type(value) is not list
        pieces.append(_attribute(name, value) if known else _sized(_F[9], _pair(name, value)))
    pieces.append(_ERROR if span.status.status_code is StatusCode.ERROR else _UNSET)
    remote = parent is not None and parent.is_remote
    pieces.append(_flags(_FLAGS_TAG, _REMOTE if remote else _LOCAL))
    return _sized(_F[2], b"".join(pieces))


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the request that brings spans to a collector; all have the resource of the first."""
    first = spans[0]
    attributes = first.resource.attributes.items()
    resource = b"".join(_sized(_F[1], _pair(name, value)) for name, value in attributes)
    scope = first.instrumentation_scope
    assert scope is not None  # noqa: S101 (ours have one)
    named = _sized(_F[1], scope.name.encode()) + _sized(_F[2], (scope.version or "").encode())
    of_scope = _sized(_F[1], named) + b"".join(map(_encoded, spans))
    if scope.schema_url:
        of_scope += _sized(_F[3], scope.schema_url.encode())
    return _sized(_F[1], _sized(_F[1], resource) + _sized(_F[2], of_scope))
