"""Usage in every dialect, told as Gemini's."""

import json
from typing import Any

import pytest

from gemproxy.core.answer.counted import counted, counted_in
from gemproxy.core.answer.usage import Billed

GEMINI = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "cachedContentTokenCount": 4,
    "totalTokenCount": 17,
}
COST = Billed(10, 5, 2, 17, 4)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (GEMINI, COST),
        ({"promptTokenCount": 10, "responseTokenCount": 5}, Billed(10, 5, 0, 15)),
        (
            {"promptTokenCount": 10, "serviceTier": "PRIORITY"},
            Billed(10, total=10, tier="priority"),
        ),
        (
            {
                "promptTokenCount": 10,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 3},
                    {"modality": "AUDIO", "tokenCount": 5},
                    {"modality": "IMAGE", "tokenCount": 99},
                ],
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}],
                "cachedContentTokenCount": 4,
            },
            Billed(10, total=10, cached=4, audio=5, images=2, cached_audio=4),
        ),
        (
            {
                "promptTokenCount": 9,
                "promptTokenDetails": [{"modality": "IMAGE", "tokenCount": 9}],
            },
            Billed(9, total=9, images=9),
        ),
        (
            {
                "promptTokenCount": 1,
                "candidatesTokenCount": 1300,
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
            },
            Billed(1, 1300, 0, 1301, image_output=1290),
        ),
        (
            {
                "total_input_tokens": 10,
                "total_tool_use_tokens": 3,
                "total_output_tokens": 5,
                "total_thought_tokens": 2,
                "total_cached_tokens": 4,
                "output_tokens_by_modality": [{"modality": "image", "tokens": 5}],
            },
            Billed(13, 5, 2, 20, 4, image_output=5),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 17}, Billed(10, 5, 2, 17)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 7,
                "total_tokens": 17,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            COST,
        ),
        (
            {
                "input_tokens": 10,
                "output_tokens": 7,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 17,
            },
            COST,
        ),
        ({"prompt_tokens": 1, "total_tokens": 1}, Billed(1, total=1)),
        ({}, None),
        ({"shared": 1}, None),
    ],
)
def test_each_dialect_tells_a_cost(usage: dict[str, Any], cost: Billed | None) -> None:
    assert counted(usage) == cost


@pytest.mark.parametrize(
    "document",
    [
        {"candidates": [], "usageMetadata": GEMINI},
        [{"usageMetadata": {"promptTokenCount": 1}}, {"usageMetadata": GEMINI}, {}],
        {"event_type": "x", "interaction": {"usage": GEMINI}},
        {"type": "response.completed", "response": {"usage": GEMINI}},
        {"choices": [], "usage": GEMINI, "response": "word"},
    ],
)
def test_a_cost_is_found_where_its_dialect_has_it(document: object) -> None:
    assert counted_in(json.dumps(document).encode()) == COST


@pytest.mark.parametrize("document", [b"", b"[]", b"null", b"{", b"7", b'{"usage":7}', b"\xff"])
def test_no_cost_is_told_by_anything_else(document: bytes) -> None:
    assert counted_in(document) is None


def test_content_tells_no_cost() -> None:
    said = {"choices": [{"message": {"usage": GEMINI}}], "steps": [{"usage": GEMINI}]}

    assert counted_in(json.dumps(said).encode()) is None
