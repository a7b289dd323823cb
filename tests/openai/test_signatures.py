"""Signatures that clients send back."""

import pytest

from gemproxy.openai.signatures import PLACEHOLDER, signature_of, usable


@pytest.mark.parametrize("name", ["thought_signature", "thoughtSignature"])
def test_a_signature_is_read_in_both_spellings(name: str) -> None:
    assert signature_of({"extra_content": {"google": {name: "UzE="}}}) == "UzE="


@pytest.mark.parametrize(
    "extra",
    [
        None,
        "x",
        {"google": []},
        {"google": {"thought_signature": 7}},
        {"google": {"thought_signature": ""}},
        {"google": {"thought_signature": "no base64!"}},
        {"other": {"thought_signature": "UzE="}},
    ],
)
def test_what_is_no_signature_is_none(extra: object) -> None:
    assert signature_of({"extra_content": extra}) is None


def test_the_placeholder_can_be_sent_back() -> None:
    assert usable(PLACEHOLDER) == PLACEHOLDER
    assert usable(None) is None
