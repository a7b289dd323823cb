"""What voices of followers leave out and add."""

import pytest

from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.resume.telling import AsEvents, Numbered, Reopened, Skipping
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.voice import Payload, Voice

ELEMENTS = Frames((Frame(b'[{"a":\n1}', b'{"a":\n1}'), Frame(b',\n{"b":2}', b'{"b":2}')))
TAIL = Frame(b"]", None)
RUN = Run(b"data: {1}\n\ndata: {2}\n\n", 2, b"\n\n")
COMMENT = Frames((Frame(b": x\n\n", None),))
ERROR: Payload = {"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}


class Translating(EventVoice):
    """A voice that makes two chunks of one frame and none of a comment, and ends with a mark."""

    def say(self, out: tuple[Out, ...]) -> bytes:
        return b"".join(
            b"data: a%b\n\ndata: b%b\n\n" % (bytes(frame.data), bytes(frame.data))
            for one in out
            for frame in (one.frames() if isinstance(one, Run) else one.frames)
            if frame.data is not None
        )

    def close(self, tail: Frame | None) -> bytes:
        return b"data: end\n\ndata: [DONE]\n\n"


def test_an_array_begins_anew_with_its_first_element() -> None:
    voice = Reopened(ArrayVoice())
    later = Frames(ELEMENTS.frames[1:])

    said = voice.say((Frames((TAIL,)),)) + voice.say((later,)) + voice.say((later,))

    assert said + voice.close(TAIL) == b'[{"b":2},\n{"b":2}]'


def test_an_array_without_further_elements_is_empty() -> None:
    assert Reopened(ArrayVoice()).close(TAIL) == b"[]"


def test_elements_become_events_on_one_line() -> None:
    voice = AsEvents(EventVoice())

    assert voice.say((ELEMENTS,)) == b'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\n'
    assert voice.close(TAIL) == b""


WHOLE = b"data: a{1}\n\ndata: b{1}\n\ndata: a{2}\n\ndata: b{2}\n\ndata: end\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize("left", range(6))
def test_chunks_that_the_client_has_are_left_out_and_the_end_mark_is_none(left: int) -> None:
    voice = Skipping(Translating(), left)

    said = voice.say((COMMENT,)) + voice.say((RUN,)) + voice.close(None)

    events = WHOLE.split(b"\n\n")
    assert said == b"\n\n".join(events[left:])
    assert voice.left == 0


def test_chunks_that_have_not_come_are_still_left() -> None:
    voice = Skipping(Translating(), 9)

    assert voice.say((RUN,)) + voice.close(None) == b"data: [DONE]\n\n"
    assert voice.left == 4


def test_native_frames_get_ids_and_comments_none() -> None:
    voice = Numbered(EventVoice(), "s", 6, native=True)

    said = voice.say((RUN, COMMENT)) + voice.say((RUN,)) + voice.close(None)

    one = b"id: s:%d\ndata: {%d}\n\n"
    assert said == b"retry: 1000\n\n" + one % (7, 1) + one % (8, 2) + b": x\n\n" + (
        one % (9, 1) + one % (10, 2)
    )
    assert voice.heartbeat() == b": keep-alive\n\n"


def test_translated_chunks_get_ids_and_the_end_mark_none() -> None:
    voice = Numbered(Skipping(Translating(), 3), "s", 3, native=False)

    assert voice.say((RUN,)) + voice.close(None) == (
        b"retry: 1000\n\nid: s:4\ndata: b{2}\n\nid: s:5\ndata: end\n\ndata: [DONE]\n\n"
    )


@pytest.mark.parametrize(
    "voice",
    [
        Reopened(EventVoice()),
        AsEvents(EventVoice()),
        Skipping(EventVoice(), 1),
        Numbered(EventVoice(), "s", 0, native=True),
    ],
    ids=lambda voice: type(voice).__name__,
)
def test_all_else_is_the_voice_s_own(voice: Voice) -> None:
    plain = EventVoice()

    assert (voice.name, voice.content_type) == (plain.name, plain.content_type)
    assert voice.last_words(ERROR, b"") == plain.last_words(ERROR, b"")
    assert voice.refusal(ERROR) == plain.refusal(ERROR)
    assert voice.heartbeat()
