"""Who sent a request at a path that two APIs have."""

import pytest
from aiohttp.test_utils import make_mocked_request

from gemproxy.routes.foreign import is_foreign, is_openai, speaks_openai

SDK = {"X-Stainless-Lang": "python"}


@pytest.mark.parametrize(
    ("headers", "openai"),
    [
        ({}, False),
        ({"x-goog-api-key": "k"}, False),
        ({"x-goog-api-key": "k", "Authorization": "Token t"}, False),
        ({"Authorization": "Bearer t"}, True),
        ({"x-goog-api-key": "k", "X-Stainless-Lang": "python"}, True),
    ],
)
def test_an_openai_client_is_known_by_its_headers(headers: dict[str, str], openai: bool) -> None:
    assert is_openai(headers) is openai


@pytest.mark.parametrize(
    ("method", "path", "headers", "foreign"),
    [
        ("POST", "/v1/files", {}, True),
        ("POST", "/v1/batches", {}, True),
        ("POST", "/v1//files", {}, True),
        ("POST", "/v1/batches/b/cancel", {}, True),
        ("GET", "/v1/files", SDK, True),
        ("DELETE", "/v1/files/f", SDK, True),
        ("GET", "/v1/files", {"Authorization": "Bearer t"}, False),
        ("GET", "/v1/files/f", {}, False),
        ("DELETE", "/v1/batches/b", {}, False),
        ("POST", "/v1/batches/b:cancel", {}, False),
        ("POST", "/v1beta/files", SDK, False),
        ("DELETE", "/v1/models/m", SDK, True),
        ("DELETE", "/v1/models/m", {"Authorization": "Bearer t"}, True),
        ("POST", "/v1/models", SDK, True),
        ("POST", "/v1/models", {}, False),
        ("GET", "/v1/models/m/operations", SDK, False),
        ("POST", "/v1/models/m:embedText", SDK, False),
        ("POST", "/v1/filesystem", SDK, False),
        ("POST", "/v1/cachedContents", SDK, False),
    ],
)
def test_files_and_batches_are_told_from_those_of_gemini(
    method: str, path: str, headers: dict[str, str], foreign: bool
) -> None:
    assert is_foreign(make_mocked_request(method, path, headers)) is foreign


@pytest.mark.parametrize(
    ("family", "path", "headers", "openai"),
    [
        ("chat", "/v1/chat/completions", {}, True),
        ("refused", "/v1/audio/speech", {}, True),
        ("models", "/v1/models", {}, False),
        ("models", "/v1/models", {"Authorization": "Bearer t"}, True),
        ("stream", "/v1/models/m:streamGenerateContent", SDK, False),
        ("passthrough", "/v1/files", {}, False),
        ("fetch", "/v1/files", SDK, True),
    ],
)
def test_who_reads_openai_s_errors(
    family: str, path: str, headers: dict[str, str], openai: bool
) -> None:
    request = make_mocked_request("GET", path, headers)

    assert speaks_openai(request, family) is openai
