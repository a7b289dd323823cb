"""The core's front door: any chunking, any faults, and the text is exact."""

import json
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.continuation import find_anchor, find_quote
from gemproxy.core.repair.events import Cause, Fail, Finish, How, Next, Resume
from gemproxy.core.repair.intake import Intake, PassOn, Step
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.frame import Decoder
from gemproxy.core.wire.jsonarray import JSONArrayDecoder
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.voice import Voice
from tests.gemini import BODY, Json, chunk, documents, sse, text_of
from tests.playbook import said

# -- a model and a network, without sockets ------------------------------------------------


def array(*responses: Json) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(r, indent=1).encode() for r in responses) + b"\n]"


@attrs.frozen
class Framing:
    write: Callable[..., bytes]
    decoder: Callable[[], Decoder]
    voice: Callable[[], Voice]


SSE = Framing(sse, SSEDecoder, EventVoice)
ARRAY = Framing(array, JSONArrayDecoder, ArrayVoice)


@attrs.define
class Model:
    """Tells a text, and goes on from what it is shown; ``echoes`` says whether it obeys."""

    text: str
    echoes: bool
    size: int = 9
    thinks: bool = False

    def answer(self, machine: StreamMachine) -> str:
        if machine.plan is not Plan.TEXT:
            return self.text
        contents = json.loads(machine.next_request)["contents"]
        shown, notice = (turn["parts"][0]["text"] for turn in contents[-2:])
        held = find_quote(notice) or shown
        assert self.text.startswith(held)
        anchor = find_anchor(notice) or ""
        return (anchor if self.echoes else "") + self.text[len(held) :]

    def responses(self, machine: StreamMachine, attempt: int) -> list[Json]:
        text = self.answer(machine)
        pieces = [text[i : i + self.size] for i in range(0, len(text), self.size)] or [""]
        last = len(pieces) - 1
        thought = chunk(parts=[{"text": "hm", "thought": True}], response_id=f"attempt-{attempt}")
        return [thought] * self.thinks + [
            chunk(
                piece,
                finish="STOP" if at == last else None,
                usage=(5, at + 1),
                response_id=f"attempt-{attempt}",
            )
            for at, piece in enumerate(pieces)
        ]


def chunked(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


ASKED_OTHERWISE = 2
"""Attempts beside the ones that are cut: a text that begins like the anchor needs another form."""


@attrs.define
class Line:
    """One client stream over a line that cuts the first attempts at these bytes."""

    model: Model
    framing: Framing
    cuts: list[int]
    read: int = 64
    received: bytes = b""
    next: Next | PassOn | None = None
    voice: Voice = attrs.field(init=False)
    machine: StreamMachine = attrs.field(init=False)

    def run(self) -> "Line":
        self.machine = StreamMachine(StreamRequest(BODY))
        self.voice = self.framing.voice()
        intake = Intake(self.machine, self.framing.decoder)
        for attempt in range(len(self.cuts) + 1 + ASKED_OTHERWISE):
            intake.opened()
            body = self.framing.write(*self.model.responses(self.machine, attempt))
            body = body[: self.cuts[attempt] % len(body)] if attempt < len(self.cuts) else body
            self._attempt(intake, body)
            if not isinstance(self.next, Resume):
                break
        return self

    def _attempt(self, intake: Intake[StreamMachine], body: bytes) -> None:
        for data in chunked(body, self.read):
            if self._take(intake.received(data)):
                return
        self._take(intake.ended(How.EOF))

    def _take(self, step: Step) -> bool:
        self.received += self.voice.say(step.out)
        self.next = step.next
        if isinstance(step.next, Finish):
            self.received += self.voice.close(step.next.tail)
        return step.next is not None


def array_text(stream: bytes) -> str:
    return text_of(sse(*json.loads(stream)))


# -- properties ----------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["fox", "forest", "lamp", "three", "never", "Ada", "counts", "harbour", "north", "quickly"]
)
CJK = st.text(
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会", min_size=1, max_size=8
)
EMOJI = st.sampled_from(["👩‍💻", "🇳🇴", "👍🏽", "🏳️‍🌈", "é", "✅"])
CODE = st.sampled_from(["\n```python\n", "\n```\n", "`x =", "\n\n- "])


@st.composite
def stories(draw: st.DrawFn) -> str:
    """Draw a text in which no passage comes twice, because it counts its words."""
    parts = draw(st.lists(st.one_of(WORDS, CJK, EMOJI, CODE), min_size=5, max_size=40))
    return "".join(f"{part} {number} " for number, part in enumerate(parts)).strip()


@settings(max_examples=150, deadline=None)
@given(
    text=stories(),
    cuts=st.lists(st.integers(1, 10**6), max_size=5),
    echoes=st.booleans(),
    thinks=st.booleans(),
    size=st.integers(1, 30),
    read=st.integers(1, 500),
)
def test_whatever_is_cut_the_text_is_exact(
    text: str, cuts: list[int], echoes: bool, thinks: bool, size: int, read: int
) -> None:
    line = Line(Model(text, echoes, size, thinks), SSE, cuts, read).run()

    assert text_of(line.received) == text
    assert isinstance(line.next, Finish)
    told = documents(line.received)
    reasons = [c["finishReason"] for d in told for c in d["candidates"] if "finishReason" in c]
    assert reasons == ["STOP"]
    assert len({d["responseId"] for d in told}) == 1


@settings(max_examples=60, deadline=None)
@given(text=stories(), cuts=st.lists(st.integers(1, 10**6), max_size=4), echoes=st.booleans())
def test_a_json_array_is_repaired_as_an_array(text: str, cuts: list[int], echoes: bool) -> None:
    line = Line(Model(text, echoes), ARRAY, cuts).run()

    assert array_text(line.received) == text
    assert isinstance(line.next, Finish)


@settings(max_examples=60, deadline=None)
@given(text=stories(), read=st.integers(1, 400), framing=st.sampled_from([SSE, ARRAY]))
def test_an_undisturbed_stream_is_byte_exact(text: str, read: int, framing: Framing) -> None:
    line = Line(Model(text, echoes=True), framing, [], read).run()

    assert line.received == framing.write(*line.model.responses(line.machine, 0))


@pytest.mark.parametrize("echoes", [True, False])
def test_every_byte_of_a_stream_can_be_its_last(echoes: bool) -> None:
    text = "Die Größe zählt: 中文 and 👩‍💻, ```x = 1``` — a line\nand another one, the end of it."
    whole = len(sse(*Model(text, echoes).responses(StreamMachine(StreamRequest(BODY)), 0)))

    wrong = [
        cut
        for cut in range(1, whole)
        if text_of(Line(Model(text, echoes), SSE, [cut]).run().received) != text
    ]

    assert wrong == []


# -- the edges -----------------------------------------------------------------------------


def opened(decoder: Callable[[], Decoder] = SSEDecoder) -> Intake[StreamMachine]:
    intake = Intake(StreamMachine(StreamRequest(BODY)), decoder)
    intake.opened()
    return intake


def test_a_last_frame_that_lacks_only_its_blank_line_counts_and_is_completed() -> None:
    intake = opened()
    whole = sse(chunk("All of it.", finish="STOP"))
    intake.received(whole[:-4])

    step = intake.ended(How.RESET)

    assert (said(step.out), step.next) == (whole, Finish())


def test_half_a_frame_says_nothing() -> None:
    intake = opened()
    intake.received(sse(chunk("All of it.", finish="STOP"))[:-9])

    assert intake.ended(How.EOF).next == Resume(Cause.DROP)


def test_a_frame_that_is_no_json_interrupts_and_is_not_emitted() -> None:
    intake = opened()
    good = sse(chunk("Some text that is long enough to go on from."))

    step = intake.received(good + b"data: {broken\r\n\r\n" + good)

    assert (said(step.out), step.next) == (good, Resume(Cause.GARBLED))


def test_a_frame_beyond_the_cap_interrupts() -> None:
    intake = opened(lambda: SSEDecoder(100))

    assert intake.received(b"data: " + b"x" * 200).next == Resume(Cause.GARBLED)


def test_frames_that_say_nothing_and_do_not_end_interrupt_each_attempt_anew() -> None:
    intake = opened()
    pings = b":\n\n" * 100_000

    assert intake.received(pings).next is None
    assert intake.received(b":\n\n").next == Resume(Cause.GARBLED)
    intake.opened()
    assert intake.received(pings).next is None


def test_an_unframed_error_at_the_end_of_a_stream_interrupts_it() -> None:
    intake = opened()
    good = sse(chunk("Some text that is long enough to go on from."))
    error = json.dumps({"error": {"code": 503, "message": "overloaded"}}, indent=2).encode()
    intake.received(good + error)

    assert intake.ended(How.EOF).next == Resume(Cause.ERROR_FRAME)


def test_an_error_that_will_not_change_is_passed_on_from_inside_a_stream() -> None:
    intake = opened()

    step = intake.received(sse({"error": {"code": 400, "message": "no", "status": "INVALID"}}))

    assert isinstance(step.next, Fail)


def test_lone_surrogates_travel_and_join_in_the_transcript() -> None:
    intake = opened()
    halves = [
        b'data: {"candidates":[{"content":{"parts":[{"text":"%s"}]}}]}\r\n\r\n' % half
        for half in (b"a\\ud83d", b"\\ude00b")
    ]

    raws = [said(intake.received(half).out) for half in halves]

    assert raws == halves
    assert intake.machine.transcript.text == "a\N{GRINNING FACE}b"


def test_comments_and_blank_lines_of_the_upstream_pass_in_an_undisturbed_stream() -> None:
    intake = opened()
    stream = b": hello\r\n\r\n" + sse(chunk("text")) + b"\r\n"

    assert said(intake.received(stream).out) == stream


# -- another framing than the client asked for --------------------------------------------------


def lines(*responses: Json) -> bytes:
    return b"".join(json.dumps(response).encode() + b"\n" for response in responses)


@settings(max_examples=60, deadline=None)
@given(
    text=stories(),
    cuts=st.lists(st.integers(1, 10**6), max_size=4),
    echoes=st.booleans(),
    read=st.integers(1, 400),
    write=st.sampled_from([array, lines]),
)
def test_json_that_is_cut_is_repaired_as_the_event_stream_that_was_asked_for(
    text: str, cuts: list[int], echoes: bool, read: int, write: Callable[..., bytes]
) -> None:
    framing = Framing(write, SSEDecoder, EventVoice)
    line = Line(Model(text, echoes), framing, cuts, read).run()

    assert text_of(line.received) == text
    assert isinstance(line.next, Finish)


@settings(max_examples=60, deadline=None)
@given(
    text=stories(),
    cuts=st.lists(st.integers(1, 10**6), max_size=4),
    echoes=st.booleans(),
    read=st.integers(1, 400),
)
def test_an_event_stream_that_is_cut_is_repaired_as_the_array_that_was_asked_for(
    text: str, cuts: list[int], echoes: bool, read: int
) -> None:
    framing = Framing(sse, JSONArrayDecoder, ArrayVoice)
    line = Line(Model(text, echoes), framing, cuts, read).run()

    assert array_text(line.received) == text
    assert isinstance(line.next, Finish)


def test_one_object_is_an_event_and_the_content_type_is_ours() -> None:
    intake = opened()
    whole = chunk("All of it.", finish="STOP")
    step = intake.received(json.dumps(whole, indent=2).encode())
    end = intake.ended(How.EOF)

    assert documents(said(step.out + end.out)) == [whole]
    assert end.next == Finish()
    assert intake.misnamed


def test_one_object_without_a_reason_is_a_drop() -> None:
    intake = opened()
    intake.received(json.dumps(chunk("Half of it, and ")).encode())

    assert intake.ended(How.EOF).next == Resume(Cause.DROP)


def test_the_content_type_of_an_answer_as_it_was_asked_for_is_its_own() -> None:
    intake = Intake(StreamMachine(StreamRequest(BODY)), SSEDecoder)

    intake.opened("application/json")
    assert intake.misnamed, "nothing came that says otherwise"
    intake.received(sse(chunk("a")))
    assert not intake.misnamed


@pytest.mark.parametrize("error", [{"error": {"code": 503}}, [{"error": {"code": 503}}]])
def test_a_bare_error_is_judged_as_an_error(error: object) -> None:
    intake = opened()

    assert intake.received(json.dumps(error).encode()).next == Resume(Cause.ERROR_FRAME)


def test_json_that_is_no_generation_is_passed_on_as_it_came() -> None:
    intake = opened()
    body = b'{"ok": true}\n'

    assert intake.received(body) == Step()
    assert intake.ended(How.EOF) == Step((), PassOn(body))
    assert not intake.misnamed


@pytest.mark.parametrize("how", [How.RESET, How.STALLED])
def test_json_that_is_no_generation_is_not_passed_on_when_its_end_did_not_come(how: How) -> None:
    intake = opened()
    intake.received(b'{"ok": true}')

    assert isinstance(intake.ended(how).next, Resume)


def test_json_that_is_no_generation_does_not_continue_one() -> None:
    intake = opened()
    intake.received(sse(chunk("Some text that is long enough to go on from.")))
    intake.ended(How.RESET)
    intake.opened()
    intake.received(b'{"ok": true}')

    assert intake.ended(How.EOF).next == Resume(Cause.DROP)


def test_json_without_an_end_interrupts() -> None:
    intake = opened(lambda: SSEDecoder(100))

    assert intake.received(b'{"x": "' + b"x" * 200).next == Resume(Cause.GARBLED)
