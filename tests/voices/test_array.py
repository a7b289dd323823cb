"""The voice of a JSON array: what it says is one array, whatever goes out."""

import json

import pytest

from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.voices.array import ArrayVoice

CAME = Frames((Frame(b'[{"n":1}', b'{"n":1}'), Frame(b'\n,\r\n{"n":2}', b'{"n":2}')))
OURS = Frames((Frame(b"", b'{"n":3}'),))
EVENTS = Run(b'data: {"n":4}\n\ndata: {"n":5}\n\n', 2, b"\n\n")


@pytest.mark.parametrize(
    ("out", "numbers"),
    [
        ((), []),
        ((CAME,), [1, 2]),
        ((OURS,), [3]),
        ((CAME, OURS), [1, 2, 3]),
        ((OURS, EVENTS, OURS), [3, 4, 5, 3]),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_what_it_says_is_an_array_of_the_frames(
    out: tuple[Out, ...], numbers: list[int], together: bool
) -> None:
    voice = ArrayVoice()
    raw = voice.say(out) if together else b"".join(voice.say((one,)) for one in out)

    assert json.loads(raw + voice.close(None)) == [{"n": number} for number in numbers]


def test_what_came_goes_out_as_it_came() -> None:
    voice = ArrayVoice()

    assert voice.say((CAME,)) == b'[{"n":1}\n,\r\n{"n":2}'
    assert voice.close(Frame(b"\n] \n", None)) == b"\n] \n"


@pytest.mark.parametrize("tail", [b"\n", b"", b",\r\n"])
def test_an_end_that_was_cut_short_of_its_bracket_is_replaced(tail: bytes) -> None:
    voice = ArrayVoice()
    voice.say((CAME,))

    assert voice.close(Frame(tail, None)) == b"\n]"


def test_the_end_of_an_array_without_elements_is_all_of_it() -> None:
    assert ArrayVoice().close(Frame(b"[ ]", None)) == b"[]"
    assert ArrayVoice().close(Frame(b"[]\n", None)) == b"[]\n"


ERROR = {"error": {"code": 503, "message": "broken", "status": "UNAVAILABLE"}}


def test_an_array_may_be_padded_only_once_it_is_open() -> None:
    voice = ArrayVoice()
    assert voice.heartbeat() is None

    voice.say((CAME,))

    assert voice.heartbeat() == b"\n"


def test_an_error_is_an_element_and_leaves_the_array_open() -> None:
    voice = ArrayVoice()

    assert json.loads(b"[{}" + voice.last_words(ERROR, b"[{}") + b"]") == [{}, ERROR]
    assert json.loads(voice.last_words(ERROR, b"") + b"]") == [ERROR]


@pytest.mark.parametrize("tail", [b'{"a"', b"{}]", b"}\n, "])
def test_half_an_element_is_followed_by_no_error(tail: bytes) -> None:
    assert ArrayVoice().last_words(ERROR, tail) == b""


def test_before_the_stream_an_error_is_in_a_list() -> None:
    assert json.loads(ArrayVoice().refusal(ERROR)) == [ERROR]
