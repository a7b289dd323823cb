"""Names of models, as limits compare them."""

import pytest

from gemproxy.accounts.models import plain


@pytest.mark.parametrize(
    "name",
    [
        *("gemini-x", "models/gemini-x", "tunedModels/gemini-x", " gemini-x ", "Gemini-X"),
        *("gemini-x:generateContent", "models/gemini-x:streamGenerateContent"),
        *("gemini-x:predict", "publishers/google/models/gemini-x", "gemini-x:batchEmbedContents"),
        "projects/p/locations/l/publishers/google/models/gemini-x:countTokens",
    ],
)
def test_one_model_has_one_name(name: str) -> None:
    assert plain(name) == "gemini-x"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ""),
        ("gemini-x-001", "gemini-x-001"),
        ("gemini-x-latest", "gemini-x-latest"),
        ("models/gemini-x:thinking", "gemini-x:thinking"),
        ("google/gemini-x", "google/gemini-x"),
        ("endpoints/123", "123"),
    ],
)
def test_other_names_are_other_models(name: str, expected: str) -> None:
    assert plain(name) == expected
