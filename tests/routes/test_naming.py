"""The model that a path names, however it is spelt."""

import pytest
from aiohttp.test_utils import make_mocked_request

from gemproxy.routes.naming import model_of


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash"),
        ("/v1/tunedModels/mine:generateContent", "mine"),
        ("/v1/dynamic/0123:generateContent", "0123"),
        ("/v1/endpoints/123:streamGenerateContent", "123"),
        ("/v1/projects/p/locations/l/endpoints/123:predict", "123"),
        ("/v1/projects/p/locations/l/publishers/google/models/m:countTokens", "m"),
        ("/v1beta/models/google/gemini-2.5-flash:generateContent", "google/gemini-2.5-flash"),
        ("/v1beta/models/x:thinking:streamGenerateContent", "x:thinking"),
        ("/v1beta/models%2Fx:streamGenerateContent", "x"),
        ("/v1beta/models/google%2Fx%3Athinking%3AgenerateContent", "google/x:thinking"),
        ("/team/gemini/v1beta/models/m:generateContent", "m"),
        ("//v1beta/models/m:generateContent", "m"),
        ("/models/m:generateContent", "m"),
        ("/v1/google/m:generateContent", "google/m"),
        ("/team/m:generateContent", "m"),
        ("/:generateContent", ""),
        ("/v1beta/models/:generateContent", ""),
        ("/v1beta/models/%0A:generateContent", "\n"),
        ("/v1beta/models", ""),
    ],
)
def test_the_model_stands_before_the_last_colon(path: str, model: str) -> None:
    assert model_of(make_mocked_request("POST", path)) == model
