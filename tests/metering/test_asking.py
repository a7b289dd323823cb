"""Which requests count as one that asks a model, and in whose dialect."""

import pytest

from gemproxy.exchange.exchange import Exchange
from gemproxy.metering.asking import asks_a_model, dialect_of, is_batch


def exchange(path: str, method: str = "POST", family: str = "passthrough") -> Exchange:
    return Exchange("id", family, method, path, "", {})


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/gemini-x:generateContent",
        "/v1beta/models/gemini-x%3AstreamGenerateContent",
        "/v1/models/gemini-x:countTokens",
        "/v1beta/models/gemini-x:embedContent",
        "/v1beta/models/gemini-x:batchEmbedContents",
        "/v1beta/models/veo:predictLongRunning",
        "/v1beta/models/gemini-x:batchGenerateContent",
        "/v1beta/models/gemini-x:somethingNew",
        "/v1beta/tunedModels/mine:generateContent",
        "/v1/projects/p/locations/l/publishers/google/models/gemini-x:rawPredict",
        "/v1/projects/p/locations/l/endpoints/1:predict",
        "/v1beta/interactions",
        "/v1beta/openai/chat/completions",
        "/v1beta/openai/embeddings",
        "/v1beta/openai/images/generations",
        "/v1beta/openai/audio/speech",
        "/v1beta/openai/responses",
        "/v1beta/openai/batches",
    ],
)
def test_a_post_to_a_model_counts(path: str) -> None:
    assert asks_a_model(exchange(path))


@pytest.mark.parametrize(
    ("path", "method", "family"),
    [
        ("/v1beta/models/gemini-x", "GET", "passthrough"),
        ("/v1beta/models/gemini-x:generateContent", "GET", "fetch"),
        ("/v1beta/files", "POST", "passthrough"),
        ("/v1beta/files:register", "POST", "passthrough"),
        ("/upload/v1beta/files", "POST", "upload"),
        ("/v1beta/cachedContents", "POST", "passthrough"),
        ("/v1beta/batches/b:cancel", "POST", "passthrough"),
        ("/v1beta/interactions/i/cancel", "POST", "passthrough"),
        ("/v1beta/openai/files", "POST", "passthrough"),
        ("/v1beta/openai/batches/b/cancel", "POST", "passthrough"),
    ],
)
def test_what_asks_no_model_does_not_count(path: str, method: str, family: str) -> None:
    assert not asks_a_model(exchange(path, method, family))


@pytest.mark.parametrize(
    ("path", "batch"),
    [
        ("/v1beta/models/gemini-x:batchGenerateContent", True),
        ("/v1beta/models/gemini-x:asyncBatchEmbedContent", True),
        ("/v1beta/openai/batches", True),
        ("/v1beta/models/gemini-x:batchEmbedContents", False),
        ("/v1beta/models/gemini-x:generateContent", False),
    ],
)
def test_a_batch_is_known_by_its_path(path: str, batch: bool) -> None:
    assert is_batch(exchange(path)) is batch


@pytest.mark.parametrize(
    ("path", "family", "dialect"),
    [
        ("/v1beta/models/gemini-x:streamGenerateContent", "stream", "gemini"),
        ("/v1beta/models/gemini-x:predictLongRunning", "passthrough", "gemini"),
        ("/v1/projects/p/publishers/google/models/x:generateContent", "generate", "vertex"),
        ("/v1/projects/p/endpoints/1:predict", "passthrough", "vertex"),
        ("/v1beta/interactions", "interactions", "interactions"),
        ("/v1beta/openai/chat/completions", "passthrough", "openai"),
        ("/ws/google.ai.generativelanguage.v1beta.GenerativeService.X", "live", "live"),
    ],
)
def test_a_request_has_a_dialect(path: str, family: str, dialect: str) -> None:
    assert dialect_of(exchange(path, family=family)) == dialect


def test_the_relay_for_pictures_asks_a_model_in_gemini_s_words() -> None:
    assert asks_a_model(exchange("/generate", family="image_relay"))
    assert dialect_of(exchange("/generate", family="image_relay")) == "gemini"
    assert not asks_a_model(exchange("/generate", "GET", "image_relay"))
