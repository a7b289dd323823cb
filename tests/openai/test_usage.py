"""The usage in OpenAI's form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.openai import usage
from gemproxy.openai.asked import Telling
from tests.openai.reader import Reader, check_usage
from tests.openai.told import STOP, collected, streamed, text

Json = dict[str, Any]

ASKING = Telling("boat", include_usage=True)
RUNNING = [
    {
        "usageMetadata": {
            "promptTokenCount": 1200,
            "cachedContentTokenCount": 1000,
            "totalTokenCount": 1210,
            "thoughtsTokenCount": 10,
        },
        "candidates": [{"content": {"parts": [{"text": "t", "thought": True}]}}],
    },
    {
        "usageMetadata": {
            "promptTokenCount": 1200,
            "cachedContentTokenCount": 1000,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 60,
            "toolUsePromptTokenCount": 300,
            "totalTokenCount": 1580,
        },
        "candidates": [{"content": {"parts": [{"text": "a"}]}}],
    },
    {
        "usageMetadata": {
            "promptTokenCount": 1200,
            "cachedContentTokenCount": 1000,
            "candidatesTokenCount": 40,
            "thoughtsTokenCount": 60,
            "toolUsePromptTokenCount": 300,
            "totalTokenCount": 1600,
        },
        "candidates": [{"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"}],
    },
]
WHOLE = {
    "prompt_tokens": 1500,
    "completion_tokens": 100,
    "total_tokens": 1600,
    "prompt_tokens_details": {"cached_tokens": 1000, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 60, "audio_tokens": 0},
}


def test_running_totals_become_one_usage_at_the_end() -> None:
    reader = Reader.of(streamed(RUNNING, ASKING), usage=True)
    assert reader.usage == WHOLE
    assert all(chunk["usage"] is None for chunk in reader.chunks[:-1])
    assert collected(RUNNING)["usage"] == WHOLE


@pytest.mark.parametrize("where", [0, 1, 2])
def test_the_usage_may_come_in_any_frame(where: int) -> None:
    frames = [text("a"), text("b"), STOP]
    frames[where] = {**frames[where], "usageMetadata": RUNNING[2]["usageMetadata"]}
    assert Reader.of(streamed(frames, ASKING), usage=True).usage == WHOLE


@pytest.mark.parametrize("last", [{}, None])
def test_an_empty_usage_does_not_hide_the_one_before(last: object) -> None:
    frames: list[Json] = [*RUNNING, {"usageMetadata": last}]
    assert Reader.of(streamed(frames, ASKING), usage=True).usage == WHOLE


def test_sound_and_what_came_from_the_cache_are_told_apart() -> None:
    counts = {
        "promptTokenCount": 100,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 40},
            {"modality": "AUDIO", "tokenCount": 60},
        ],
        "candidatesTokenCount": 30,
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
        "cachedContentTokenCount": 10,
    }
    told = usage.told([counts])
    assert told["prompt_tokens_details"] == {"cached_tokens": 10, "audio_tokens": 60}
    assert told["completion_tokens_details"] == {"reasoning_tokens": 0, "audio_tokens": 30}


def test_no_usage_is_nothing_used() -> None:
    told = usage.told([{}])
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (0, 0, 0)


def test_several_answers_add_up() -> None:
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    told = usage.told([counts] * 3)
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (15, 6, 21)


COUNTS = st.one_of(st.integers(-5, 10_000), st.none(), st.text(max_size=3), st.booleans())
USAGES = st.dictionaries(
    st.sampled_from(
        [
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "toolUsePromptTokenCount",
            "cachedContentTokenCount",
            "totalTokenCount",
            "promptTokensDetails",
        ]
    ),
    COUNTS,
)


@given(st.lists(USAGES, min_size=1, max_size=3))
def test_any_usage_adds_up(counts: list[Json]) -> None:
    check_usage(usage.told(counts))


@pytest.mark.parametrize(
    ("native", "told"),
    [
        ("STANDARD", "default"),
        ("flex", "flex"),
        ("PRIORITY", "priority"),
        ("x", None),
        (None, None),
    ],
)
def test_the_tier_has_openais_name(native: object, told: str | None) -> None:
    assert usage.tier({"serviceTier": native}) == told
