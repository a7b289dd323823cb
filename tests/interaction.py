"""Events of an interaction as Google writes them."""

import json
from typing import Any

from gemproxy.core.interactions.event import EventReceived, read
from gemproxy.core.wire.frame import Frame


def raw(kind: str, event_id: str | None = None, eol: str = "\n", **fields: Any) -> bytes:
    """Return one event as Google writes it."""
    event = {**fields, "event_type": kind, **({"event_id": event_id} if event_id else {})}
    return f"event: {kind}{eol}data: {json.dumps(event)}{eol}{eol}".encode()


def came(event: bytes) -> EventReceived:
    data = event.partition(b"data: ")[2].rstrip()
    return EventReceived(Frame(event, data), read(data))


def text(words: str, event_id: str | None = None) -> bytes:
    return raw("step.delta", event_id, index=0, delta={"type": "text", "text": words})


def status(word: str = "in_progress", **more: str) -> bytes:
    return raw("interaction.status_update", interaction_id="v1_a", status=word, **more)


CREATED = raw("interaction.created", interaction={"id": "v1_a", "status": "in_progress"})
START = raw("step.start", index=0, step={"type": "model_output"})
ONE, TWO, THREE = text("one ", "e1"), text("two ", "e2"), text("three", "e3")
COMPLETED = raw("interaction.completed", interaction={"id": "v1_a", "status": "completed"})
END = b"event: done\ndata: [DONE]\n\n"
WHOLE = [CREATED, START, ONE, TWO, THREE, COMPLETED, END]
