"""What a request asks of the pool."""

import pytest
from multidict import CIMultiDict

from gemproxy.exchange.account import Account
from gemproxy.exchange.exchange import Exchange
from gemproxy.lending.wishes import computes, model_of, tokens_of, wish_of

BODY = b'{"contents":[{"parts":[{"text":"Hello"}]}]}'


def asking(path: str, method: str = "POST", model: str | None = None) -> Exchange:
    return Exchange("id", "x", method, path, "", CIMultiDict(), Account("ann", model))


@pytest.mark.parametrize(
    ("path", "only"),
    [
        ("/v1beta/models/m:generateContent", True),
        ("/v1beta/models/m:streamGenerateContent", True),
        ("/v1beta/tunedModels/t:generateContent", True),
        ("/v1/models/m:countTokens", True),
        ("/v1/models/m:batchEmbedContents", True),
        ("/v1/models/m:predict", True),
        ("/v1beta/openai/chat/completions", True),
        ("/v1beta/openai/embeddings/", True),
        ("/v1/models/m:batchGenerateContent", False),
        ("/v1/models/m:asyncBatchEmbedContent", False),
        ("/v1/models/m:predictLongRunning", False),
        ("/v1beta/cachedContents", False),
        ("/v1beta/interactions", False),
        ("/v1beta/openai/files", False),
        ("/upload/v1beta/files", False),
    ],
)
def test_what_only_computes_is_known_by_its_method(path: str, only: bool) -> None:
    wish = wish_of(asking(path), BODY)

    assert computes(asking(path)) == only
    assert (wish.caller == "ann") != only
    assert bool(wish.opening) == only
    assert not computes(asking(path, "GET"))


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/v1beta/models/gemini-m:generateContent", b"{}", "gemini-m"),
        ("/v1beta/tunedModels/t:generateContent", b"{}", "t"),
        ("/v1beta/models/gemini-m:batchGenerateContent", b"{}", "gemini-m"),
        ("/v1beta/openai/chat/completions", b'{"model":"models/gemini-m"}', "gemini-m"),
        ("/v1beta/openai/chat/completions", b'{"model":7}', ""),
        ("/v1beta/openai/chat/completions", None, ""),
        ("/v1beta/files/f:download", None, ""),
        ("/v1beta/files", b'{"model":"no"}', ""),
    ],
)
def test_the_model_whose_quota_counts(path: str, body: bytes | None, model: str) -> None:
    assert model_of(asking(path), body) == model


def test_the_model_of_an_interaction_or_of_live_is_in_its_account() -> None:
    live = asking("/ws/x.BidiGenerateContent", "GET", "models/live")
    assert model_of(live, b"{}") == "live"
    assert model_of(asking("/v1beta/interactions", model="gemini-m"), b"{}") == "gemini-m"
    assert model_of(asking("/v1beta/interactions"), b'{"model":"gemini-n"}') == "gemini-n"


def test_the_base64_of_an_image_is_not_counted_as_text() -> None:
    image = b'{"inlineData":{"mimeType":"image/png","data":"' + b"A" * 1_000_000 + b'"}}'

    assert tokens_of(b"x" * 400) == 100
    assert tokens_of(image) < 300
