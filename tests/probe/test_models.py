"""Which models are chosen from a list."""

from typing import Any

from gemproxy.probe.models import bare, newest_flash


def entry(name: str, *methods: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "supportedGenerationMethods": [*(methods or ("generateContent", "countTokens"))],
    }


def test_the_three_newest_flash_models_are_chosen_newest_first() -> None:
    listed = ["gemini-2.5-flash", "gemini-3.10-flash", "gemini-3.9-flash", "gemini-4-flash"]

    assert newest_flash(map(entry, listed)) == [
        "gemini-4-flash",
        "gemini-3.10-flash",
        "gemini-3.9-flash",
    ]


def test_a_full_model_comes_before_the_lite_one_of_its_version() -> None:
    listed = ["gemini-3.8-flash-lite", "gemini-3.8-flash", "gemini-3.7-flash"]

    assert newest_flash(map(entry, listed)) == [
        "gemini-3.8-flash",
        "gemini-3.8-flash-lite",
        "gemini-3.7-flash",
    ]


def test_a_preview_is_chosen_only_where_there_is_no_release() -> None:
    listed = ["gemini-3-flash-preview-09-2026", "gemini-3-flash", "gemini-5-flash-preview"]

    assert newest_flash(map(entry, listed)) == ["gemini-5-flash-preview", "gemini-3-flash"]


def test_other_kinds_of_model_are_left_out() -> None:
    listed = [
        "gemini-3.8-flash-tts",
        "gemini-3.1-flash-image",
        "gemini-3.1-flash-live",
        "gemini-flash-latest",
        "gemini-2.5-pro",
        "gemma-4-31b-it",
    ]

    assert newest_flash(map(entry, listed)) == []


def test_a_model_that_does_not_generate_is_left_out() -> None:
    assert newest_flash([entry("gemini-9-flash", "embedContent"), {"name": 7}, {}]) == []


def test_a_name_may_come_with_its_collection() -> None:
    assert bare("models/gemini-9-flash") == bare("gemini-9-flash") == "gemini-9-flash"
