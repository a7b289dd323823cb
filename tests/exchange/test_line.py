"""The access log's line: the names of its fields, and when each is there."""

from typing import Any

import pytest

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.seam.seam import Joint
from gemproxy.exchange.account import (
    CallResult,
    Charge,
    Entry,
    Farewell,
    GenerationCost,
    InteractionResult,
    Result,
    SessionResult,
    StreamResult,
)
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.line import line
from gemproxy.exchange.trace import Trace

BILLED = Billed(prompt=3, output=2, thoughts=1, total=6)
TOKENS = {"prompt": 3, "output": 2, "thoughts": 1, "total": 6}
EVERY_LINE = {
    "route": "stream",
    "method": "POST",
    "path": "/v1/m",
    "status": 200,
    "bytes": 7,
    "duration_ms": 1234.6,
}
STREAM = {
    "ending": "done",
    "finish_reason": "STOP",
    "attempts": 2,
    "causes": ["drop"],
    "joints": ["echo"],
    "seam_ms": [1.5],
    "first_byte_ms": 12.5,
    "characters": 99,
    "tokens": TOKENS,
    "extra_tokens": 4,
    "repair": True,
}


def exchange() -> Exchange:
    return Exchange("id", "stream", "POST", "/v1/m", "key=test-key", {})


def fields(result: Result | None) -> dict[str, Any]:
    """Return what a result adds to a line."""
    given = exchange()
    given.account.result = result
    found = line(given, 200, 7, 1.23456)
    assert found.items() >= EVERY_LINE.items()
    return {name: value for name, value in found.items() if name not in EVERY_LINE}


def stream(*, grace_ran_out: bool, missing_candidates: int) -> StreamResult:
    return StreamResult(
        ending="done",
        finish_reason="STOP",
        attempts=2,
        causes=[Cause.DROP],
        joints=[Joint.ECHO],
        seam_ms=[1.5],
        first_byte_ms=12.5,
        characters=99,
        billed=BILLED,
        extra_tokens=4,
        repair=True,
        grace_ran_out=grace_ran_out,
        missing_candidates=missing_candidates,
    )


def test_a_request_that_nobody_ran_has_the_fields_of_every_line() -> None:
    assert fields(None) == {}


def test_the_handlers_own_fields_are_there_when_they_say_something() -> None:
    given = exchange()
    given.account.model = ""
    given.account.client_gone = True
    given.account.upstream = How.NO_FIRST_BYTE

    found = line(given, 499, 0, 0.0)

    expected = {"model": "", "client": "gone", "upstream": "no_first_byte"}
    assert found.items() >= expected.items()
    assert "injected" not in found


def test_a_request_with_the_operators_prompt_says_so() -> None:
    given = exchange()
    given.account.injected = True

    assert line(given, 200, 0, 0.0)["injected"] is True


def test_a_traced_request_names_its_trace() -> None:
    given = exchange()
    assert "trace_id" not in line(given, 200, 0, 0.0)
    given.account.trace = Trace(0xABC, 0xDEF, 1)
    found = line(given, 200, 0, 0.0)

    assert (found["trace_id"], found["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")


def test_a_stream() -> None:
    assert fields(stream(grace_ran_out=False, missing_candidates=0)) == STREAM


def test_a_stream_that_ended_oddly_says_so() -> None:
    odd = {"grace_ran_out": True, "missing_candidates": 2}

    assert fields(stream(grace_ran_out=True, missing_candidates=2)) == STREAM | odd


@pytest.mark.parametrize("ending", ["done", None])
def test_an_interaction_has_an_ending_where_it_was_a_stream(ending: str | None) -> None:
    result = InteractionResult(ending, 2, [Cause.STALL], 5, "completed", None, repair=False)

    assert fields(result) == ({"ending": ending} if ending else {}) | {
        "attempts": 2,
        "causes": ["stall"],
        "events": 5,
        "status_of_interaction": "completed",
        "first_byte_ms": None,
        "repair": False,
    }


def test_a_unary_call_says_what_it_cost_where_it_was_a_generation() -> None:
    call = {"attempts": 3, "causes": ["status"], "repair": True}
    cost = {"finish_reason": "STOP", "tokens": TOKENS, "extra_tokens": 4}

    assert fields(CallResult(3, [Cause.STATUS], repair=True)) == call
    generation = GenerationCost("STOP", BILLED, 4)
    assert fields(CallResult(3, [Cause.STATUS], True, generation)) == call | cost
    broken = CallResult(3, [Cause.STATUS], repair=True, upstream=How.RESET)
    assert fields(broken) == call | {"upstream": "reset"}


def test_a_session_says_how_it_ended_once_it_has() -> None:
    counted = {"frames_up": 1, "bytes_up": 2, "frames_down": 3, "bytes_down": 4}
    ended = {"ended": "closed", "ended_by": "upstream", "close_code": 1008}

    assert fields(SessionResult(1, 2, 3, 4)) == counted
    farewell = Farewell("upstream", "closed", 1008)
    assert fields(SessionResult(1, 2, 3, 4, farewell)) == counted | ended


def test_no_line_holds_the_query() -> None:
    assert "test-key" not in str(line(exchange(), 200, 7, 0.0))


def test_a_caller_with_an_access_key_is_named_with_the_keys_that_served() -> None:
    given = exchange()
    given.account.access = "ann"
    given.account.entries += [Entry(0, "0a1b2c3d"), Entry(1, "99aabbcc"), Entry(2)]

    found = line(given, 200, 7, 1.23456)

    assert (found["access"], found["keys"]) == ("ann", ["0a1b2c3d", "99aabbcc"])
    assert "keys" not in fields(None)


def test_each_refused_key_of_a_pool_is_an_attempt() -> None:
    given = exchange()
    given.account.result = CallResult(1, [], repair=True)
    given.account.access = "ann"
    given.account.entries += [Entry(0.0, "0a1b2c3d"), Entry(1.0, "99aabbcc")]

    assert line(given, 200, 1, 0.1)["attempts"] == 2
    assert given.account.attempts == 2


def test_a_charge_has_the_names_of_the_ledger() -> None:
    given = exchange()
    given.account.charge = Charge(10, 4, 9, 1, 16, 0, 100, 20)
    said = line(given, 200, 0, 0.0)

    assert {
        "input_tokens": 10,
        "cached_tokens": 4,
        "output_tokens": 9,
        "thought_tokens": 1,
        "extra_input_tokens": 16,
        "extra_output_tokens": 0,
        "cost_nano_usd": 100,
        "operator_cost_nano_usd": 20,
    }.items() <= said.items()
    assert "estimated" not in said
    assert said["attempts"] == 1


def test_a_charge_without_a_price_names_no_money() -> None:
    given = exchange()
    given.account.charge = Charge(10, estimated=True)
    said = line(given, 200, 0, 0.0)

    assert said["input_tokens"] == 10
    assert said["estimated"] is True
    assert not {"cost_nano_usd", "operator_cost_nano_usd"} & said.keys()
