"""The voice of event streams: what came goes out as it came, what is ours is framed alike."""

import pytest

from gemproxy.core.repair.events import Frames, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.voices.sse import EventVoice

CRLF, LF, CR = b"\r\n", b"\n", b"\r"
OURS = Frames((Frame(b"", b'{"a":1}'),))


def event(data: bytes, eol: bytes) -> Frame:
    return Frame(b"data: " + data + eol * 2, data)


def run(eol: bytes, *, rewritten: bool = False) -> Run:
    return Run(event(b"1", eol).raw + event(b"2", eol).raw, 2, eol * 2, rewritten)


@pytest.mark.parametrize("eol", [CRLF, LF, CR])
def test_frames_of_ours_have_the_line_end_of_the_first_frame(eol: bytes) -> None:
    voice = EventVoice()

    voice.say((Frames((event(b"0", eol),)),))

    assert voice.say((OURS,)) == b'data: {"a":1}' + eol * 2


def test_a_first_frame_of_ours_has_geminis_line_end_and_so_have_the_next() -> None:
    voice = EventVoice()

    assert voice.say((OURS, run(LF), OURS)) == (
        b'data: {"a":1}\r\n\r\n' + run(LF).raw + b'data: {"a":1}\r\n\r\n'
    )


def test_a_comment_is_no_first_frame() -> None:
    voice = EventVoice()

    assert voice.say((Frames((Frame(b": hello\n\n", None), event(b"1", CRLF))),)) == (
        b": hello\n\ndata: 1\r\n\r\n"
    )
    assert voice.say((OURS,)).endswith(CRLF)


@pytest.mark.parametrize("first", [(), (OURS,), (run(CRLF),)])
def test_an_undisturbed_run_goes_out_as_the_object_that_it_is(first: tuple[Run]) -> None:
    voice, undisturbed = EventVoice(), run(LF)
    voice.say(first)

    assert voice.say((undisturbed,)) is undisturbed.raw


@pytest.mark.parametrize("eol", [CRLF, LF])
def test_a_rewritten_run_has_the_line_ends_of_the_stream(eol: bytes) -> None:
    voice = EventVoice()
    voice.say((run(LF),))

    assert voice.say((run(eol, rewritten=True),)) == run(LF).raw


def test_an_event_stream_ends_as_the_upstreams_did() -> None:
    assert EventVoice().close(None) == b""
    assert EventVoice().close(Frame(b": bye", None)) == b": bye"


def test_nothing_is_nothing() -> None:
    assert EventVoice().say(()) == b""
