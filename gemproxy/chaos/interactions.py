"""The Interactions API of the fake Gemini: streams with event ids that can be replayed.

    POST   /{version}/interactions               one JSON resource, or a stream
    GET    /{version}/interactions/{id}          the resource
    GET    /{version}/interactions/{id}?stream=true   all events, or those after last_event_id
    POST   /{version}/interactions/{id}/cancel   only one that runs in the background
    DELETE /{version}/interactions/{id}

The content comes from the script of the model or agent: its text, its thoughts, and its faults in
order, the first for the creation and one for each replay. They break the stream at any byte, refuse
the replay (``status:404``), or put an error into the stream. An interaction with ``store: false``
cannot be replayed.
"""

import json
import random
import re
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.api import Refused, check_credential, error_reply, json_reply
from gemproxy.chaos.delivery import Close, Reply, Step, Transfer, Wiring, deliver, offset
from gemproxy.chaos.faults import CUTS, Fault, Kind, error_of
from gemproxy.chaos.frames import Document, split, tokens
from gemproxy.chaos.framing import Framing, Style, pretty
from gemproxy.chaos.script import Script
from gemproxy.chaos.wire import Request

_ROUTE = re.compile(
    r"/v\d\w*/interactions(?:/(?P<id>[^/]+)(?P<verb>/cancel)?)?$",
)
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")
_CREATED = "2026-01-01T00:00:00Z"
_END_MARK = "[DONE]"


@attrs.define(eq=False)
class Interaction:
    """One interaction: the request, its events, and how often they were delivered."""

    id: str
    request: Document
    script: Script
    events: list[Document]
    status: str = "completed"
    deliveries: int = 0

    @property
    def resource(self) -> Document:
        """The API's resource; events of a stream contain it without its steps."""
        answer = self.script.answer
        usage = {"usage": _usage(self.request, answer)} if self.status == "completed" else {}
        return {**_brief(self.id, self.request, self.status), **usage, "steps": _steps(answer)}

    def next_fault(self) -> Fault | None:
        """Return the fault of this delivery, and count it."""
        self.deliveries += 1
        faults = self.script.faults
        return faults[self.deliveries - 1] if self.deliveries <= len(faults) else None


@attrs.define(eq=False)
class Interactions:
    """The interactions of one project, by id.

    ``ids_every`` gives an event_id to every so-many-th event, 0 to none. ``overlap`` repeats so
    many events before the point where a replay begins. ``line_end`` ends the lines. ``made`` counts
    the interactions of each model or agent.
    """

    scripts: Callable[[str], Script | None]
    seed: int = 0
    ids_every: int = 1
    overlap: int = 0
    line_end: str = "\n"
    stored: dict[str, Interaction] = attrs.field(factory=dict)
    made: dict[str, int] = attrs.field(factory=dict)

    def answer(self, request: Request) -> Iterable[Step] | None:
        """Return the steps for a request of this API, None for any other; raise Refused."""
        found = _ROUTE.search(request.path)
        if found is None:
            return None
        check_credential(request)
        if found["id"] is None:
            return self._create(request)
        interaction = self._find(found["id"])
        if found["verb"]:
            return _whole(json_reply(_cancelled(interaction)))
        if request.method == "DELETE":
            del self.stored[interaction.id]
            return _whole(json_reply({}))
        if request.query.get("stream") != "true":
            return _whole(json_reply(interaction.resource))
        return self._deliver(interaction, self._behind(interaction, request))

    def _find(self, interaction_id: str) -> Interaction:
        if interaction_id not in self.stored:
            raise Refused(404, "Requested entity was not found.")
        return self.stored[interaction_id]

    def _create(self, request: Request) -> Iterable[Step]:
        asked = request.document
        if request.method != "POST" or not ("input" in asked or "continuation_token" in asked):
            raise Refused(400, "The request has no input.", violation=True)
        name = str(asked.get("model") or asked.get("agent") or "")
        script = self.scripts(name)
        if script is None:
            raise Refused(404, f"There is no model or agent {name!r}.")
        number = self.made[name] = self.made.get(name, 0) + 1
        interaction_id = f"v1_{_UNSAFE.sub('-', name)}_{number}"
        events = self._numbered(_events(interaction_id, asked, script.answer, self.seed))
        interaction = Interaction(interaction_id, asked, script, events)
        if asked.get("store") is not False:
            self.stored[interaction_id] = interaction
        if asked.get("stream") is not True:
            return _whole(json_reply(interaction.resource))
        return self._deliver(interaction, events)

    def _numbered(self, events: list[Document]) -> list[Document]:
        """Give ids to some of the events."""
        every = self.ids_every
        return [
            {**event, "event_id": f"event-{number}"} if every and number % every == 0 else event
            for number, event in enumerate(events, start=1)
        ]

    def _behind(self, interaction: Interaction, request: Request) -> list[Document]:
        """Return the events that a request reads."""
        after = request.query.get("last_event_id")
        if after is None:
            return interaction.events
        ids = [event.get("event_id") for event in interaction.events]
        if after not in ids:
            raise Refused(400, f"There is no event {after}.", violation=True)
        return interaction.events[max(0, ids.index(after) + 1 - self.overlap) :]

    def _deliver(self, interaction: Interaction, events: list[Document]) -> Iterable[Step]:
        fault = interaction.next_fault()
        if fault is not None and fault.kind is Kind.REFUSE_CONNECT:
            return (Close.RST,)
        if fault is not None and fault.kind is Kind.STATUS:
            error = error_reply(fault.code, "As told.", Framing(Style.UNARY))
            return _whole(attrs.evolve(error, headers=(*error.headers, *fault.headers)))
        pieces = [self._framed(str(e["event_type"]), _compact(e)) for e in events]
        pieces.append(self._framed("done", _END_MARK))
        reply = Reply(200, (("Content-Type", "text/event-stream"),), tuple(pieces))
        if fault is not None and fault.kind in _INSERTED:
            reply = attrs.evolve(reply, pieces=self._broken(pieces, fault))
        in_bytes = fault is not None and (fault.kind in CUTS or fault.kind is Kind.DRIP)
        return deliver(reply, fault if in_bytes else None, interaction.script.wiring)

    def _framed(self, name: str, data: str) -> bytes:
        end = self.line_end
        return f"event: {name}{end}data: {data}{end}{end}".encode()

    def _broken(self, pieces: list[bytes], fault: Fault) -> tuple[bytes, ...]:
        """Return the pieces up to a fault, and the piece that replaces the rest."""
        cut = offset(fault.at, pieces)
        whole: list[bytes] = []
        while pieces and sum(map(len, whole)) < cut:
            whole.append(pieces.pop(0))
        error = error_of(fault)["error"]
        if fault.kind is Kind.RAW_ERROR:
            return (*whole, pretty([{"error": error}]).encode())
        if fault.kind is Kind.GARBAGE:
            return (*whole, self._framed("step.delta", '{"index": 0, "delta"'), *pieces)
        word = str(error["status"]).lower()
        event = {"error": {"code": word, "message": error["message"]}, "event_type": "error"}
        return (*whole, self._framed("error", _compact(event)))


_INSERTED = frozenset({Kind.ERROR_FRAME, Kind.RAW_ERROR, Kind.GARBAGE})


def _events(interaction_id: str, asked: Document, answer: Answer, seed: int) -> list[Document]:
    """Return the events of an answer, without ids."""
    rng = random.Random(seed)
    running = _brief(interaction_id, asked, "in_progress")
    events: list[Document] = [
        {"interaction": running, "event_type": "interaction.created"},
        {
            "interaction_id": interaction_id,
            "status": "in_progress",
            "event_type": "interaction.status_update",
        },
    ]
    steps = [("thought", answer.thoughts), ("model_output", answer.text)]
    for index, (kind, text) in enumerate(step for step in steps if step[1]):
        events.append({"index": index, "step": {"type": kind}, "event_type": "step.start"})
        for piece in split(text, answer.chunk, rng):
            delta = {"index": index, "delta": _delta(kind, piece), "event_type": "step.delta"}
            events.append(delta)
        events.append({"index": index, "event_type": "step.stop"})
    completed = {**_brief(interaction_id, asked, "completed"), "usage": _usage(asked, answer)}
    return [*events, {"interaction": completed, "event_type": "interaction.completed"}]


def _delta(kind: str, text: str) -> Document:
    if kind == "thought":
        return {"content": {"text": text, "type": "text"}, "type": "thought_summary"}
    return {"text": text, "type": "text"}


def _brief(interaction_id: str, asked: Document, status: str) -> Document:
    named: Document = {key: asked[key] for key in ("model", "agent") if key in asked}
    return {
        "id": interaction_id,
        "status": status,
        "object": "interaction",
        **named,
        "created": _CREATED,
        "updated": _CREATED,
    }


def _steps(answer: Answer) -> list[Document]:
    text = {"type": "text", "text": answer.text}
    return [{"type": "model_output", "content": [text]}]


def _usage(asked: Document, answer: Answer) -> Document:
    prompt, output = tokens(len(str(asked.get("input", "")))), tokens(len(answer.text))
    return {
        "total_input_tokens": prompt,
        "total_output_tokens": output,
        "total_tokens": prompt + output,
    }


def _cancelled(interaction: Interaction) -> dict[str, Any]:
    if interaction.request.get("background") is not True:
        raise Refused(400, "Only background interactions can be cancelled.")
    interaction.status = "cancelled"
    return interaction.resource


def _whole(reply: Reply) -> Iterable[Step]:
    return deliver(reply, None, Wiring(Transfer.LENGTH))


def _compact(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
