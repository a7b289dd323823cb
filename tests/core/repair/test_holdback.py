"""What waits of an attempt, and what goes out of it; the transcript has what went out."""

import json
from typing import Any

import pytest

from gemproxy.core.answer.chunk import SILENT, read
from gemproxy.core.answer.rewrite import Rewriter
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.answer.usage import Tally
from gemproxy.core.repair.events import Received
from gemproxy.core.repair.holdback import HoldBack
from gemproxy.core.repair.policy import Policy
from gemproxy.core.wire.frame import Frame
from tests.gemini import Json, chunk, received

TEXT = received(chunk("some words"))
STOP = received(chunk("", finish="STOP"))
CALL = received(chunk(parts=[{"functionCall": {"name": "look"}}]))
PING = Received(Frame(b": ping\r\n\r\n", None), SILENT)


def holdback(*, resumed: bool = False, proving: bool = False, **policy: Any) -> HoldBack:
    """Return the hold-back of a first attempt, or of one that goes on behind text."""
    transcript = Transcript()
    rewriter = Rewriter(Tally(), "first", continued=True) if resumed else None
    if resumed:
        transcript.add(TEXT.chunk, TEXT.chunk.text)
    return HoldBack(transcript, Policy(**policy), rewriter, proving=proving)


def texts(frames: list[Frame]) -> list[str]:
    """Return the visible text of frames that go out."""
    documents: list[Json] = [json.loads(bytes(f.data)) for f in frames if f.data is not None]
    parts = (d["candidates"][0].get("content", {}).get("parts", []) for d in documents)
    return ["".join(part.get("text", "") for part in said) for said in parts]


def test_plain_frames_go_out_as_they_came_and_are_noted() -> None:
    unit = holdback()

    assert unit.take(TEXT, ended=False) == [TEXT.frame]
    assert unit.transcript.text == TEXT.chunk.text
    assert not unit.held


def test_a_frame_with_the_end_is_held_and_not_noted() -> None:
    unit = holdback()

    assert unit.take(TEXT, ended=True) == []
    assert not unit.transcript.started
    assert (unit.characters, unit.size) == (len(TEXT.chunk.text), len(TEXT.frame.raw))
    assert unit.release() == [TEXT.frame]
    assert unit.transcript.text == TEXT.chunk.text


def test_more_content_frees_what_is_held_behind_a_reason() -> None:
    unit = holdback()
    unit.take(STOP, ended=True)

    assert unit.free() == [STOP.frame]
    assert unit.free() == []


def test_a_call_and_all_behind_it_wait_for_the_end() -> None:
    unit = holdback()

    assert unit.take(CALL, ended=False) == []
    assert unit.take(TEXT, ended=False) == []
    assert unit.free() == [], "content does not free a call"
    assert unit.release() == [CALL.frame, TEXT.frame]


@pytest.mark.parametrize("policy", [{"repair": False}, {"hold_calls": False}])
def test_calls_are_not_held_where_that_is_not_wanted(policy: dict[str, bool]) -> None:
    assert holdback(**policy).take(CALL, ended=False) == [CALL.frame]


def test_without_repair_nothing_is_held() -> None:
    unit = holdback(repair=False)

    assert unit.take(PING, ended=False) == [PING.frame]
    assert unit.take(STOP, ended=True) == [STOP.frame]


def test_what_has_no_data_waits_for_the_first_frame_that_has() -> None:
    unit = holdback()

    assert unit.take(PING, ended=False) == []
    assert unit.take(TEXT, ended=False) == [PING.frame, TEXT.frame]
    assert unit.take(PING, ended=False) == [PING.frame]


def test_text_that_the_client_has_is_trimmed_from_the_front() -> None:
    unit = holdback(resumed=True)
    unit.skip = 13

    out = unit.take(TEXT, ended=False) + unit.take(TEXT, ended=False)

    assert texts(out) == ["e words"], "nothing is left of the first"
    assert unit.skip == 0
    assert unit.transcript.text == "some words" + "e words"
    assert all(frame.raw == b"" for frame in out), "the voice frames what is rewritten"


@pytest.mark.parametrize("nothing", ["", " \n", ".", "...\u3002 ", ">>> ", "</reply_so_far>"])
def test_an_attempt_is_held_until_it_brings_something_new(nothing: str) -> None:
    unit = holdback(resumed=True, proving=True)

    assert unit.take(received(chunk(nothing)), ended=False) == []
    assert unit.proving
    assert texts(unit.take(received(chunk("new")), ended=False))[-1:] == ["new"]
    assert not unit.proving


def test_a_call_is_new() -> None:
    unit = holdback(resumed=True, proving=True)
    unit.take(CALL, ended=False)

    assert not unit.proving


def test_trimmed_text_is_no_proof() -> None:
    unit = holdback(resumed=True, proving=True)
    unit.skip = len(TEXT.chunk.text)

    assert unit.take(TEXT, ended=False) == []
    assert (unit.proving, unit.proof) == (True, "")


def test_comments_of_a_resumed_attempt_do_not_go_out() -> None:
    assert holdback(resumed=True).take(PING, ended=False) == []


def test_an_ending_that_is_none_goes_out_without_its_reason_which_stays() -> None:
    unit = holdback()
    unit.take(received(chunk("the end", finish="OTHER")), ended=True)

    out = unit.deliver_without_reasons()

    assert texts(out) == ["the end"]
    assert b"OTHER" not in bytes(out[0].data or b"")
    (left,) = unit.release()
    assert json.loads(bytes(left.data or b""))["candidates"][0]["finishReason"] == "OTHER"
    assert texts([left]) == [""]


def test_a_call_behind_such_an_ending_stays_with_all_behind_it() -> None:
    unit = holdback()
    for one in (TEXT, CALL, TEXT):
        unit.take(one, ended=one is TEXT)

    assert texts(unit.deliver_without_reasons()) == ["some words"]
    assert [one.received for one in unit.held] == [CALL, TEXT]


def test_text_that_proves_nothing_does_not_go_out_with_such_an_ending() -> None:
    unit = holdback(resumed=True, proving=True)
    unit.take(received(chunk(".", finish="OTHER")), ended=True)

    assert texts(unit.deliver_without_reasons()) == []
    assert unit.transcript.text == "some words"


def test_frames_are_held_for_what_they_say_beside_their_text() -> None:
    unit = holdback(resumed=True)
    unit.hold_without_text([received(chunk("twice", finish="STOP", usage=(3, 4)))])

    assert unit.proving
    assert texts(unit.release()) == [""]
    assert unit.transcript.text == "some words"


def test_a_frame_of_another_attempt_is_rewritten_by_that_ones_rewriter() -> None:
    unit = holdback(resumed=True)
    other = Rewriter(Tally(), "other")
    unit.take(STOP, ended=True)

    (out,) = unit.deliver(unit.held[0], b'{"candidates": [{"finishReason": "STOP"}]}', other)

    assert json.loads(bytes(out.data or b""))["responseId"] == "other"


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_a_frame_of_our_own_remembers_the_line_end_that_it_had(eol: bytes) -> None:
    """It may be the client's first one, and those behind it come with the upstream's."""
    data = json.dumps(chunk("some words", finish="CONTINUATION")).encode()
    unit = holdback()
    unit.take(Received(Frame(b"data: " + data + eol * 2, data), read(data)), ended=True)

    out = unit.deliver_without_reasons()
    rest = unit.release()

    assert [frame.raw for frame in [*out, *rest]] == [b"", b""]
    assert {frame.eol for frame in [*out, *rest]} == {eol}
