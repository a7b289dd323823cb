"""The voice of a client that waits for one JSON document."""

import json

import pytest

from gemproxy.voices.document import DocumentVoice

ERROR = {"error": {"code": 503, "message": "gone", "status": "UNAVAILABLE"}}


def test_it_is_kept_warm_by_what_json_allows_before_a_value() -> None:
    assert json.loads(DocumentVoice().heartbeat() + b"{}") == {}


@pytest.mark.parametrize("tail", [b"", b"\n", b"\n\n\n\n"])
def test_behind_white_space_an_error_takes_the_place_of_the_document(tail: bytes) -> None:
    assert json.loads(tail + DocumentVoice().last_words(ERROR, tail)) == ERROR


def test_an_error_ends_its_lines_as_the_white_space_before_it_does() -> None:
    voice = DocumentVoice()

    assert voice.last_words(ERROR, voice.heartbeat() or b"").endswith(b"}\n\n")


@pytest.mark.parametrize("tail", [b"{", b"1}\n\n"])
def test_a_document_that_has_begun_is_followed_by_no_error(tail: bytes) -> None:
    assert DocumentVoice().last_words(ERROR, tail) == b""


def test_before_it_an_error_is_an_object() -> None:
    assert json.loads(DocumentVoice().refusal(ERROR)) == ERROR
