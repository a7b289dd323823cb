"""Which error answers are told again, and which pass byte for byte."""

import gzip
import json
from typing import Any

import pytest
from multidict import CIMultiDict

from gemproxy.relay.pages import Refusal, is_of_gemini, may_be_unreadable, readable
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice

HTML = {"Content-Type": "text/html", "Content-Length": "9", "Retry-After": "7"}
JSON = {"Content-Type": "application/json"}
PAGE = b"<html>502 Bad Gateway</html>"
GOOGLES = b'{"error": {"code": 502, "message": "m", "status": "UNAVAILABLE"}}\n'


def refusal(body: bytes, headers: dict[str, str] | None = None, status: int = 502) -> Refusal:
    return Refusal(status, CIMultiDict(HTML if headers is None else headers), body)


@pytest.mark.parametrize(
    ("came", "array"),
    [
        (refusal(PAGE), False),
        (refusal(PAGE), True),
        (refusal(b"upstream connect error", {"Content-Type": "text/plain"}), False),
        (refusal(b"no healthy upstream", {}), False),
        (refusal(PAGE, JSON), False),
        (refusal(gzip.compress(PAGE), {**HTML, "Content-Encoding": "gzip"}), True),
        (refusal(b"\xff\xfe", HTML), False),
        (refusal(b"[" * 100_000, HTML), False),
        (refusal(b"null", {"Content-Type": "text/plain"}), False),
        (refusal(b"502", {}), False),
        (refusal(b'"upstream request timeout"', JSON), True),
    ],
)
def test_what_is_no_document_is_told_again_as_google_tells_errors(
    came: Refusal, array: bool
) -> None:
    told = readable(came, "abc-1", ArrayVoice() if array else EventVoice())

    document: Any = json.loads(told.body)
    error = (document[0] if array else document)["error"]
    assert (told.status, error["code"], error["status"]) == (502, 502, "UNAVAILABLE")
    assert error["details"][0]["requestId"] == "abc-1"
    assert told.headers["Content-Type"].startswith("application/json")
    assert not {"Content-Length", "Content-Encoding"} & set(told.headers)
    assert told.headers.get("Retry-After") == came.headers.get("Retry-After")
    assert b"html" not in told.body


@pytest.mark.parametrize(
    "came",
    [
        refusal(GOOGLES, JSON),
        refusal(b"[" + GOOGLES + b"]", JSON),
        refusal(b'{"message": "of a gateway"}', JSON),
        refusal(GOOGLES, HTML),
        refusal(gzip.compress(GOOGLES), {**JSON, "Content-Encoding": "gzip"}),
        refusal(b"\x8b not to be unpacked here", {**JSON, "Content-Encoding": "br"}),
        refusal(b"", HTML),
        refusal(PAGE, HTML, status=302),
        refusal(PAGE, HTML, status=200),
    ],
)
def test_everything_else_passes_byte_for_byte(came: Refusal) -> None:
    assert readable(came, "abc-1", EventVoice()) is came


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/v1beta/models/gemini:generateContent", True),
        ("/v1beta/models", True),
        ("/gate/v1alpha/tunedModels/x:countTokens", True),
        ("/v1/cachedContents", True),
        ("/upload/v1beta/files", True),
        ("/v1beta/fileSearchStores/s/documents/d", True),
        ("/v1beta/models/m/operations/o", True),
        ("/v1beta/interactions/i", True),
        ("/v1beta1/projects/p/locations/l/endpoints/7:generateContent", True),
        ("/v1beta/openai/chat/completions", False),
        ("/v1beta/openai/models/m", False),
        ("/v1beta/modelsandmore", False),
        ("/chat/completions", False),
        ("/models/x", False),
    ],
)
def test_the_resources_of_gemini_are_known_by_their_path(path: str, known: bool) -> None:
    assert is_of_gemini(path) is known


@pytest.mark.parametrize(
    ("status", "headers", "maybe"),
    [
        (502, HTML, True),
        (404, {}, True),
        (502, JSON, False),
        (200, HTML, False),
        (302, HTML, False),
    ],
)
def test_the_head_tells_what_has_to_be_looked_at(
    status: int, headers: dict[str, str], maybe: bool
) -> None:
    assert may_be_unreadable(status, CIMultiDict(headers)) is maybe
