"""Runs of plain events: what is one, and that taking them in runs changes nothing."""

import json
from collections.abc import Callable
from unittest.mock import PropertyMock, patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.chunk import read
from gemproxy.core.repair.engine import IllegalInput, State
from gemproxy.core.repair.events import Finish, How, Opened
from gemproxy.core.repair.intake import Intake
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.flow import Flow, take
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.voices.sse import EventVoice
from tests.gemini import BODY, Json, chunk, documents, received, sse, text_of
from tests.playbook import said

CRLF = b"\r\n\r\n"
PLAIN = chunk("a word ", usage=(3, 4))
UNPLAIN: dict[str, Json] = {
    "a finishReason": chunk("a", finish="STOP"),
    "a checkpoint": chunk("a", token="t"),
    "a thought": chunk(parts=[{"text": "a", "thought": True}]),
    "a call": chunk(parts=[{"functionCall": {"name": "f"}}]),
    "a call beside text": chunk(parts=[{"text": "a", "functionCall": {"name": "f"}}]),
    "an image": chunk(parts=[{"inlineData": {"data": "AAAA"}}]),
    "two parts": chunk(parts=[{"text": "a"}, {"text": "b"}]),
    "no part": chunk(parts=[]),
    "no content": chunk(),
    "an empty text": chunk(""),
    "a null text": chunk(parts=[{"text": None}]),
    "grounding": {"candidates": [{**PLAIN["candidates"][0], "groundingMetadata": {"a": 1}}]},
    "two candidates": {"candidates": PLAIN["candidates"] * 2},
    "a second candidate": {"candidates": [{**PLAIN["candidates"][0], "index": 1}]},
    "no candidate": {"candidates": []},
    "a blocked prompt": {**PLAIN, "promptFeedback": {"blockReason": "SAFETY"}},
    "an error": {"error": {"code": 503}},
    "a lone surrogate": chunk("\ud800"),
}


def texts(flow: Flow | None) -> list[str]:
    return [] if flow is None else flow.texts


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
def test_plain_events_are_one_run(eol: str) -> None:
    stream = sse(chunk("one "), chunk("two", usage=(1, 2)), chunk("three"), eol=eol)

    flow = take(stream, 2 * eol.encode())

    assert flow is not None
    assert flow.raw == stream
    assert flow.texts == ["one ", "two", "three"]
    assert json.loads(bytes(flow.usage))["candidatesTokenCount"] == 2


def test_a_run_without_usage_says_so() -> None:
    flow = take(sse(chunk("one")), CRLF)

    assert flow is not None
    assert not flow.usage


@pytest.mark.parametrize("what", UNPLAIN)
def test_a_run_ends_before_an_event_with(what: str) -> None:
    plain, other = sse(PLAIN), f"data: {json.dumps(UNPLAIN[what])}\r\n\r\n".encode()

    flow = take(plain + other + plain, CRLF)

    assert flow is not None
    assert flow.raw == plain
    assert take(other + plain, CRLF) is None


@pytest.mark.parametrize(
    "block",
    [
        b": a comment" + CRLF,
        CRLF,
        b"event: x\r\n" + sse(PLAIN),
        b"data:" + sse(PLAIN)[6:],
        sse(PLAIN)[:-1],
        sse(PLAIN)[:-2] + b"id: 1" + CRLF,
        sse(PLAIN, eol="\n"),
        sse(PLAIN).replace(b", ", b",\n", 1),
        b"data: " + CRLF,
        b"data: [1]" + CRLF,
        b"data: " + b"[" * 100_000 + CRLF,
        b"",
    ],
)
def test_what_is_no_plain_frame_is_left_to_the_general_rules(block: bytes) -> None:
    assert take(block, CRLF) is None
    flow = take(sse(PLAIN) + block, CRLF)
    assert flow is not None
    assert flow.raw == sse(PLAIN)


def test_a_carriage_return_within_a_line_is_no_plain_frame() -> None:
    assert take(sse(PLAIN, eol="\n").replace(b", ", b",\r", 1), b"\n\n") is None


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.booleans())
def test_a_plain_event_says_what_the_general_reader_reads(text: str, escaped: bool) -> None:
    event = json.dumps(chunk(text, usage=(1, 2)), ensure_ascii=escaped).encode()

    flow = take(b"data: " + event + CRLF, CRLF)

    assert flow is not None
    said = read(event)
    assert said.plain
    assert (said.text, said.usage) == (flow.texts[0], flow.usage)


events = st.lists(
    st.sampled_from(
        [PLAIN, PLAIN, chunk("nobody", response_id=None), chunk("ö😀"), *UNPLAIN.values()]
    )
    | st.sampled_from([b": comment\r\n\r\n", b"\r\n\r\n", b"data: x\r\n\r\n"]),
    max_size=12,
)


def run(pieces: list[bytes]) -> tuple[object, ...]:
    """Play an attempt to its end; return what went out, the last verdict, and what is known."""
    machine = StreamMachine(StreamRequest(BODY))
    intake = Intake(machine, SSEDecoder)
    intake.opened()
    out, voice = b"", EventVoice()
    for piece in pieces:
        step = intake.received(piece)
        out += voice.say(step.out)
        if step.next is not None:
            break
    else:
        step = intake.ended(How.EOF)
        out += voice.say(step.out)
    verdict = step.next if isinstance(step.next, Finish) else type(step.next)
    transcript = machine.transcript
    who = transcript.response_id, transcript.model_version
    return out, verdict, transcript.text, who, machine.tally, machine.causes


@given(events, st.lists(st.integers(1, 400), min_size=1), st.booleans())
def test_a_stream_is_the_same_with_and_without_runs(
    written: list[Json | bytes], sizes: list[int], ends: bool
) -> None:
    told = [*written, *([chunk("end", finish="STOP")] if ends else [])]
    stream = b"".join(
        one if isinstance(one, bytes) else f"data: {json.dumps(one)}\r\n\r\n".encode()
        for one in told
    )
    pieces: list[bytes] = []
    while stream:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[:size])
        stream = stream[size:]

    with patch.object(StreamMachine, "flowing", PropertyMock(return_value=False)):
        expected = run(pieces)

    assert run(pieces) == expected


def test_a_disturbed_stream_takes_no_run() -> None:
    machine = StreamMachine(StreamRequest(BODY))
    machine.receive(Opened())
    flow = take(sse(PLAIN), CRLF)
    assert flow is not None

    machine.receive(flow)
    assert machine.flowing
    machine.receive(received(UNPLAIN["a finishReason"]))
    assert not machine.flowing, "a frame is held"
    with pytest.raises(IllegalInput):
        machine.receive(flow)


STORY = " ".join(f"Then the {n}th traveller told what had befallen." for n in range(40))


def resumed(cut: int, size: int, second: list[Json], reads: int) -> list[Json]:
    """Return what the client reads when a stream is cut and its ``second`` attempt follows."""
    machine = StreamMachine(StreamRequest(BODY))
    intake = Intake(machine, SSEDecoder)
    intake.opened()
    first = [STORY[at : at + size] for at in range(0, cut, size)]
    out = list(intake.received(sse(*(chunk(text, usage=(9, 1)) for text in first))).out)
    intake.ended(How.RESET)
    intake.opened()
    stream = sse(*second)
    step = -(-len(stream) // reads)
    for at in range(0, len(stream), step):
        out += intake.received(stream[at : at + step]).out
    out += intake.ended(How.EOF).out
    assert machine.state is State.DONE
    return documents(said(out))


HOSTILE = ["null", "{}", "first", "other", '"usageMetadata": null', '"responseId": "other"']


@pytest.mark.parametrize("usage", [None, {}, {"promptTokenCount": 3}], ids=["null", "{}", "some"])
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("last", [True, False])
def test_a_usage_that_says_nothing_is_no_place_to_write_another(
    text: str, usage: Json | None, last: bool
) -> None:
    begin = [STORY[at : at + 50] for at in range(200, 1200, 50)]
    said = [*begin, f"{text} and {text}, {text}", text]
    second = [chunk(one, response_id="other", usageMetadata=usage) for one in said]
    second.insert(len(said) if last else -2, chunk(" so ", response_id="other", usage=(30, 7)))
    second.append(chunk(".", finish="STOP", response_id="other", usage=(30, 9)))

    told = resumed(200, 50, second, 2)

    texts = ["".join(t["parts"][0]["text"] for t in _contents(one)) for one in (told, second)]
    assert texts[0] == STORY[:200] + texts[1]
    assert {one["responseId"] for one in told} == {"first"}
    assert all(one["usageMetadata"] == usage or one["usageMetadata"] for one in told)


def _contents(told: list[Json]) -> list[Json]:
    return [one["candidates"][0]["content"] for one in told]


def _nested(one: Json) -> Json:
    return {"extra": {"usageMetadata": {}, "responseId": "other"}, **one}


@pytest.mark.parametrize(
    "change",
    [
        _nested,
        lambda one: {**one, "extra": {"usageMetadata": one["usageMetadata"]}},
        lambda one: {**one, "extra": [one["responseId"], {"responseId": "other"}]},
        lambda one: dict(reversed(one.items())),
    ],
)
def test_a_name_that_comes_twice_or_elsewhere_is_not_mistaken(
    change: Callable[[Json], Json],
) -> None:
    pieces = [STORY[at : at + 50] for at in range(200, 1200, 50)]
    plain = [chunk(text, response_id="other", usage=(30, 7)) for text in pieces]
    second = [*map(change, plain), chunk(".", finish="STOP", response_id="other", usage=(30, 9))]

    told = resumed(200, 50, second, 2)

    assert [(one["responseId"], one.get("extra")) for one in told[4:]] == [
        ("first", one.get("extra")) for one in second
    ]
    assert all(one["usageMetadata"]["promptTokenCount"] == 9 for one in told)


def test_the_usage_of_a_run_is_the_last_that_says_something() -> None:
    flow = take(sse(chunk("a", usage=(1, 2)), chunk("b", usageMetadata=None)), CRLF)
    assert flow is not None

    assert json.loads(bytes(flow.usage))["candidatesTokenCount"] == 2
    assert len(flow.usages) == 1


def without_usage(told: list[Json]) -> list[Json]:
    return [{**one, "usageMetadata": None} for one in told]


@given(
    st.integers(100, 900),
    st.integers(10, 60),
    st.integers(1, 9),
    st.sampled_from(["other", "first", 'a "quoted" one', None]),
    st.sampled_from(["gemini-test", "gemini-next"]),
    st.sampled_from([{}, {"thoughtSignature": "c2ln"}]),
)
def test_a_run_after_an_interruption_is_told_like_its_frames(
    cut: int, size: int, reads: int, answer: str | None, version: str, more: Json
) -> None:
    cut -= cut % size
    pieces = [STORY[at : at + size] for at in range(cut, len(STORY), size)]
    second = [
        chunk(parts=[{"text": text, **more}], usage=(30, number), response_id=answer)
        for number, text in enumerate(pieces, 1)
    ]
    second = [{**one, "modelVersion": version} for one in second]
    second.append(chunk("", finish="STOP", usage=(30, 500), response_id=answer))

    with patch.object(StreamMachine, "flowing", PropertyMock(return_value=False)):
        expected = resumed(cut, size, second, reads)
    told = resumed(cut, size, second, reads)

    assert without_usage(told) == without_usage(expected)
    assert told[-1] == expected[-1]
    assert text_of(sse(*told)) == STORY
    counts = [one["usageMetadata"]["candidatesTokenCount"] for one in told]
    assert counts == sorted(counts)
