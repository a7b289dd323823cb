"""Recognise a request: a new turn, the same request again, or a continuation.

A client that repairs streams asks for the rest in one of these forms; T is the text it has:

    USER_TURN  the conversation, then {model: T}, then {user: a notice}
    PREFILL    the conversation, then {model: T}
    QUOTED     the conversation, then {user: a notice that quotes T}
    TOKEN      the same request, with the API's own ``continuationToken``

If the conversation itself ends with a model turn, T may be further parts of that turn. Any other
longer conversation is its next turn.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from gemproxy.core.repair.continuation import find_anchor, find_quote
from gemproxy.core.repair.request import look_up, turns

Turn = tuple[str, tuple[Mapping[str, Any], ...]]
"""Role and parts of a turn, in one spelling."""


class Relation(enum.Enum):
    """The relation of a request to the one that began the conversation's turn."""

    NEW_TURN = "new-turn"
    REPLAY = "replay"
    USER_TURN = "user-turn"
    PREFILL = "prefill"
    QUOTED = "quoted"
    TOKEN = "token"  # noqa: S105 - a form, no secret


CONTINUATIONS = frozenset({Relation.USER_TURN, Relation.PREFILL, Relation.QUOTED})


@attrs.frozen
class Asked:
    """The continuation that a request asks for.

    ``held`` is the client's text by the request, ``anchor`` the text to repeat, ``token`` the
    continuationToken.
    """

    form: Relation
    held: str = ""
    anchor: str | None = None
    token: object = None


def turns_of(document: Mapping[str, Any]) -> list[Turn]:
    """Return the turns of a request body, in one spelling."""
    return [
        (str(turn.get("role") or "user"), tuple(_parts(turn)))
        for turn in turns(document.get("contents"))
    ]


def texts_of(conversation: Iterable[Turn]) -> str:
    """Return all text of the turns, joined."""
    return "".join(_text(parts) for _, parts in conversation)


def first_user_text(conversation: Iterable[Turn]) -> str:
    """Return the text of the first user turn, which identifies the conversation."""
    return next((_text(parts) for role, parts in conversation if role == "user"), "")


def recognise(document: dict[str, Any], original: Sequence[Turn] | None) -> Asked:
    """Return the request's form and texts; ``original`` is the turn being answered."""
    token = look_up(document, "continuationToken")
    if token is not None:
        return Asked(Relation.TOKEN, token=token)
    if original is None:
        return Asked(Relation.NEW_TURN)
    conversation = turns_of(document)
    if conversation == list(original):
        return Asked(Relation.REPLAY)
    added = _added(conversation, original)
    return _what_was_added(added) if added else Asked(Relation.NEW_TURN)


def _added(conversation: Sequence[Turn], original: Sequence[Turn]) -> list[Turn] | None:
    """Return the turns after ``original``; parts added to its last turn count as a turn."""
    length = len(original)
    if list(conversation[:length]) == list(original):
        return list(conversation[length:])
    if not original or list(conversation[: length - 1]) != list(original[:-1]):
        return None
    (role, parts), (then_role, then_parts) = original[-1], conversation[length - 1]
    if role != then_role or role != "model" or then_parts[: len(parts)] != parts:
        return None
    return [("model", then_parts[len(parts) :]), *conversation[length:]]


def _what_was_added(added: Sequence[Turn]) -> Asked:
    if any("text" not in part for _, parts in added for part in parts):
        return Asked(Relation.NEW_TURN)
    last_role, last_parts = added[-1]
    notice = "" if last_role == "model" else _text(last_parts)
    anchor = find_anchor(notice)
    if all(role != "model" for role, _ in added):
        quote = find_quote(notice)
        return Asked(Relation.NEW_TURN) if quote is None else Asked(Relation.QUOTED, quote, anchor)
    held = texts_of(turn for turn in added if turn[0] == "model")
    return Asked(Relation.PREFILL if last_role == "model" else Relation.USER_TURN, held, anchor)


def _parts(turn: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = turn.get("parts")
    parts = parts if isinstance(parts, list) else [parts]
    return [part for part in parts if isinstance(part, dict)]


def _text(parts: Iterable[Mapping[str, Any]]) -> str:
    return "".join(str(part.get("text") or "") for part in parts if not part.get("thought"))
