"""The names in a request that belong to a project."""

import json
from typing import Any

import pytest

from gemproxy.chaos.naming import names_in, tokens_in
from gemproxy.chaos.wire import Request


def request(path: str, document: Any = None) -> Request:
    return Request("POST", path, "HTTP/1.1", (), json.dumps(document).encode())


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/files/abc", ["files/abc"]),
        ("/v1/files/abc:download?alt=media", ["files/abc"]),
        ("/gate/v1beta/cachedContents%2Fx", ["cachedContents/x"]),
        ("/v1beta/batches/1:cancel", ["batches/1"]),
        ("/v1beta/interactions/v1_x/cancel", ["interactions/v1_x"]),
        ("/v1/models/m:generateContent", []),
        ("/v1/files", []),
    ],
)
def test_a_name_may_stand_in_the_path(path: str, names: list[str]) -> None:
    assert names_in(request(path)) == names


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({"cachedContent": "cachedContents/1"}, ["cachedContents/1"]),
        ({"cached_content": "cachedContents/1"}, ["cachedContents/1"]),
        (
            {"contents": [{"parts": [{"fileData": {"fileUri": "https://g/v1/files/a"}}]}]},
            ["files/a"],
        ),
        ({"contents": {"parts": {"file_data": {"file_uri": "files/a"}}}}, ["files/a"]),
        ({"batch": {"inputConfig": {"fileName": "files/a"}}}, ["files/a"]),
        ({"previous_interaction_id": "v1_1"}, ["interactions/v1_1"]),
        ({"input": [{"type": "image", "uri": "https://g/v1/files/a"}]}, ["files/a"]),
        ({"contents": [{"parts": [{"text": "files/a"}]}]}, []),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "https://youtu.be/files"}}]}]}, []),
    ],
)
def test_a_name_may_stand_in_the_body(document: Any, names: list[str]) -> None:
    assert names_in(request("/v1/models/m:generateContent", document)) == names


def test_a_token_is_found_in_either_spelling() -> None:
    assert tokens_in(request("/", {"continuationToken": "a"})) == ["a"]
    assert tokens_in(request("/", {"continuation_token": "a"})) == ["a"]
