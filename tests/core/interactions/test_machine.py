"""The interaction machine: by playbooks, and cut anywhere under any chunking."""

import json
from typing import Any

import attrs
import pytest

from gemproxy.core.errors import (
    NoFirstByte,
    Unreachable,
    Unrepaired,
    UpstreamFailure,
    UpstreamRejection,
)
from gemproxy.core.interactions.event import EventReceived, read
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Origin, Point
from gemproxy.core.repair.engine import IllegalInput, Patience, State
from gemproxy.core.repair.events import (
    Cause,
    Ended,
    Fail,
    Finish,
    GaveUp,
    How,
    Opened,
    Rejected,
    Resume,
)
from gemproxy.core.wire.frame import Frame
from tests.interaction import (
    COMPLETED,
    CREATED,
    END,
    ONE,
    START,
    THREE,
    TWO,
    WHOLE,
    came,
    raw,
    status,
    text,
)
from tests.playbook import Playbook, Said, Seen

EOF = Ended(How.EOF)
RESET = Ended(How.RESET)
CREATE = Origin(creates=True)
READ = Origin(creates=False, interaction_id="v1_a", last_event_id="e0")


def machine(origin: Origin = CREATE, **more: Any) -> InteractionMachine:
    return InteractionMachine(origin, **more)


def fails(code: str | int, message: str) -> Any:
    """Expect an error that comes from the upstream."""

    def check(action: Seen) -> bool:
        if not isinstance(action, Fail):
            return False
        error = action.error.payload()["error"]
        return (error.get("code"), error.get("message")) == (code, message)

    return check


DROPPED = Fail(Unrepaired(""))


def passing(play: Playbook, *events: bytes) -> Playbook:
    for event in events:
        play = play >> came(event) << Said(event)
    return play


def test_a_whole_stream_passes_as_it_came() -> None:
    unit = machine()

    assert passing(Playbook(unit) >> Opened(), *WHOLE) >> EOF << Finish()
    assert (unit.state, unit.status, unit.progress) == (State.DONE, "completed", 6)
    assert unit.causes == []


def test_a_stream_is_read_on_behind_its_last_event() -> None:
    unit = machine()

    play = passing(Playbook(unit) >> Opened(), CREATED, START, ONE, TWO)
    play = play >> RESET << Resume(Cause.DROP)
    assert unit.next_request == Point("v1_a", "e2")
    assert passing(play >> Opened(), THREE, COMPLETED, END) >> EOF << Finish()


def test_what_is_told_twice_is_left_out() -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, ONE, TWO) >> EOF << Resume(Cause.DROP)
    play = play >> Opened() >> came(ONE) >> came(TWO)
    play = passing(play, THREE) >> came(TWO)
    assert passing(play, COMPLETED, END) >> EOF << Finish()


def test_comments_are_left_out_until_there_is_news() -> None:
    comment = EventReceived(Frame(b": hello\n\n", None), read(None))

    play = Playbook(machine()) >> Opened() >> comment << Said(b": hello\n\n")
    play = passing(play, CREATED, ONE) >> EOF << Resume(Cause.DROP)
    play = play >> Opened() >> comment
    assert passing(play, TWO) >> comment << Said(b": hello\n\n")


def test_an_interaction_without_ids_is_told_again_from_its_beginning() -> None:
    first, second = text("one "), text("two ")
    unit = machine()

    play = passing(Playbook(unit) >> Opened(), CREATED, status(), START, first) >> RESET
    play = play << Resume(Cause.DROP)
    assert unit.next_request == Point("v1_a")
    for event in (CREATED, status(), START, first):
        play = play >> Opened() if event is CREATED else play
        play = play >> came(event)
    assert passing(play, second, COMPLETED, END) >> EOF << Finish()


def test_a_story_that_is_told_otherwise_is_not_joined() -> None:
    unit = machine()

    play = passing(Playbook(unit) >> Opened(), CREATED, ONE, text("tw")) >> EOF
    play = play << Resume(Cause.DROP) >> Opened() >> came(text("two"))
    assert play << Fail(Unrepaired(""))
    assert unit.causes == [Cause.DROP, Cause.DIVERGED]


def test_an_end_before_the_replay_has_come_to_the_last_id_is_none() -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, ONE) >> EOF << Resume(Cause.DROP)
    play = play >> Opened() >> came(CREATED) >> came(text("plain"))
    assert play >> came(END) << DROPPED


@pytest.mark.parametrize("origin", [Origin(creates=True, keeps=False), CREATE])
def test_nothing_is_read_on_that_is_not_kept_or_has_no_name(origin: Origin) -> None:
    play = Playbook(machine(origin)) >> Opened()
    if not origin.keeps:
        play = passing(play, CREATED, ONE)
    assert play >> RESET << DROPPED


def test_nothing_is_read_on_when_repair_is_off() -> None:
    play = passing(Playbook(machine(repair=False)) >> Opened(), CREATED, ONE)
    assert play >> EOF << DROPPED


@pytest.mark.parametrize("how", list(How))
def test_behind_the_completion_only_the_end_mark_is_missing(how: How) -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, ONE, COMPLETED)
    assert play >> Ended(how) << Said(END) << Finish()


def test_the_end_mark_is_written_like_the_stream() -> None:
    completed = COMPLETED.replace(b"\n", b"\r\n").partition(b"\r\n")[2]

    play = passing(Playbook(machine()) >> Opened(), completed)
    assert play >> EOF << Said(b"data: [DONE]\r\n\r\n") << Finish()


def test_no_end_mark_is_added_when_repair_is_off() -> None:
    play = passing(Playbook(machine(repair=False)) >> Opened(), CREATED, COMPLETED)
    assert play >> EOF << Finish()


@pytest.mark.parametrize("how", [How.EOF, How.RESET, How.STALLED])
def test_behind_the_end_mark_every_end_is_one(how: How) -> None:
    play = passing(Playbook(machine()) >> Opened(), *WHOLE)
    assert play >> Ended(how) << Finish()


# -- before there is an answer ------------------------------------------------------------


def test_a_creation_is_made_again_only_when_it_never_arrived() -> None:
    unit = machine()

    play = Playbook(unit) >> Ended(How.UNREACHABLE) << Resume(Cause.UNREACHABLE)
    assert unit.next_request is None
    assert passing(play >> Opened(), *WHOLE) >> EOF << Finish()


@pytest.mark.parametrize("how", [How.RESET, How.NO_FIRST_BYTE, How.GARBLED, How.STALLED])
def test_a_creation_that_may_have_arrived_is_not_made_again(how: How) -> None:
    error = NoFirstByte("") if how is How.NO_FIRST_BYTE else UpstreamFailure("")
    assert Playbook(machine()) >> Ended(how) << Fail(error)


def test_a_body_that_is_gone_cannot_be_sent_again() -> None:
    origin = attrs.evolve(CREATE, again=False)
    assert Playbook(machine(origin)) >> Ended(How.UNREACHABLE) << Fail(Unreachable(""))


@pytest.mark.parametrize("code", [400, 404, 429, 500, 503])
def test_a_refused_creation_is_refused(code: int) -> None:
    assert Playbook(machine()) >> Rejected(code, b"") << Fail


def test_the_clients_own_read_is_made_again() -> None:
    unit = machine(READ)

    play = Playbook(unit) >> Ended(How.RESET) << Resume(Cause.DROP)
    play = play >> Rejected(503, b"") << Resume(Cause.STATUS)
    assert unit.next_request is None
    play = play >> Opened() >> RESET << Resume(Cause.DROP)
    assert unit.next_request == Point("v1_a", "e0")
    play = passing(play >> Opened(), TWO) >> RESET << Resume(Cause.DROP)
    assert unit.next_request == Point("v1_a", "e2")
    assert passing(play >> Opened(), THREE, COMPLETED, END) >> EOF << Finish()


def test_when_the_pacing_gives_up_the_last_error_is_happened() -> None:
    unit = machine(READ)
    play = Playbook(unit) >> Ended(How.UNREACHABLE) << Resume(Cause.UNREACHABLE)
    assert play >> GaveUp("enough") << Fail(Unreachable(""))

    play = Playbook(machine(READ)) >> Opened() >> EOF << Resume(Cause.DROP)
    assert play >> GaveUp("enough") << Fail(Unrepaired(""))


# -- refusals to read on ------------------------------------------------------------------


def broken(**more: Any) -> Playbook:
    play = passing(Playbook(machine(**more)) >> Opened(), CREATED, ONE)
    return play >> RESET << Resume(Cause.DROP)


@pytest.mark.parametrize("code", [400, 401, 403, 410, 501])
def test_a_refusal_to_read_on_ends_loudly(code: int) -> None:
    assert (
        broken() >> Rejected(code, b'{"error":{"code":"x","message":"gone"}}') << fails("x", "gone")
    )


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504])
def test_a_server_that_is_down_is_asked_again(code: int) -> None:
    assert broken() >> Rejected(code, b"", 7) << Resume(Cause.STATUS, 7)


def test_a_server_that_asks_for_too_much_is_asked_again_at_our_own_pace() -> None:
    play = broken(retry_after_limit=30) >> Rejected(503, b"", 31) << Resume(Cause.STATUS)
    assert play >> Rejected(503, b"", 5) << Resume(Cause.STATUS)


RETRY_INFO = json.dumps(
    {"error": {"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "3s"}]}}
).encode()


def test_a_quota_is_waited_for_once_and_then_read_on_at_our_own_pace() -> None:
    play = broken() >> Rejected(429, RETRY_INFO) << Resume(Cause.STATUS, 3, elsewhere=True)
    assert play >> Rejected(429, RETRY_INFO) << Resume(Cause.STATUS)


@pytest.mark.parametrize(("status", "seconds"), [(404, None), (429, None), (429, 31)])
def test_reading_on_costs_nothing_and_is_tried_until_the_pacing_ends_it(
    status: int, seconds: float | None
) -> None:
    play = broken(retry_after_limit=30) >> Rejected(status, b"", seconds) << Resume(Cause.STATUS)
    assert play >> GaveUp("enough") << Fail


@pytest.mark.parametrize("status", [404, 429])
def test_a_read_of_the_client_that_never_began_is_refused_at_once(status: int) -> None:
    assert Playbook(machine(READ)) >> Rejected(status, b"") << Fail


# -- errors in the stream -----------------------------------------------------------------

FAULT = raw("error", error={"code": "gateway_timeout", "message": "late"})
OWN = raw("error", error={"code": "invalid_tool", "message": "no"})
UNFRAMED = Frame(b"x", b'[{"error":{"code":503,"message":"down"}}]')


def test_an_error_of_the_way_is_not_shown() -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, ONE)
    play = play >> came(FAULT) << Resume(Cause.ERROR_FRAME)
    assert passing(play >> Opened(), TWO, COMPLETED, END) >> EOF << Finish()


def test_an_error_that_comes_again_is_the_interactions_own() -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, ONE)
    play = play >> came(FAULT) << Resume(Cause.ERROR_FRAME) >> Opened()
    assert passing(play, FAULT) >> EOF << Finish()


def test_an_error_before_the_replay_has_caught_up_is_of_the_way() -> None:
    plain = text("one")
    play = passing(Playbook(machine()) >> Opened(), CREATED, plain)
    for _ in range(3):
        play = play >> came(FAULT) << Resume(Cause.ERROR_FRAME) >> Opened() >> came(CREATED)
    play = play >> came(plain)
    assert passing(play, FAULT) >> EOF << Finish()


def test_an_error_of_the_interaction_in_a_replay_doubles_no_event() -> None:
    own = raw("error", error={"code": "invalid_request", "message": "mine"})
    plain, more = text("a"), text("b")
    play = passing(Playbook(machine()) >> Opened(), CREATED, ONE, plain, more)
    play = play >> RESET << Resume(Cause.DROP)
    play = passing(play >> Opened() >> came(plain), own) >> came(more)
    play = play >> RESET << DROPPED
    assert play


def test_an_error_behind_the_end_is_none_of_it() -> None:
    play = passing(Playbook(machine()) >> Opened(), *WHOLE, FAULT)
    assert passing(play, b'data: {"error": {"code": 503}}\n\n') >> RESET << Finish()


def test_an_error_of_the_interaction_passes_and_ends_it() -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, OWN)
    assert play >> EOF << Finish()


def test_a_cut_behind_an_error_stays_a_cut() -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, OWN)
    assert play >> RESET << DROPPED


def test_a_stream_may_go_on_behind_an_error() -> None:
    play = passing(Playbook(machine()) >> Opened(), CREATED, OWN, ONE)
    assert play >> EOF << Resume(Cause.DROP)


def test_an_error_of_the_way_passes_where_nothing_can_be_read_on() -> None:
    play = Playbook(machine(attrs.evolve(CREATE, keeps=False))) >> Opened()
    assert passing(play, CREATED, FAULT) >> EOF << Finish()


def test_an_unframed_error_is_asked_again_as_often_as_the_pacing_lets() -> None:
    unframed = EventReceived(UNFRAMED, read(UNFRAMED.data))
    play = passing(Playbook(machine()) >> Opened(), CREATED, ONE)
    for _ in range(3):
        play = play >> unframed << Resume(Cause.ERROR_FRAME) >> Opened()
    play = play >> unframed << Resume(Cause.ERROR_FRAME)
    assert play >> GaveUp("enough") << fails(503, "down")


def test_an_unframed_error_is_told_in_the_streams_dialect_where_nothing_can_be_read_on() -> None:
    unframed = EventReceived(UNFRAMED, read(UNFRAMED.data))
    play = passing(Playbook(machine(repair=False)) >> Opened(), CREATED)
    assert play >> unframed << (lambda action: isinstance(action, Fail))


# -- what the relay asks ------------------------------------------------------------------


def test_patience_is_for_the_moment() -> None:
    unit = machine()
    assert unit.patience is Patience.FIRST_BYTE
    for event, patience in [
        (CREATED, Patience.THINKING),
        (START, Patience.THINKING),
        (ONE, Patience.CHUNK),
        (raw("step.stop", index=0), Patience.THINKING_ON),
        (COMPLETED, Patience.FINISH),
        (END, Patience.FINISH),
    ]:
        if event is CREATED:
            unit.receive(Opened())
        unit.receive(came(event))
        assert unit.patience is patience


@pytest.mark.parametrize(
    ("events", "goes_on"),
    [
        ([CREATED], False),
        ([CREATED, status(continuation_token="t")], True),
        ([CREATED, status(continuation_token="t"), status()], True),
        ([CREATED, status(continuation_token="t"), ONE], False),
        ([CREATED, status(continuation_token="t"), COMPLETED], False),
    ],
)
def test_the_sdks_go_on_by_themselves_from_a_token(events: list[bytes], goes_on: bool) -> None:
    unit = machine(attrs.evolve(CREATE, keeps=False))
    unit.receive(Opened())
    for event in events:
        unit.receive(came(event))

    assert fails_silently(unit, came(b'data: {"error": {"code": 503}}\n\n')) is goes_on


def fails_silently(unit: InteractionMachine, event: Any) -> bool:
    """Return whether the client's connection is to be cut without a word after ``event``."""
    (action,) = unit.receive(event)
    assert isinstance(action, Fail)
    return action.silently


def test_a_clients_own_token_is_one_to_go_on_from() -> None:
    assert fails_silently(machine(Origin.of_body(b'{"continuation_token":"t"}')), GaveUp("enough"))
    assert not fails_silently(machine(READ), GaveUp("enough"))
    assert not fails_silently(machine(CREATE), GaveUp("enough"))


def test_a_creation_that_the_key_was_refused_is_made_with_another() -> None:
    quota = b'{"error": {"status": "RESOURCE_EXHAUSTED", "message": "Resource exhausted."}}'
    refused = Rejected(429, quota, another=True)
    once = attrs.evolve(CREATE, again=False)

    assert Playbook(machine()) >> refused << Resume(Cause.STATUS, at_once=True, elsewhere=True)
    assert (
        Playbook(machine()) >> Rejected(503, b"", another=True) << Fail(UpstreamRejection(503, b""))
    )
    assert isinstance(machine(once).receive(refused)[0], Fail)


def test_an_impossible_input_is_refused() -> None:
    with pytest.raises(IllegalInput):
        machine().receive(came(ONE))


def test_nothing_comes_after_the_end() -> None:
    unit = machine(READ)
    for event in (Opened(), came(END), EOF):
        unit.receive(event)

    with pytest.raises(IllegalInput):
        unit.receive(EOF)
