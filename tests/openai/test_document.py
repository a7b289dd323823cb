"""The voice of a client of OpenAI's that waits for one document."""

import json

import pytest

from gemproxy.core.errors import Busy
from gemproxy.openai.document import OpenAIDocumentVoice

VOICE = OpenAIDocumentVoice()
PAYLOAD = Busy("no").payload("id")


def test_white_space_keeps_the_client_warm() -> None:
    assert VOICE.heartbeat().isspace()


def test_a_refusal_is_in_openai_s_form() -> None:
    error = json.loads(VOICE.refusal(PAYLOAD))["error"]

    assert (error["message"], error["request_id"]) == ("no", "id")
    assert isinstance(error["type"], str)


@pytest.mark.parametrize("tail", [b"", b"\n", b"\n\n\n\n"])
def test_an_error_may_take_the_place_of_the_document(tail: bytes) -> None:
    assert json.loads(VOICE.last_words(PAYLOAD, tail))["error"]["message"] == "no"


def test_within_the_document_nothing_is_said() -> None:
    assert VOICE.last_words(PAYLOAD, b'{"id') == b""
