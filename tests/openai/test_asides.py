"""A client that waits for the event of its picture."""

import json

from gemproxy.core.errors import NoPicture
from gemproxy.openai.asides import EventAsides

PAYLOAD = NoPicture("It is late.").payload("r")


def test_it_is_kept_warm_by_a_comment() -> None:
    assert EventAsides().heartbeat().startswith(b":")


def test_its_error_is_an_event_unless_it_has_a_part_of_one() -> None:
    voice = EventAsides()

    for before in (b"", b"\n\n"):
        event = voice.last_words(PAYLOAD, before)
        assert json.loads(event.removeprefix(b"data: "))["error"]["message"] == "It is late."
    assert voice.last_words(PAYLOAD, b"data") == b""


def test_its_error_answer_is_of_openai_s_form() -> None:
    assert json.loads(EventAsides().refusal(PAYLOAD))["error"]["message"] == "It is late."
