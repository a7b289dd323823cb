"""The voice of event streams: what came goes out as it came, what is ours is framed alike."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.repair.events import Frames, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.voices.sse import (
    FRAGILE,
    GO,
    INTERACTIONS,
    OPENAI,
    STANDARD,
    EventVoice,
    Manner,
)

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


# -- what is said besides ------------------------------------------------------------------------

ERROR = {"error": {"code": 503, "message": "broken \u2028 stream", "status": "UNAVAILABLE"}}
MANNERS = pytest.mark.parametrize("manner", [STANDARD, GO, FRAGILE, INTERACTIONS, OPENAI])


def begun(manner: Manner, eol: bytes) -> EventVoice:
    """Return a voice whose client has a frame with these line ends."""
    voice = EventVoice(manner)
    voice.say((run(eol),))
    return voice


@pytest.mark.parametrize("eol", [CRLF, LF, CR])
@pytest.mark.parametrize("manner", [STANDARD, GO, INTERACTIONS])
def test_a_heartbeat_is_a_blank_line_in_the_style_of_the_stream(manner: Manner, eol: bytes) -> None:
    assert begun(manner, eol).heartbeat() == eol * 2


@pytest.mark.parametrize("manner", [STANDARD, INTERACTIONS])
def test_before_the_first_frame_a_heartbeat_has_geminis_line_ends(manner: Manner) -> None:
    assert EventVoice(manner).heartbeat() == b"\r\n\r\n"


def test_go_gets_no_heartbeat_before_its_line_ends_are_known() -> None:
    assert EventVoice(GO).heartbeat() is None


def test_clients_that_break_on_blank_lines_get_none() -> None:
    assert EventVoice(FRAGILE).heartbeat() is None
    assert begun(FRAGILE, CRLF).heartbeat() is None


@pytest.mark.parametrize("manner", [STANDARD, FRAGILE])
def test_an_error_is_one_framed_event(manner: Manner) -> None:
    raw = EventVoice(manner).last_words(ERROR, b"}\n\n")

    assert raw.startswith(b"data: ")
    assert raw.endswith(b"}\n\n")
    assert json.loads(raw.removeprefix(b"data: ")) == ERROR


def test_go_gets_the_bare_error() -> None:
    raw = EventVoice(GO).last_words(ERROR, b"")

    assert raw.endswith(b"}\r\n\r\n")
    assert json.loads(raw) == ERROR


@pytest.mark.parametrize(
    ("tail", "eol"), [(b"\r\n\r\n", CRLF), (b"1}\n\n", LF), (b"", LF), (b"1}\r\r", CR)]
)
def test_an_error_in_an_interaction_is_one_of_its_events(tail: bytes, eol: bytes) -> None:
    name, data, *rest = EventVoice(INTERACTIONS).last_words(ERROR, tail).split(eol)

    assert (name, rest) == (b"event: error", [b"", b""])
    event = json.loads(data.removeprefix(b"data: "))
    assert event == {"error": {**ERROR["error"], "code": "unavailable"}, "event_type": "error"}


def test_a_code_that_is_a_word_stays_one() -> None:
    raw = EventVoice(INTERACTIONS).last_words({"error": {"code": "gateway_timeout"}}, b"")

    assert b'"code":"gateway_timeout"' in raw


def test_an_error_for_openai_has_its_form() -> None:
    raw = EventVoice(OPENAI).last_words(ERROR, b"}\n\n")

    assert raw.startswith(b"data: {")
    assert raw.endswith(b"}\n\n")
    assert json.loads(raw.removeprefix(b"data: "))["error"] == {
        "message": ERROR["error"]["message"],
        "type": "server_error",
        "param": None,
        "code": "unavailable",
    }


@given(st.text(), st.sampled_from([STANDARD, GO, FRAGILE]))
def test_an_error_is_one_line_whatever_its_message(message: str, manner: Manner) -> None:
    raw = EventVoice(manner).last_words({"error": {"message": message}}, b"}\n\n")

    assert len(raw.decode("ascii").removesuffix("\n\n").splitlines()) == 1


@MANNERS
@pytest.mark.parametrize("tail", [b"data", b"}\r\n", b'"}', b"\n", b"x\n"])
def test_half_an_event_is_followed_by_no_error(manner: Manner, tail: bytes) -> None:
    assert EventVoice(manner).last_words(ERROR, tail) == b""


@MANNERS
def test_before_the_stream_an_error_is_an_object(manner: Manner) -> None:
    assert json.loads(EventVoice(manner).refusal(ERROR)) == ERROR


def test_a_first_frame_of_our_own_has_the_line_ends_of_the_one_it_was_made_of() -> None:
    voice = EventVoice()

    assert voice.say((Frames((Frame(b"", b"{}", b"\n"), Frame(b"", b"[]"))),)) == (
        b"data: {}\n\ndata: []\n\n"
    )
