"""What a request for an interaction asks for, and from where its stream is read on."""

from urllib.parse import quote, unquote

import attrs
import msgspec

_OF_THE_STREAM = frozenset({"stream", "last_event_id", "lastEventId"})


class _Created(msgspec.Struct):
    store: bool | None = None
    continuation_token: str | None = None
    model: str | None = None
    agent: str | None = None


@attrs.frozen
class Origin:
    """What the client asked for: an interaction to be created, or one to be read on.

    ``keeps`` says that the interaction is stored, as far as is known. ``again`` says that the
    request may be made again when it never arrived. ``token`` says that it goes on with a long
    decode. ``name`` is the model or the agent.
    """

    creates: bool
    interaction_id: str | None = None
    last_event_id: str | None = None
    keeps: bool = True
    again: bool = True
    token: bool = False
    name: str = ""

    @classmethod
    def of_body(cls, body: bytes) -> "Origin":
        """Return what the body of a creation asks for; Google judges what is wrong with it."""
        try:
            asked = msgspec.json.decode(body, type=_Created)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            asked = _Created()
        return cls(
            creates=True,
            keeps=asked.store is not False,
            token=bool(asked.continuation_token),
            name=asked.model or asked.agent or "",
        )


@attrs.frozen
class Point:
    """From where an interaction is read on: behind an event, or from its beginning."""

    interaction_id: str
    last_event_id: str | None = None


def target_from(raw_target: str, point: Point, *, created: bool) -> str:
    """Return the target that reads an interaction on from ``point``.

    ``raw_target`` is the client's own: that of the collection where the interaction was
    ``created``, else that of the interaction. What else its query says is kept.
    """
    path, _, query = raw_target.partition("?")
    if created:
        path = f"{path.rstrip('/')}/{quote(point.interaction_id, safe='')}"
    pairs = [pair for pair in query.split("&") if pair and _name(pair) not in _OF_THE_STREAM]
    pairs.append("stream=true")
    if point.last_event_id is not None:
        pairs.append(f"last_event_id={quote(point.last_event_id, safe='')}")
    return f"{path}?{'&'.join(pairs)}"


def _name(pair: str) -> str:
    return unquote(pair.partition("=")[0])
