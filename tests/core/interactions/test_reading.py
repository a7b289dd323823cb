"""An interaction from its bytes: cut anywhere, under any chunking."""

import itertools
from functools import partial

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Origin, Point
from gemproxy.core.interactions.reading import INTERACTION
from gemproxy.core.repair.events import Cause, Fail, Finish, How, Resume
from gemproxy.core.repair.intake import Intake, Step
from gemproxy.core.wire.sse import SSEDecoder
from tests.interaction import COMPLETED, CREATED, END, ONE, TWO, came, raw
from tests.playbook import said

CREATE = Origin(creates=True)
READ = Origin(creates=False, interaction_id="v1_a", last_event_id="e0")


@attrs.define
class Upstream:
    """Keeps an interaction, and tells it from any event on, cut after so many bytes."""

    events: list[bytes]
    cuts: list[int]
    overlap: int = 0

    def tell(self, point: Point | None) -> tuple[bytes, bool]:
        """Return a body, and whether it is the last."""
        last_id = point.last_event_id if point else None
        ids = [came(event).event.id for event in self.events]
        begin = ids.index(last_id) + 1 if last_id is not None else 0
        while begin and (self.overlap or ids[begin - 1] is None) and ids[begin - 1] != last_id:
            begin -= 1
        body = b"".join(self.events[max(0, begin - self.overlap * (begin > 0)) :])
        if not self.cuts:
            return body, True
        cut = self.cuts.pop(0)
        return body[: cut % (len(body) + 1)], False


def play(upstream: Upstream, sizes: list[int], ends: list[How]) -> tuple[bytes, object]:
    """Return what a client gets, and the verdict."""
    intake = Intake(InteractionMachine(CREATE), SSEDecoder, INTERACTION)
    pieces, hows = itertools.cycle(sizes), itertools.cycle(ends)
    got = b""
    while True:
        body, _ = upstream.tell(intake.machine.next_request)
        step = intake.opened()
        while body and step.next is None:
            size = next(pieces)
            piece, body = body[:size], body[size:]
            step = intake.received(piece)
            got += said(step.out)
        if step.next is None:
            step = intake.ended(next(hows))
            got += said(step.out)
        if not isinstance(step.next, Resume):
            return got, step.next


def story(words: list[str], every: int, eol: str = "\n") -> list[bytes]:
    """Return a whole stream in which every so-many-th piece of text has an id."""
    pieces = [
        raw(
            "step.delta",
            f"e{number}" if every and number % every == 0 else None,
            eol,
            delta={"type": "text", "text": word},
        )
        for number, word in enumerate(words)
    ]
    end = END.replace(b"\n", eol.encode())
    created = CREATED.replace(b"\n", eol.encode())
    return [created, *pieces, COMPLETED.replace(b"\n", eol.encode()), end]


WORDS = st.lists(st.sampled_from(["a", "ab", "größer", "测试", "\n\n", "data: "]), max_size=8)


@given(
    WORDS,
    st.integers(0, 3),
    st.lists(st.integers(0, 10_000), max_size=4),
    st.lists(st.integers(1, 90), min_size=1, max_size=5),
    st.lists(st.sampled_from(list(How)), min_size=1, max_size=3),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_chunking_and_any_cuts_give_the_same_bytes(
    words: list[str],
    every: int,
    cuts: list[int],
    sizes: list[int],
    ends: list[How],
    eol: str,
) -> None:
    events = story(words, every, eol)
    size, least = sum(map(len, events)), len(events[0])
    named = [least + cut % (size - least + 1) for cut in cuts[:1]]  # the id has to be known
    upstream = Upstream(events, named + cuts[1:])

    got, verdict = play(upstream, sizes, ends)

    assert got == b"".join(events)
    assert isinstance(verdict, Finish)


@pytest.mark.parametrize("every", [1, 2, 0])
@pytest.mark.parametrize("overlap", [0, 1])
def test_a_cut_at_each_byte_gives_the_same_bytes(every: int, overlap: int) -> None:
    events = story(["one ", "zwei: äöü ", "三", "four"], every)
    whole = b"".join(events)
    for cut in range(len(events[0]) - 2, len(whole) + 1):
        got, verdict = play(Upstream(events, [cut], overlap if every else 0), [7], [How.RESET])
        assert got == whole
        assert isinstance(verdict, Finish)


def test_half_an_event_is_never_shown() -> None:
    intake = Intake(InteractionMachine(attrs.evolve(CREATE, keeps=False)), SSEDecoder, INTERACTION)
    intake.opened()
    assert said(intake.received(CREATED + ONE[:-9]).out) == CREATED
    step = intake.ended(How.EOF)
    assert step.out == ()
    assert isinstance(step.next, Fail)


def test_an_event_that_lacks_only_its_end_is_one() -> None:
    intake = Intake(InteractionMachine(READ), SSEDecoder, INTERACTION)
    intake.opened()
    intake.received(ONE + TWO.rstrip())
    step = intake.ended(How.RESET)
    assert (said(step.out), step.next) == (TWO, Resume(Cause.DROP))
    assert intake.machine.next_request == Point("v1_a", "e2")


def test_an_unframed_error_at_the_end_is_an_error() -> None:
    intake = Intake(InteractionMachine(READ), SSEDecoder, INTERACTION)
    intake.opened()
    intake.received(ONE + b'[{\n  "error": {\n    "code": 503,\n')
    intake.received(b'    "message": "down"\n  }\n}\n]\n')
    assert intake.ended(How.EOF) == Step((), Resume(Cause.ERROR_FRAME))


def test_an_event_beyond_the_cap_and_one_that_is_no_json_are_interruptions() -> None:
    intake = Intake(InteractionMachine(READ), partial(SSEDecoder, 500), INTERACTION)
    intake.opened()
    assert intake.received(b"data: " + b"x" * 600).next == Resume(Cause.GARBLED)
    intake.opened()
    step = intake.received(ONE + b"data: {oops\n\n" + TWO)
    assert (said(step.out), step.next) == (ONE, Resume(Cause.GARBLED))


def test_what_never_opened_is_told_to_the_machine() -> None:
    intake = Intake(InteractionMachine(READ), SSEDecoder, INTERACTION)
    assert intake.failed_to_open(How.UNREACHABLE).next == Resume(Cause.UNREACHABLE)
    assert intake.rejected(503, b"", 2).next == Resume(Cause.STATUS, 2)
    assert isinstance(intake.gave_up("enough").next, Fail)


def test_an_events_beginning_that_has_no_data_is_not_passed_on_at_the_end() -> None:
    for begun in (b": ping", b"event: step.delta\n", b"data:\n"):
        intake = Intake(InteractionMachine(READ), SSEDecoder, INTERACTION)
        intake.opened()
        assert said(intake.received(ONE + begun).out) == ONE
        assert intake.ended(How.RESET) == Step((), Resume(Cause.DROP))


def test_pings_are_passed_on_without_end() -> None:
    intake = Intake(InteractionMachine(READ), SSEDecoder, INTERACTION)
    intake.opened()
    pings = b": ping\n\n" * 100_001

    step = intake.received(pings)
    assert (said(step.out), step.next) == (pings, None)


def test_events_are_never_renamed_and_always_a_stream() -> None:
    intake = Intake(InteractionMachine(READ), SSEDecoder, INTERACTION)
    for content_type in ("text/event-stream", "application/json", ""):
        intake.opened(content_type)
        assert (intake.misnamed, intake.undecided) == (False, False)
        assert intake.ended(How.RESET).next == Resume(Cause.DROP)
