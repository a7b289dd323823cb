"""The fake Interactions API: what is created is told, told again, refused, cancelled, deleted."""

import json
from typing import Any

import attrs
import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.api import Refused
from gemproxy.chaos.delivery import Close, Send
from gemproxy.chaos.faults import Fault, Kind, byte, event
from gemproxy.chaos.interactions import Interactions
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.chaos.wire import Request
from tests.chaos.client import ask, dechunked

ANSWER = Answer("The lamp is never left alone.", thoughts="Hm.", chunk=(5, 9))
COLLECTION = "/gate/v1beta/interactions"
INPUT = {"model": "m", "input": "Hello"}
STREAM = {**INPUT, "stream": True}


def interactions(*faults: Fault | None, **more: Any) -> Interactions:
    return attrs.evolve(Interactions(lambda _: Script(ANSWER, faults)), **more)


@attrs.frozen
class Said:
    """One response, and how the connection ends behind it."""

    head: str
    body: bytes
    close: Close

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        blocks = self.body.decode().strip().split("\n\n")
        return [json.loads(block.partition("data: ")[2]) for block in blocks[:-1]]


def said(
    api: Interactions, method: str, target: str, document: object = None, key: str = "test-key"
) -> Said:
    headers = (("host", "chaos:1"), *((("x-goog-api-key", key),) if key else ()))
    body = b"" if document is None else json.dumps(document).encode()
    steps = api.answer(Request(method, target, "HTTP/1.1", headers, body))
    assert steps is not None
    *sends, close = steps
    assert isinstance(close, Close)
    raw = b"".join(send.data for send in sends if isinstance(send, Send))
    head, _, rest = raw.partition(b"\r\n\r\n")
    chunked = b"Transfer-Encoding: chunked" in head
    return Said(head.decode(), dechunked(rest) if chunked else rest, close)


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(e["delta"].get("text", "") for e in events if e["event_type"] == "step.delta")


def test_a_stream_tells_the_answer_in_steps() -> None:
    reply = said(interactions(), "POST", COLLECTION, STREAM)

    kinds = [e["event_type"] for e in reply.events]
    assert kinds[:3] == ["interaction.created", "interaction.status_update", "step.start"]
    assert kinds[-2:] == ["step.stop", "interaction.completed"]
    assert kinds.count("step.start") == 2
    assert text_of(reply.events) == ANSWER.text
    assert reply.body.endswith(b"event: done\ndata: [DONE]\n\n")
    assert reply.events[0]["interaction"]["id"] == "v1_m_1"
    assert [e["event_id"] for e in reply.events] == [f"event-{n + 1}" for n in range(len(kinds))]


def test_without_stream_it_is_one_resource() -> None:
    api = interactions(Fault(Kind.FIN, byte(3)))

    made = said(api, "POST", COLLECTION, INPUT).document
    again = said(api, "GET", f"{COLLECTION}/v1_m_1").document

    assert made == again
    assert made["status"] == "completed"
    assert made["steps"][0]["content"][0]["text"] == ANSWER.text


def test_a_stream_is_told_again_from_any_event_on() -> None:
    api = interactions()
    whole = said(api, "POST", COLLECTION, STREAM).events

    target = f"{COLLECTION}/v1_m_1?stream=true"
    assert said(api, "GET", target).events == whole
    assert said(api, "GET", f"{target}&last_event_id=event-4").events == whole[4:]


def test_it_can_be_told_from_earlier_on() -> None:
    api = interactions(overlap=1)
    whole = said(api, "POST", COLLECTION, STREAM).events

    target = f"{COLLECTION}/v1_m_1?stream=true&last_event_id=event-4"
    assert said(api, "GET", target).events == whole[3:]


@pytest.mark.parametrize(("every", "ids"), [(0, 0), (3, 3)])
def test_events_need_not_all_have_ids(every: int, ids: int) -> None:
    events = said(interactions(ids_every=every), "POST", COLLECTION, STREAM).events

    assert sum("event_id" in e for e in events) >= ids
    assert all(("event_id" in e) is (every > 0 and n % every == 0) for n, e in enumerate(events, 1))


def test_what_is_not_stored_is_told_once() -> None:
    api = interactions()
    assert said(api, "POST", COLLECTION, {**STREAM, "store": False}).status == 200

    with pytest.raises(Refused) as refused:
        said(api, "GET", f"{COLLECTION}/v1_m_1?stream=true")
    assert refused.value.status == 404


def test_what_is_deleted_is_gone() -> None:
    api = interactions()
    said(api, "POST", COLLECTION, STREAM)

    assert said(api, "DELETE", f"{COLLECTION}/v1_m_1").document == {}
    assert api.stored == {}


def test_only_what_runs_in_the_background_can_be_cancelled() -> None:
    api = interactions()
    said(api, "POST", COLLECTION, {**INPUT, "background": True})
    said(api, "POST", COLLECTION, INPUT)

    cancelled = said(api, "POST", f"{COLLECTION}/v1_m_1/cancel", {})
    assert cancelled.document["status"] == "cancelled"
    with pytest.raises(Refused):
        said(api, "POST", f"{COLLECTION}/v1_m_2/cancel", {})


def test_faults_break_one_telling_after_another() -> None:
    api = interactions(Fault(Kind.FIN, byte(10)), None, Fault(Kind.RST, byte(20)))
    target = f"{COLLECTION}/v1_m_1?stream=true"

    first = said(api, "POST", COLLECTION, STREAM)
    assert (first.body, first.close) == (b"event: int", Close.FIN)
    assert said(api, "GET", target).close is Close.KEEP
    assert said(api, "GET", target).close is Close.RST


def test_a_telling_can_be_refused() -> None:
    api = interactions(
        Fault(Kind.STATUS, code=429, headers=(("Retry-After", "3"),)), Fault(Kind.REFUSE_CONNECT)
    )

    refused = said(api, "POST", COLLECTION, STREAM)
    assert refused.status == 429
    assert "Retry-After: 3" in refused.head
    target = f"{COLLECTION}/v1_m_1?stream=true"
    steps = api.answer(Request("GET", target, "HTTP/1.1", (("x-goog-api-key", "test-key"),), b""))
    assert steps == (Close.RST,)


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        (Kind.ERROR_FRAME, b'"code":"unavailable"'),
        (Kind.RAW_ERROR, b'"code": 503'),
        (Kind.GARBAGE, b"data: [DONE]"),
    ],
)
def test_an_error_can_stand_in_the_stream(kind: Kind, last: bytes) -> None:
    reply = said(interactions(Fault(kind, event(3))), "POST", COLLECTION, STREAM)

    assert reply.body.count(b'"event_id":"event-3"') == 1
    assert last in reply.body[-200:]
    assert (b'"event_id":"event-4"' in reply.body) is (kind is Kind.GARBAGE)
    assert reply.close is Close.KEEP


@pytest.mark.parametrize(
    ("method", "target", "document", "status"),
    [
        ("POST", COLLECTION, {"model": "m"}, 400),
        ("GET", COLLECTION, None, 400),
        ("GET", f"{COLLECTION}/unknown", None, 404),
    ],
)
def test_bad_requests_are_refused(method: str, target: str, document: object, status: int) -> None:
    with pytest.raises(Refused) as refused:
        said(interactions(), method, target, document)
    assert refused.value.status == status


def test_an_event_that_never_was_is_a_violation() -> None:
    api = interactions()
    said(api, "POST", COLLECTION, STREAM)

    with pytest.raises(Refused) as refused:
        said(api, "GET", f"{COLLECTION}/v1_m_1?stream=true&last_event_id=x")
    assert refused.value.violation


def test_a_key_is_needed_and_a_script() -> None:
    with pytest.raises(Refused) as refused:
        said(interactions(), "POST", COLLECTION, STREAM, key="")
    assert refused.value.status == 403
    with pytest.raises(Refused) as refused:
        said(Interactions(lambda _: None), "POST", COLLECTION, STREAM)
    assert refused.value.status == 404


def test_other_paths_are_none_of_it() -> None:
    request = Request("GET", "/v1/models", "HTTP/1.1", (), b"")
    assert interactions().answer(request) is None


async def test_the_server_speaks_it() -> None:
    async with ChaosServer(Script(ANSWER)) as server:
        seen = await ask(server.url, STREAM, target="/v1/interactions")

        assert seen.status == 200
        assert seen.terminated
        assert seen.body.endswith(b"data: [DONE]\n\n")
        assert list(server.interactions.stored) == ["v1_m_1"]
        assert server.attempts == []
