"""The names in answers: which answers name what their client made, and where in them."""

import gzip
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.exchange.exchange import Exchange
from gemproxy.owners.naming import HANDLES, TOKENS, hashed
from gemproxy.owners.witness import Named, handles_in, witness_of

GOOGLE = "https://generativelanguage.googleapis.com"
JSON, EVENTS = "application/json; charset=UTF-8", "text/event-stream"
FILE = {"file": {"name": "files/a", "uri": f"{GOOGLE}/v1beta/files/a"}}
OPERATION = {
    "name": "models/veo/operations/o",
    "response": {
        "generateVideoResponse": {
            "generatedSamples": [{"video": {"uri": f"{GOOGLE}/v1beta/files/v:download?alt=media"}}]
        }
    },
}
BATCH = {
    "name": "batches/b",
    "metadata": {"name": "batches/b", "inputConfig": {"fileName": "files/in"}},
    "response": {
        "responsesFile": "files/out",
        "inlinedResponses": [
            {"response": {"candidates": [{"content": {"parts": [{"name": "files/said"}]}}]}}
        ],
    },
}


def seen(
    method: str,
    target: str,
    answer: Any,
    *,
    kind: str = JSON,
    status: int = 200,
    pieces: Sequence[int] = (),
) -> Named:
    """Return the names that the witness of an answer sees."""
    path, _, query = target.partition("?")
    exchange = Exchange("1", "x", method, path, query, {})
    witness = witness_of(exchange, status, {"Content-Type": kind})
    if witness is None:
        return {}
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    cuts = [0, *sorted(pieces), len(body)]
    named: Named = {}
    for begin, end in itertools.pairwise(cuts):
        if body[begin:end]:
            named.update(witness.look(body[begin:end]))
    named.update(witness.look(b""))
    return named


def events(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


@pytest.mark.parametrize(
    ("method", "target", "answer", "names"),
    [
        ("POST", "/upload/v1beta/files", FILE, {"files/a"}),
        ("POST", "/v1beta/cachedContents", {"name": "cachedContents/c"}, {"cachedContents/c"}),
        (
            "POST",
            "/v1beta/models/veo:predictLongRunning",
            OPERATION,
            {OPERATION["name"], "files/v"},
        ),
        ("GET", "/v1beta/models/veo/operations/o", OPERATION, {OPERATION["name"], "files/v"}),
        ("POST", "/v1beta/models/m:batchGenerateContent", BATCH, {"batches/b", "files/out"}),
        ("GET", "/v1beta/batches/b", BATCH, {"batches/b", "files/out"}),
        ("POST", "/v1alpha/auth_tokens", {"name": "auth_tokens/t"}, {"auth_tokens/t"}),
        ("POST", "/v1beta/interactions", {"id": "v1_x"}, {"interactions/v1_x"}),
        ("GET", "/v1beta/interactions/v1_x", {"id": "v1_x"}, {"interactions/v1_x"}),
        ("POST", "/v1beta/agents", {"id": "helper"}, {"agents/helper"}),
        (
            "POST",
            "/v1beta/interactions",
            {"id": "i", "environment_id": "e", "outputs": [{"uri": f"{GOOGLE}/v1/files/a"}]},
            {"interactions/i", "environments/e", "files/a"},
        ),
        ("POST", "/v1beta/openai/files", {"id": "files/a", "object": "file"}, {"files/a"}),
        ("POST", "/v1beta/openai/files", {"id": "file-a"}, {"files/file-a"}),
        ("POST", "/v1beta/openai/videos", {"id": "v"}, {"videos/v"}),
        (
            "GET",
            "/v1beta/openai/batches/b",
            {"id": "batches/b", "input_file_id": "files/in", "output_file_id": "files/out"},
            {"batches/b", "files/out"},
        ),
        (
            "POST",
            "/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore",
            {"name": "fileSearchStores/s/upload/operations/o"},
            {"fileSearchStores/s"},
        ),
        ("POST", "/v1beta/tunedModels", {"name": "tunedModels/t/operations/o"}, {"tunedModels/t"}),
    ],
)
def test_a_creation_names_what_was_made(
    method: str, target: str, answer: Any, names: set[str]
) -> None:
    assert seen(method, target, answer) == dict.fromkeys(names)


@pytest.mark.parametrize(
    ("method", "target", "answer", "kind"),
    [
        ("GET", "/v1beta/files", {"files": [FILE["file"]]}, JSON),
        ("GET", "/v1beta/batches", {"operations": [BATCH]}, JSON),
        ("GET", "/v1beta/models/veo/operations", {"operations": [OPERATION]}, JSON),
        ("GET", "/v1beta/files/a:download?alt=media", FILE, JSON),
        ("GET", "/v1beta/files/a?alt=media", FILE, JSON),
        ("GET", "/v1beta/openai/files/a/content", FILE, JSON),
        ("GET", "/v1beta/environments/e/files/a.json", FILE, JSON),
        ("GET", "/v1beta/models", {"models": [{"name": "files/a"}]}, JSON),
        ("POST", "/v1beta/models/m:generateContent", FILE, JSON),
        ("POST", "/v1beta/models/m:countTokens", FILE, JSON),
        ("POST", "/v1beta/openai/chat/completions", FILE, JSON),
        ("POST", "/v1beta/files", FILE, "text/plain"),
        ("HEAD", "/v1beta/files/a", FILE, JSON),
        ("DELETE", "/v1beta/files/a/permissions/p", {}, JSON),
    ],
)
def test_lists_contents_and_what_a_model_says_make_nobody_an_owner(
    method: str, target: str, answer: Any, kind: str
) -> None:
    assert seen(method, target, answer, kind=kind) == {}


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_an_error_names_nothing(status: int) -> None:
    assert seen("POST", "/v1beta/files", FILE, status=status) == {}
    assert seen("DELETE", "/v1beta/files/a", {}, status=status) == {}


@pytest.mark.parametrize("body", [{}, b""])
def test_what_was_deleted_is_gone(body: Any) -> None:
    assert seen("DELETE", "/v1beta/files/a", body) == {"files/a": 0.0}
    assert seen("DELETE", "/v1beta/interactions/i/", body) == {"interactions/i": 0.0}


@pytest.mark.parametrize(
    "said",
    [
        {"outputs": [{"type": "text", "text": '{"name": "files/b"}'}]},
        {"outputs": [{"type": "function_call", "name": "f", "arguments": {"name": "files/b"}}]},
        {"outputs": [{"type": "function_result", "result": {"uri": "files/b"}}]},
        {"outputs": [{"id": "files/b", "call_id": "files/b"}]},
        {"metadata": {"displayName": "files/b", "inputConfig": {"fileName": "files/b"}}},
        {"tools": [{"parameters": {"default": {"name": "files/b"}}}]},
    ],
)
def test_what_a_model_or_a_client_says_claims_no_name(said: Any) -> None:
    assert seen("POST", "/v1beta/interactions", {"id": "i", **said}) == {"interactions/i": None}


def test_the_end_of_a_resource_is_read_before_and_behind_its_name() -> None:
    end = "2026-12-01T00:00:00Z"
    before = {"expireTime": end, "name": "cachedContents/c"}
    behind = {"file": {"name": "files/a", "expirationTime": end}, "expireTime": "2030-01-01"}

    assert seen("POST", "/v1/cachedContents", before) == {"cachedContents/c": 1796083200.0}
    assert seen("POST", "/upload/v1/files", behind) == {"files/a": 1796083200.0}


def test_a_token_of_an_interaction_is_seen_in_its_stream() -> None:
    stream = events(
        {"event_type": "interaction.created", "interaction": {"id": "v1_x"}},
        {"event_type": "step.delta", "delta": {"type": "text", "text": '"name": "files/b"'}},
        {"event_type": "interaction.status_update", "interaction_id": "v1_x"},
        {"event_type": "interaction.status_update", "continuation_token": "T"},
    )

    found = seen("POST", "/v1beta/interactions", stream, kind=EVENTS)

    assert [*found] == ["interactions/v1_x", hashed(TOKENS, "T")]


TOKEN = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "continuationToken": "T"}]}
CALL = {"functionCall": {"name": "f", "args": {"continuationToken": "X"}}}
SAID = {"text": 'a continuation: {"continuationToken": "X"}'}
OTHER = {"candidates": [{"content": {"parts": [CALL, SAID]}}]}


@given(st.lists(st.integers(0, 400), max_size=8))
def test_a_token_of_a_generation_is_seen_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    stream = events(OTHER, TOKEN, OTHER)
    path = "/v1beta/models/m:streamGenerateContent"

    named = seen("POST", path, stream, kind=EVENTS, pieces=cuts)
    listed = seen("POST", path, json.dumps([OTHER, TOKEN], indent=1).encode(), pieces=cuts)

    assert named == listed == {hashed(TOKENS, "T"): None}


@given(st.lists(st.integers(0, 900), max_size=8))
def test_a_name_is_seen_wherever_the_answer_is_cut(cuts: list[int]) -> None:
    body = json.dumps({**BATCH, "more": ["x" * 300]}, indent=2).encode()

    named = seen("GET", "/v1beta/batches/b", body, pieces=cuts)

    assert named == {"batches/b": None, "files/out": None}


def test_a_stream_is_looked_at_only_where_it_may_have_a_token() -> None:
    exchange = Exchange("1", "x", "POST", "/v1/models/m:streamGenerateContent", "", {})
    witness = witness_of(exchange, 200, {"Content-Type": EVENTS})

    assert witness is not None
    assert not witness.waits
    assert witness.mark in events(TOKEN)
    assert witness.mark not in events({"candidates": [{"content": {"parts": [{"text": "a"}]}}]})


def test_a_compressed_answer_is_read_all_the_same() -> None:
    body = gzip.compress(json.dumps(FILE).encode())

    assert seen("POST", "/upload/v1beta/files", body, pieces=[5, 9]) == {"files/a": None}


def test_uris_on_the_upstreams_host_count() -> None:
    exchange = Exchange("1", "x", "GET", "/v1/operations/o", "", {})
    witness = witness_of(
        exchange, 200, {"Content-Type": JSON}, lambda _: frozenset({"127.0.0.1:9"})
    )

    assert witness is not None
    answer = b'{"video": {"uri": "http://127.0.0.1:9/v1/files/a:download"}}'
    assert witness.look(answer) == {"files/a": None}


def test_a_handle_of_live_is_seen() -> None:
    message = b'{"sessionResumptionUpdate": {"newHandle": "h", "resumable": true}}'

    assert handles_in(message) == {hashed(HANDLES, "h"): None}
    assert handles_in(b'{"serverContent": {"text": "newHandle"}}') == {}
