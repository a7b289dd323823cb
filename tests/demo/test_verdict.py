"""The demo's judge: what it accepts, and what it says against the rest."""

import pytest

from gemproxy.demo.verdict import judge, read, text_of
from tests.gemini import chunk, sse

TEXT = "A story with 中文 in it."


def stream(
    *, finish: tuple[str, ...] = ("STOP",), text: str = TEXT, second: str = "first"
) -> bytes:
    frames = [chunk(text[:7]), chunk(text[7:], response_id=second)]
    return sse(*frames, *(chunk("", finish=reason) for reason in finish))


def test_the_same_text_in_one_stream_is_exact() -> None:
    verdict = judge(stream(), TEXT, 2)

    assert verdict.exact
    assert verdict.first_difference is None
    assert verdict.digests[0] == verdict.digests[1]
    assert (verdict.frames, verdict.attempts) == (3, 2)


@pytest.mark.parametrize(("text", "at"), [(TEXT[:-1], len(TEXT) - 1), (TEXT[:3] + TEXT[2:], 3)])
def test_a_lost_or_doubled_character_is_found(text: str, at: int) -> None:
    verdict = judge(stream(text=text), TEXT, 1)

    assert not verdict.exact
    assert verdict.first_difference == at


@pytest.mark.parametrize("finish", [(), ("STOP", "STOP"), ("OTHER",)])
def test_the_finish_reason_has_to_come_once(finish: tuple[str, ...]) -> None:
    assert not judge(stream(finish=finish), TEXT, 1).exact


def test_two_response_ids_are_two_streams() -> None:
    assert judge(stream(second="other"), TEXT, 1).faults == (
        "there should be one responseId; there are 2",
    )


def test_an_error_in_the_stream_is_a_fault() -> None:
    error = sse({"error": {"code": 503}})

    assert "the stream carries an error" in judge(stream() + error, TEXT, 1).faults


def test_thoughts_are_no_text_and_half_an_event_is_none() -> None:
    thought = chunk(parts=[{"text": "hm", "thought": True}, {"text": "ok"}])

    assert [text_of(document) for document in read(sse(thought) + b"data: {\r\n")] == ["ok"]
