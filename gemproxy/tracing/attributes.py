"""The table of attributes: the name of each, what it says, and where its value comes from.

``docs/tracing.md`` shows the tables, made by ``python docs/tracing_tables.py --write``. None of the
values is content, a key, or a header of a client. Text that a client chose (a path, a model) is
masked like the log.

The gen_ai names are those of https://github.com/open-telemetry/semantic-conventions-genai (v0.1.0),
the others without ``gemproxy.`` those of https://opentelemetry.io/docs/specs/semconv (1.44). Usage
stands on attempts alone, so no sum over spans counts it twice.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar

import attrs

from gemproxy.core.answer.usage import Billed
from gemproxy.exchange.account import (
    Account,
    InteractionResult,
    SessionResult,
    StreamResult,
)
from gemproxy.observe.logs import redact
from gemproxy.tracing.attempts import Attempt, Served
from gemproxy.tracing.operations import FETCH

Conventions = Literal["new", "old", "both"]
Value = Any  # what OpenTelemetry takes: str, bool, int, float, or a list of one of them
T = TypeVar("T")

_LONGEST = 200
_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
_PICTURES = frozenset({"drawing", "edits", "image_relay"})

ROUTES: Mapping[str, str] = {
    "stream": "/{version}/models/{model}:streamGenerateContent",
    "generate": "/{version}/models/{model}:generateContent",
    "compute": "/{version}/models/{model}:{method}",
    "chat": "/v1/chat/completions",
    "embeddings": "/v1/embeddings",
    "drawing": "/v1/images/generations",
    "edits": "/v1/images/edits",
    "image_relay": "/generate",
    "models": "/v1/models",
    "model": "/v1/models/{model}",
    "interactions": "/{version}/interactions",
    "interaction": "/{version}/interactions/{interaction}",
    "upload": "/upload/{version}/{resource}",
    "picture": "/images/{name}",
    "live": "/ws/{service}",
}
"""Route -> its path for people; a route without one takes any path."""


@attrs.frozen
class Row(Generic[T]):
    """An attribute: ``value`` returns its value, None where it has none.

    ``only`` names the conventions that have it, if not all have.
    """

    name: str
    meaning: str
    value: Callable[[T], Value]
    only: Literal["", "new", "old"] = ""


@attrs.frozen
class Group(Generic[T]):
    """Rows that have values only where ``applies`` returns something true, asked once for all."""

    applies: Callable[[T], Any]
    rows: Sequence[Row[T]]


Chosen = Sequence[tuple[Callable[[T], Any], Sequence[tuple[str, Callable[[T], Any]]]]]
"""Groups of names and values, each with its condition."""


def chosen(groups: Sequence[Group[T]], conventions: Conventions) -> Chosen[T]:
    """Return what ``conventions`` have of a table."""
    return [
        (
            group.applies,
            [
                (row.name, row.value)
                for row in group.rows
                if not row.only or conventions in {row.only, "both"}
            ],
        )
        for group in groups
    ]


def values(groups: Chosen[T], of: T) -> dict[str, Value]:
    """Return the attributes of a request or an attempt."""
    found: dict[str, Value] = {}
    for applies, rows in groups:
        if applies(of):
            for name, read in rows:
                value = read(of)
                if value is not None:
                    found[name] = value
    return found


def _always(_: object) -> bool:
    return True


@lru_cache(maxsize=1024)
def shown(text: str) -> str:
    """Return text of a client as it may be shown: masked, and not too long."""
    return redact(text)[:_LONGEST]


def method_of(method: str) -> str:
    """Return a method that the conventions know, else ``_OTHER``."""
    return method if method in _METHODS else "_OTHER"


def _charged(name: str) -> Callable[[Served], Value]:
    def value(served: Served) -> Value:
        return getattr(served.account.charge, name)

    return value


def _result(kind: type) -> Callable[[Served], bool]:
    def applies(served: Served) -> bool:
        return isinstance(served.account.result, kind)

    return applies


def _resulting(name: str) -> Callable[[Served], Value]:
    def value(served: Served) -> Value:
        return getattr(served.account.result, name)

    return value


def _repairs(account: Account) -> int:
    match account.result:
        case StreamResult(joints=joints):
            return len(joints)
        case InteractionResult(attempts=attempts):
            return max(attempts - 1, 0)
    return 0


def _first_byte(served: Served) -> float | None:
    milliseconds = _resulting("first_byte_ms")(served)
    return None if milliseconds is None else milliseconds / 1000


def _close_code(served: Served) -> int | None:
    farewell = _resulting("farewell")(served)
    return None if farewell is None else farewell.code


def _was_repaired(served: Served) -> bool:
    return len(served.account.entries) > 1


SERVER: Sequence[Group[Served]] = (
    Group(
        _always,
        (
            Row("http.request.method", "Method", lambda it: method_of(it.exchange.method)),
            Row("http.route", "Route, without names", lambda it: ROUTES.get(it.exchange.family)),
            Row("url.path", "Path, without its query", lambda it: shown(it.exchange.raw_path)),
            Row("url.scheme", "http or https", lambda it: it.scheme),
            Row("http.response.status_code", "Status of the answer", lambda it: it.status),
            Row(
                "error.type",
                "Error of the server: a status from 500 on, `broken`, `shutdown`, or how the"
                " upstream failed",
                lambda it: it.error or None,
            ),
            Row("gemproxy.request.id", "Request id", lambda it: it.exchange.id),
            Row("gemproxy.route", "Route, as in the access log", lambda it: it.exchange.family),
            Row("gemproxy.access", "Name of the access key", lambda it: it.account.access or None),
            Row(
                "gemproxy.model",
                "Model",
                lambda it: shown(it.account.model) if it.account.model else None,
            ),
            Row(
                "gemproxy.ending",
                "How the request ended: done, failed, client_left or shutdown",
                lambda it: it.ending,
            ),
            Row("gemproxy.bytes", "Bytes of the answer", lambda it: it.size),
            Row(
                "gemproxy.attempts", "Requests to the upstream", lambda it: len(it.account.entries)
            ),
        ),
    ),
    Group(
        _was_repaired,
        (
            Row(
                "gemproxy.repairs",
                "Joints and reads at which an answer went on",
                lambda it: _repairs(it.account),
            ),
            Row(
                "gemproxy.causes",
                "Why further attempts were needed",
                lambda it: [one.cause.value for one in it.account.entries if one.cause] or None,
            ),
        ),
    ),
    Group(
        _result(StreamResult),
        (
            Row(
                "gemproxy.finish_reason",
                "finishReason of a stream, as the client got it",
                _resulting("finish_reason"),
            ),
            Row("gemproxy.first_byte", "Seconds to the first byte of a stream", _first_byte),
            Row("gemproxy.characters", "Characters that the client got", _resulting("characters")),
        ),
    ),
    Group(
        lambda it: it.account.charge is not None,
        (
            Row("gemproxy.input_tokens", "Input that the user pays", _charged("input_tokens")),
            Row("gemproxy.cached_tokens", "Part of it from a cache", _charged("cached_tokens")),
            Row("gemproxy.output_tokens", "Output that the user pays", _charged("output_tokens")),
            Row(
                "gemproxy.thought_tokens", "Thoughts that the user pays", _charged("thought_tokens")
            ),
            Row(
                "gemproxy.extra_input_tokens",
                "Input that repair cost",
                _charged("extra_input_tokens"),
            ),
            Row(
                "gemproxy.extra_output_tokens",
                "Output that repair cost",
                _charged("extra_output_tokens"),
            ),
            Row(
                "gemproxy.cost_nano_usd",
                "What the user pays, in 10^-9 dollars",
                _charged("cost_nano_usd"),
            ),
            Row(
                "gemproxy.operator_cost_nano_usd",
                "What repair cost, in 10^-9 dollars",
                _charged("operator_cost_nano_usd"),
            ),
            Row(
                "gemproxy.estimated",
                "true if the upstream did not count all of these",
                lambda it: _charged("estimated")(it) or None,
            ),
        ),
    ),
    Group(
        _result(SessionResult),
        (
            Row("gemproxy.frames.up", "Messages of a Live client", _resulting("frames_up")),
            Row("gemproxy.frames.down", "Messages of a Live upstream", _resulting("frames_down")),
            Row("gemproxy.close_code", "Close code of a Live session", _close_code),
        ),
    ),
)
"""Attributes of the span of a request, in groups that apply together."""


def _value(of: Any) -> str | None:  # noqa: ANN401 - an Enum with words, or None
    return None if of is None else of.value


ATTEMPT: Sequence[Group[Attempt]] = (
    Group(
        _always,
        (
            Row(
                "http.request.method",
                "Method of the client's request",
                lambda it: method_of(it.served.exchange.method),
            ),
            Row(
                "http.response.status_code",
                "Status of the upstream's answer",
                lambda it: it.entry.status,
            ),
            Row("server.address", "Host of the upstream", lambda it: it.upstream.address),
            Row("server.port", "Its port", lambda it: it.upstream.port),
            Row("gemproxy.attempt", "Number of the attempt, from 1", lambda it: it.number),
            Row("gemproxy.how", "How the connection ended", lambda it: _value(it.entry.how)),
            Row("gemproxy.bytes", "Bytes of the upstream's answer", lambda it: it.entry.bytes),
        ),
    ),
    Group(
        lambda it: it.entry.key,
        (
            Row("gemproxy.key", "Fingerprint of the key of the pool", lambda it: it.entry.key),
            Row("gemproxy.project", "Project of the key", lambda it: it.entry.project or None),
        ),
    ),
    Group(
        lambda it: it.error,
        (
            Row(
                "error.type",
                "A status from 400 on, how the connection ended, why another attempt was needed,"
                " or `shutdown`",
                lambda it: it.error,
            ),
            Row(
                "gemproxy.fault",
                "Whose fault an error of the upstream was",
                lambda it: _value(it.entry.fault),
            ),
        ),
    ),
    Group(
        lambda it: it.characters is not None,
        (
            Row(
                "gemproxy.characters",
                "Characters that it added to the client's text",
                lambda it: it.characters,
            ),
        ),
    ),
    Group(
        lambda it: it.number > 1 or not it.is_last,
        (
            Row(
                "gemproxy.cause",
                "Why another attempt was needed",
                lambda it: _value(it.entry.cause),
            ),
            Row(
                "gemproxy.form",
                "Form in which the rest was asked for",
                lambda it: _value(it.entry.form),
            ),
            Row("gemproxy.joint", "How the answer was joined", lambda it: _value(it.entry.joint)),
        ),
    ),
)
"""Attributes of the span of any attempt."""


def _used(count: Callable[[Billed], int]) -> Callable[[Attempt], int | None]:
    """Return the value of a row of usage."""
    return lambda it: None if it.usage is None else count(it.usage)


def _some(count: Callable[[Billed], int]) -> Callable[[Attempt], int | None]:
    """Return the value of a row of usage that is left out at 0."""
    return lambda it: None if it.usage is None else count(it.usage) or None


def _finish(it: Attempt) -> list[str] | None:
    reason = it.finish_reason
    return None if reason is None else [reason]


def _answers_id(it: Attempt) -> str | None:
    name = it.entry.named.response_id
    return shown(name) if name else None


def _answers_model(it: Attempt) -> str | None:
    model = it.entry.named.model
    return shown(model) if model else None


def _has_usage(it: Attempt) -> bool:
    return it.usage is not None and it.operation != FETCH


def _has_modalities(it: Attempt) -> bool:
    used = it.usage
    if used is None or it.operation == FETCH:
        return False
    more = used.audio or used.images or used.video
    return bool(more or used.audio_output or used.image_output or used.video_output)


GEN_AI: Sequence[Group[Attempt]] = (
    Group(
        _always,
        (
            Row(
                "gen_ai.operation.name",
                "generate_content, chat, embeddings, text_completion or fetch_response",
                lambda it: it.operation,
            ),
            Row(
                "gen_ai.provider.name",
                "gcp.gemini, or gcp.vertex_ai by the host",
                lambda it: it.upstream.provider,
            ),
            Row(
                "gen_ai.system",
                "The same, by its old name",
                lambda it: it.upstream.provider,
                "old",
            ),
            Row("gen_ai.request.model", "Model", lambda it: shown(it.model) if it.model else None),
            Row("gen_ai.response.id", "Id of the answer, as the upstream gives it", _answers_id),
            Row("gen_ai.response.model", "Model that the answer names", _answers_model),
            Row(
                "gen_ai.response.finish_reasons",
                "finishReason, at the attempt that brought it",
                _finish,
            ),
        ),
    ),
    Group(
        lambda it: it.is_stream,
        (
            Row("gen_ai.request.stream", "true for a stream", _always),
            Row(
                "gen_ai.response.time_to_first_chunk",
                "Seconds to the first bytes of the client's answer",
                lambda it: it.first_chunk,
            ),
        ),
    ),
    Group(
        lambda it: it.served.exchange.family in _PICTURES,
        (Row("gen_ai.output.type", "image, where a picture was asked for", lambda _: "image"),),
    ),
    Group(
        _has_usage,
        (
            Row(
                "gen_ai.usage.input_tokens",
                "Input, results of Google's tools included",
                _used(lambda used: used.prompt),
            ),
            Row(
                "gen_ai.usage.output_tokens",
                "Output, thoughts included",
                _used(lambda used: used.output + used.thoughts),
            ),
            Row(
                "gen_ai.usage.cache_read.input_tokens",
                "Part of the input from a cache",
                _some(lambda used: used.cached),
            ),
            Row(
                "gen_ai.usage.reasoning.output_tokens",
                "Part of the output that is thoughts",
                _some(lambda used: used.thoughts),
            ),
        ),
    ),
    Group(
        _has_modalities,
        (
            Row(
                "gen_ai.usage.text.input_tokens",
                "Part of the input that is text, where not all of it is",
                _some(lambda used: used.prompt - used.audio - used.images - used.video),
                "new",
            ),
            Row(
                "gen_ai.usage.image.input_tokens",
                "Part of it that is pictures and documents",
                _some(lambda used: used.images),
                "new",
            ),
            Row(
                "gen_ai.usage.audio.input_tokens",
                "Part of it that is sound",
                _some(lambda used: used.audio),
                "new",
            ),
            Row(
                "gen_ai.usage.audio.cache_read.input_tokens",
                "Part of it that is sound from a cache",
                _some(lambda used: used.cached_audio),
                "new",
            ),
            Row(
                "gen_ai.usage.text.output_tokens",
                "Part of the output that is text or thoughts, where not all of it is",
                _some(
                    lambda used: (
                        used.output
                        + used.thoughts
                        - used.audio_output
                        - used.image_output
                        - used.video_output
                    )
                ),
                "new",
            ),
            Row(
                "gen_ai.usage.image.output_tokens",
                "Part of it that is pictures",
                _some(lambda used: used.image_output),
                "new",
            ),
            Row(
                "gen_ai.usage.audio.output_tokens",
                "Part of it that is sound",
                _some(lambda used: used.audio_output),
                "new",
            ),
        ),
    ),
)
"""Attributes of the span of an attempt that is a gen_ai operation, besides those of any attempt."""
