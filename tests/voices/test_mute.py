"""Nothing is said into an answer that passes through unread."""

import json

import pytest

from gemproxy.voices.mute import MuteVoice

ERROR = {"error": {"code": 503, "message": "gone", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize("tail", [b"", b"}\n\n"])
def test_it_says_nothing(tail: bytes) -> None:
    assert MuteVoice().last_words(ERROR, tail) == b""
    assert MuteVoice().heartbeat() is None


def test_an_error_before_an_answer_is_an_object() -> None:
    assert json.loads(MuteVoice().refusal(ERROR)) == ERROR
