"""A JSON answer that is cut again and again is brought forward by each attempt."""

import itertools
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.repair.continuation import find_anchor, find_quote
from gemproxy.core.repair.events import Cause, Ended, Fail, Finish, How, Opened, Resume, Turn
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.voices.sse import EventVoice
from tests.gemini import REQUEST, Json, chunk, documents, received, text_of
from tests.playbook import Said, seen

RECIPE: Json = {
    "name": "Soup of the day",
    "steps": ["Boil a litre of water.", "Peel four carrots.", "Cut them up.", "Wait."],
    "minutes": 35,
    "vegan": True,
    "notes": "Serve it hot \u2014 with bread.",
}
WHOLE = json.dumps(RECIPE, ensure_ascii=False)
SCHEMA = {"type": "OBJECT", "required": ["name", "steps", "notes"]}
CONFIG = {"responseMimeType": "application/json", "responseSchema": SCHEMA}
PLAIN = 0


@attrs.define
class Client:
    """One client's stream: attempts go in, and what it reads comes out."""

    machine: StreamMachine = attrs.field(
        factory=lambda: StreamMachine(
            StreamRequest(json.dumps({**REQUEST, "generationConfig": CONFIG}).encode()),
        )
    )
    voice: EventVoice = attrs.field(factory=EventVoice)
    raw: bytes = b""
    ending: object = None

    @property
    def text(self) -> str:
        return text_of(self.raw)

    def attempt(self, *texts: str, finish: str | None = None, usage: int | None = None) -> object:
        """Play an attempt that says ``texts``; return what its end leads to."""
        self.take(Opened())
        for number, text in enumerate(texts, 1):
            last = number == len(texts)
            counts = (10, usage) if usage is not None and last else None
            self.take(received(chunk(text, usage=counts, finish=finish if last else None)))
        self.take(Ended(How.EOF if finish else How.RESET))
        return self.ending

    def take(self, event: Any) -> None:
        actions = list(self.machine.receive(event))
        while self.machine.judging:
            actions += self.machine.receive(Turn())
        for one in seen(actions, self.voice):
            if isinstance(one, Said):
                self.raw += one.raw
            else:
                self.ending = one

    def anchor(self) -> str:
        """Return what the present attempt was asked to repeat."""
        notice = json.loads(self.machine.next_request)["contents"][-1]["parts"][0]["text"]
        return find_anchor(notice) or ""

    def asked_with(self) -> str:
        """Return the text that the present attempt was asked to go on from."""
        answer = json.loads(self.machine.next_request)["contents"][1]["parts"][0]["text"]
        return find_quote(answer) or str(answer)


def after(told: str, echo: int, end: int) -> str:
    """Return what an attempt says that repeats ``echo`` characters and goes on to ``end``."""
    return WHOLE[len(told) - echo : end]


@pytest.mark.parametrize("echo", [PLAIN, 40])
def test_what_waits_goes_out_before_an_attempt_that_ends_with_a_call(echo: int) -> None:
    client = Client()
    client.attempt(WHOLE[:60])
    client.attempt(after(WHOLE[:60], echo, 110))

    client.take(Opened())
    client.take(received(chunk(after(WHOLE[:110], echo, len(WHOLE)))))
    client.take(received(chunk(parts=[{"functionCall": {"name": "look"}}], finish="STOP")))
    client.take(Ended(How.EOF))

    assert isinstance(client.ending, Finish)
    assert client.text == WHOLE


def test_a_call_behind_a_large_document_is_held_until_the_end_judges_both_in_slices() -> None:
    whole = json.dumps([f"value {number} of a long list" for number in range(2000)])
    asked = {**REQUEST, "generationConfig": {"responseMimeType": "application/json"}}
    client = Client(StreamMachine(StreamRequest(json.dumps(asked).encode())))
    client.attempt(whole[:30_000])
    client.take(Opened())
    client.take(received(chunk(whole[29_950:])))
    client.take(received(chunk(parts=[{"functionCall": {"name": "look"}}], finish="STOP")))
    assert client.text == whole[:30_000]

    assert not client.machine.receive(Ended(How.EOF))
    assert client.machine.judging
    client.take(Turn())

    assert isinstance(client.ending, Finish)
    assert client.text == whole


def test_a_call_of_an_attempt_that_was_cut_is_asked_for_again() -> None:
    call = {"functionCall": {"name": "look"}}
    client = Client()
    client.attempt(WHOLE[:60])
    client.take(Opened())
    client.take(received(chunk(parts=[{"text": after(WHOLE[:60], 40, len(WHOLE))}, call])))
    client.take(Ended(How.RESET))

    client.take(Opened())
    client.take(received(chunk(parts=[{"text": after(WHOLE[:60], 40, len(WHOLE))}, call])))
    client.take(received(chunk("", finish="STOP")))
    client.take(Ended(How.EOF))

    assert isinstance(client.ending, Finish)
    assert client.text == WHOLE
    assert client.raw.count(b"functionCall") == 1


@pytest.mark.parametrize("echo", [PLAIN, 40, 60])
def test_six_cuts_of_one_document_are_progress(echo: int) -> None:
    client = Client()
    places = [60, 85, 110, 120, 135, 150]
    assert isinstance(client.attempt(WHOLE[:60]), Resume)
    for place, end in itertools.pairwise(places):
        before = client.machine.progress
        assert client.asked_with() == WHOLE[:place]
        assert isinstance(client.attempt(after(WHOLE[:place], echo, end)), Resume)
        assert client.machine.progress > before
        assert client.text == WHOLE[:60], "nothing goes out before the document is whole"

    assert isinstance(client.attempt(after(WHOLE[:150], echo, len(WHOLE)), finish="STOP"), Finish)
    assert client.text == WHOLE
    assert client.machine.transcript.text == WHOLE


@given(st.data())
def test_wherever_it_is_cut_the_document_comes_out_whole(data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(45, len(WHOLE) - 1), min_size=1, max_size=7)))
    echoes = data.draw(st.booleans())
    client = Client()
    client.attempt(WHOLE[: places[0]])
    for end in [*places[1:], len(WHOLE)]:
        told = client.asked_with()
        assert WHOLE.startswith(told)
        said = (client.anchor() if echoes else "") + WHOLE[len(told) : end]
        pieces = [said[at : at + 30] for at in range(0, len(said), 30)]
        client.attempt(*pieces, finish="STOP" if end == len(WHOLE) else None)

    assert isinstance(client.ending, Finish)
    assert client.text == WHOLE


def test_the_usage_that_the_client_is_shown_counts_each_character_once() -> None:
    client = Client()
    client.attempt(WHOLE[:60], usage=60)
    client.attempt(WHOLE[20:110], usage=90)
    client.attempt(WHOLE[70:], finish="STOP", usage=len(WHOLE) - 70)

    shown = documents(client.raw)[-1]["usageMetadata"]
    assert shown["candidatesTokenCount"] == len(WHOLE)
    assert client.machine.tally.delivered_tokens == len(WHOLE)
    assert client.machine.tally.billed.output == len(WHOLE) + 80


@pytest.mark.parametrize("how", ["error frame", "stall", "bad finish"])
def test_an_attempt_that_is_broken_off_in_another_way_counts_too(how: str) -> None:
    client = Client()
    client.attempt(WHOLE[:60])
    client.take(Opened())
    client.take(received(chunk(WHOLE[20:110], finish="OTHER" if how == "bad finish" else None)))
    if how == "error frame":
        client.take(received({"error": {"code": 503}}))
    else:
        client.take(Ended(How.STALLED if how == "stall" else How.EOF))

    assert isinstance(client.ending, Resume)
    assert client.asked_with() == WHOLE[:110]
    client.attempt(WHOLE[70:], finish="STOP")
    assert client.text == WHOLE
    assert [one["candidates"][0].get("finishReason") for one in documents(client.raw)][:-1] == [
        None
    ] * (len(documents(client.raw)) - 1)


def test_two_whole_new_documents_in_a_row_are_enough() -> None:
    client = Client()
    client.attempt(WHOLE[:60])
    other = json.dumps({**RECIPE, "name": "Stew"})

    assert client.attempt(other, finish="STOP") == Resume(Cause.INVALID)
    assert isinstance(client.attempt(other, finish="STOP"), Fail)
    assert client.text == WHOLE[:60]


def test_what_waits_is_dropped_when_the_document_turns_out_to_be_another_one() -> None:
    client = Client()
    client.attempt(WHOLE[:60])
    client.attempt(WHOLE[20:110])
    counted = client.machine.tally.delivered_tokens

    assert client.attempt(json.dumps({"name": "Stew"}), finish="STOP") == Resume(Cause.INVALID)
    assert client.asked_with() == WHOLE[:60]
    assert client.machine.tally.delivered_tokens < counted
    assert isinstance(client.attempt(WHOLE[20:], finish="STOP"), Finish)
    assert client.text == WHOLE


def test_a_document_that_was_told_whole_lacks_nothing_but_its_end() -> None:
    client = Client()
    client.attempt(WHOLE)

    assert isinstance(client.attempt("", finish="STOP"), Finish)
    assert client.text == WHOLE


def test_a_limit_or_a_policy_drops_what_waits_and_ends_the_answer() -> None:
    for reason in ("MAX_TOKENS", "SAFETY"):
        client = Client()
        client.attempt(WHOLE[:60])
        client.attempt(WHOLE[20:110])

        assert isinstance(client.attempt(WHOLE[70:120], finish=reason), Finish)
        assert client.text == WHOLE[:60]
        assert client.machine.finish_reason == reason
