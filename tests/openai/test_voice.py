"""The voice of OpenAI's clients."""

import json

import pytest

from gemproxy.core.errors import BadEnding, Unrepaired, status_payload
from gemproxy.openai.asked import Telling
from gemproxy.openai.voice import OpenAIVoice
from tests.openai.reader import Reader, events
from tests.openai.told import STOP, TELLING, answer, frame, streamed, text


def voice() -> OpenAIVoice:
    return OpenAIVoice.of(answer())


def test_a_heartbeat_is_a_comment_between_events() -> None:
    speaker = voice()
    stream = speaker.heartbeat() + speaker.say((frame(text("Hel")),)) + speaker.heartbeat()
    stream += speaker.say((frame(text("lo")), frame(STOP))) + speaker.close(None)
    assert Reader.of(stream).told.content == "Hello"
    assert b": " in stream


def test_an_error_is_the_last_event_and_has_no_end_behind_it() -> None:
    speaker = voice()
    said = speaker.say((frame(text("ab")),))
    last = speaker.last_words(status_payload(503, "Broke.", request_id="r"), said[-4:])
    *_, error = events(said + last)
    assert json.loads(error)["error"]["message"] == "Broke."
    assert b'finish_reason":"' not in said + last
    assert b"[DONE]" not in said + last


def test_within_an_event_no_error_can_be_said() -> None:
    assert voice().last_words(status_payload(503, "Broke."), b'"a"}') == b""


def test_a_refusal_is_an_object_of_openais() -> None:
    body = json.loads(voice().refusal(status_payload(404, "None such.")))
    assert body["error"]["code"] == "model_not_found"


def test_an_answer_without_an_end_gets_none() -> None:
    speaker = voice()
    speaker.say((frame(text("ab")),))
    with pytest.raises(Unrepaired):
        speaker.close(None)


def test_an_answer_with_a_broken_call_gets_no_end() -> None:
    speaker = voice()
    speaker.say((frame({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}),))
    with pytest.raises(BadEnding):
        speaker.close(None)


def test_the_upstreams_own_end_is_a_frame_like_any_other() -> None:
    speaker = voice()
    said = speaker.say((frame(text("ab")),))
    (tail,) = frame(STOP).frames
    assert Reader.of(said + speaker.close(tail)).told.content == "ab"


def test_several_choices_have_one_id_one_usage_and_one_end() -> None:
    whole = answer(Telling("boat", include_usage=True), n=3)
    voices = [OpenAIVoice.of(whole, index) for index in range(3)]
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    stream = b""
    for speaker, name in zip(voices, ("Alk", "Bora", "Cirrus"), strict=True):
        stream += speaker.say((frame({**text(name), "responseId": name}),))
    for speaker in voices:
        stream += speaker.say((frame({**STOP, "usageMetadata": counts}),))
    for speaker in reversed(voices):
        stream += speaker.close(None)
    reader = Reader.of(stream, usage=True, n=3)
    assert [reader.choices[index].content for index in range(3)] == ["Alk", "Bora", "Cirrus"]
    assert reader.chunks[0]["id"] == "chatcmpl-Alk"
    assert reader.usage is not None
    assert (reader.usage["prompt_tokens"], reader.usage["total_tokens"]) == (15, 21)


def test_without_a_wish_no_chunk_has_the_usage() -> None:
    assert b'"usage"' not in streamed([text("a"), STOP], TELLING)
