"""What a request is in the words of the conventions."""

import pytest

from gemproxy.tracing.operations import operation_of

MODEL = "/v1beta/models/gemini-x"


@pytest.mark.parametrize(
    ("family", "method", "path", "operation"),
    [
        ("stream", "POST", f"{MODEL}:streamGenerateContent", "generate_content"),
        ("chat", "POST", "/v1/chat/completions", "chat"),
        ("embeddings", "POST", "/v1/embeddings", "embeddings"),
        ("image_relay", "POST", "/generate", "generate_content"),
        ("live", "GET", "/ws/x.BidiGenerateContent", "generate_content"),
        ("compute", "POST", f"{MODEL}:embedContent", "embeddings"),
        ("compute", "POST", f"{MODEL}%3AbatchEmbedContents", "embeddings"),
        ("compute", "POST", f"{MODEL}:countTokens", ""),
        ("compute", "POST", "/v1beta/models/imagen-4:predict", "generate_content"),
        ("compute", "POST", "/v1/models/text-embedding-5:predict", "embeddings"),
        ("interactions", "POST", "/v1beta/interactions", "generate_content"),
        ("interaction", "GET", "/v1beta/interactions/1", "fetch_response"),
        ("passthrough", "POST", "/v1beta/openai/chat/completions", "chat"),
        ("passthrough", "POST", "/v1beta/openai/embeddings", "embeddings"),
        ("passthrough", "POST", f"{MODEL}:batchGenerateContent", ""),
        ("passthrough", "DELETE", "/v1beta/files/1", ""),
        ("fetch", "GET", "/v1beta/files", ""),
        ("upload", "POST", "/upload/v1beta/files", ""),
        ("none", "POST", "/", ""),
    ],
)
def test_the_operation_of_a_request(family: str, method: str, path: str, operation: str) -> None:
    assert operation_of(family, method, path) == operation
