"""Which voice a request gets: what each SDK is sent besides what Gemini says."""

import pytest
from multidict import CIMultiDict

from gemproxy.voices.table import voice_of


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("", "standard"),
        ("google-genai-sdk/1.10.0 gl-python/3.11.7", "standard"),
        ("google-genai-sdk/3.4.0 gl-python/3.13.0", "standard"),
        ("google-genai-sdk/0.8.0 gl-node/v20.1.0", "fragile"),
        ("google-genai-sdk/1.9.0 gl-node/web", "fragile"),
        ("google-genai-sdk/1.29.9 gl-node/v20.1.0", "fragile"),
        ("google-genai-sdk/1.30.0 gl-node/v20.1.0", "standard"),
        ("google-genai-sdk/2.0.0 gl-node/v20.1.0", "standard"),
        ("google-genai-sdk/1.30.0-rc.1 gl-node/cross", "standard"),
        ("google-genai-sdk/1.5.0 gl-java/17", "standard"),
        ("google-genai-sdk/1.5.0 gl-go/go1.24", "go"),
        ("genai-js/0.24.1", "fragile"),
        ("langchainjs genai-js/0.24.1", "fragile"),
        ("genai-dart/0.4.7", "fragile"),
        ("ai-sdk/google/4.0.121", "standard"),
        ("google-genai-sdk/99999999.1 gl-node/v1", "standard"),
    ],
)
@pytest.mark.parametrize("header", ["X-Goog-Api-Client", "User-Agent"])
def test_the_voice_follows_from_the_client_headers(client: str, name: str, header: str) -> None:
    assert voice_of(CIMultiDict({header: client})).name == name


def test_without_sse_the_voice_is_that_of_the_array() -> None:
    assert voice_of({"x-goog-api-client": "genai-js/0.24.1"}, sse=False).name == "array"


def test_each_connection_has_a_voice_of_its_own() -> None:
    assert voice_of({}) is not voice_of({})
