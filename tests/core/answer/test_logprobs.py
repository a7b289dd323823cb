"""The tokens of a frame lose what its text loses, or the frame has none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.logprobs import cut

Json = dict[str, Any]


def result(*tokens: str, top: bool = True) -> Json:
    chosen = [{"token": t, "tokenId": n, "logProbability": -0.5} for n, t in enumerate(tokens)]
    likeliest = [{"candidates": [one, {"token": "x"}]} for one in chosen]
    return (
        {"topCandidates": likeliest, "chosenCandidates": chosen}
        if top
        else {"chosenCandidates": chosen}
    )


def tokens_of(shown: Json | None) -> list[str] | None:
    return None if shown is None else [one["token"] for one in shown["chosenCandidates"]]


@given(st.lists(st.text(max_size=4), max_size=8), st.integers(0, 8), st.booleans())
def test_a_cut_between_two_tokens_is_exact(tokens: list[str], at: int, top: bool) -> None:
    whole, kept = "".join(tokens), "".join(tokens[at:])

    shown = cut(result(*tokens, top=top), (whole,), kept)

    if not kept:
        assert shown is None
        return
    assert shown is not None
    assert "".join(tokens_of(shown) or []) == kept
    if top:
        assert [one["candidates"][0] for one in shown["topCandidates"]] == shown["chosenCandidates"]


@pytest.mark.parametrize(
    ("given", "texts", "kept"),
    [
        (result("Once", " upon"), ("Once upon",), "e upon"),
        (result("Once", " a"), ("Once upon",), " upon"),
        (result("Once", " upon"), ("Once upon",), ""),
        ({**result("Once", " upon"), "topCandidates": [1]}, ("Once upon",), " upon"),
        ({"topCandidates": []}, ("Once upon",), " upon"),
        ({"chosenCandidates": [None, {"token": 3}]}, ("Once upon",), " upon"),
        ({"chosenCandidates": "x"}, ("Once upon",), " upon"),
        (None, ("Once upon",), " upon"),
        ([], ("Once upon",), " upon"),
    ],
    ids=[
        "inside a token",
        "other text",
        "nothing left",
        "lists of two lengths",
        "nothing chosen",
        "no tokens",
        "no list",
        "null",
        "no object",
    ],
)
def test_what_cannot_be_cut_exactly_is_left_out(
    given: object, texts: tuple[str, ...], kept: str
) -> None:
    assert cut(given, texts, kept) is None


def test_tokens_that_spell_what_is_left_stay() -> None:
    assert cut(result(" upon"), ("hm Once upon", "Once upon"), " upon") == result(" upon")


def test_tokens_may_spell_thoughts_too() -> None:
    shown = cut(result("hm", "Once", " upon"), ("hmOnce upon", "Once upon"), "Once upon")

    assert tokens_of(shown) == ["Once", " upon"]
