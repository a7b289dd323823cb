"""The probabilities of tokens, cut together with the text of their frame.

``logprobsResult`` of a candidate (Gemini API reference) lists the chosen token of each step and, in
a second list of the same length, the most likely ones. If a frame of a resumed attempt loses text
that the client already has, it also loses the tokens of that text. This is exact only if the tokens
spell the text and one of them begins at the cut; otherwise the frame loses all of them.
"""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_CHOSEN, _LIKELIEST = "chosenCandidates", "topCandidates"


def cut(result: object, texts: tuple[str, ...], kept: str) -> Json | None:
    """Return a logprobsResult without the tokens of the text that was cut, or None.

    ``texts`` are the texts that the tokens may spell, with thoughts and without. ``kept`` is the
    end of the text that is left.
    """
    if not isinstance(result, dict) or not kept:
        return None
    tokens = [_token(chosen) for chosen in _list(result, _CHOSEN)]
    spelt = "".join(tokens)
    if spelt == kept:
        return result
    if spelt not in texts or not spelt.endswith(kept):
        return None
    first = _token_at(tokens, len(spelt) - len(kept))
    if first is None or len(_list(result, _LIKELIEST)) not in (0, len(tokens)):
        return None
    likeliest = _list(result, _LIKELIEST)[first:]
    shown = {_CHOSEN: _list(result, _CHOSEN)[first:]}
    return {_LIKELIEST: likeliest, **shown} if likeliest else shown


def _token_at(tokens: list[str], offset: int) -> int | None:
    """Return the index of the token that begins at this character, or None."""
    for index, token in enumerate(tokens):
        if offset <= 0:
            return index if offset == 0 else None
        offset -= len(token)
    return None


def _token(chosen: object) -> str:
    token = chosen.get("token") if isinstance(chosen, dict) else None
    return token if isinstance(token, str) else ""


def _list(result: Mapping[str, Any], name: str) -> list[Any]:
    value = result.get(name)
    return value if isinstance(value, list) else []
