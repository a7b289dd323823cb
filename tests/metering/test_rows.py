"""What a row says of a request, from its account."""

from typing import Any

import pytest

from gemproxy.accounts.user import User
from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.seam.seam import Joint
from gemproxy.exchange.account import (
    CallResult,
    Charge,
    Entry,
    InteractionResult,
    SessionResult,
    StreamResult,
)
from gemproxy.exchange.exchange import Exchange
from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.metering.rows import begun, settled
from gemproxy.metering.running import Running


def running() -> Running:
    return Running(7, User("id", "ann"), "gemini-x", "gemini", 100.0, 1_795_000_000_000, b"{}")


def exchange() -> Exchange:
    return Exchange("request", "stream", "POST", "/v1beta/models/x:generateContent", "", {})


def stream(**fields: Any) -> StreamResult:
    given: dict[str, Any] = {
        "ending": "done",
        "finish_reason": "STOP",
        "attempts": 2,
        "causes": [Cause.DROP],
        "joints": [Joint.PLAIN],
        "seam_ms": [3.4, 2.0],
        "first_byte_ms": 12.6,
        "characters": 40,
        "billed": Billed(),
        "extra_tokens": 0,
        "repair": True,
        "grace_ran_out": False,
        "missing_candidates": 0,
        **fields,
    }
    return StreamResult(**given)


def row_of(one: Exchange) -> Row:
    return settled(one, running(), Ending.DONE, 200, 100.25)


def test_a_row_begins_without_figures() -> None:
    row = begun(exchange(), running())

    assert (row.serial, row.request_id, row.user, row.model) == (7, "request", "ann", "gemini-x")
    assert (row.route, row.dialect, row.ending, row.duration_ms) == ("stream", "gemini", None, None)


def test_both_rows_say_that_the_operators_prompt_was_in_the_request() -> None:
    one, other = exchange(), exchange()
    one.account.injected = True

    assert begun(one, running()).injected
    assert row_of(one).injected
    assert not row_of(other).injected


def test_a_settled_row_has_the_charge_and_the_times() -> None:
    one = exchange()
    one.account.result = stream()
    one.account.charge = Charge(10, 1, 9, 2, 16, 3, 82_000, 16_000, estimated=True)
    row = row_of(one)

    assert (row.input_tokens, row.cached_tokens, row.output_tokens) == (10, 1, 9)
    assert (row.thought_tokens, row.extra_input_tokens, row.extra_output_tokens) == (2, 16, 3)
    assert (row.cost_nano_usd, row.operator_cost_nano_usd, row.estimated) == (82_000, 16_000, True)
    assert (row.first_byte_ms, row.duration_ms, row.seam_ms) == (13, 250, 5)
    assert (row.repairs, row.characters) == (1, 40)


def test_the_attempts_of_a_row_are_those_of_the_account() -> None:
    one = exchange()
    first = Entry(100.0, "K1", 429, how=How.EOF, ended=100.01, cause=Cause.STATUS, project="P1")
    usage = Billed(16, 4, 1, 21)
    last = Entry(100.02, "K2", 200, ended=100.2, bytes=70, usage=usage, project="P2")
    last.form, last.joint, last.answered = Form.ECHO, Joint.ECHO, 100.05
    last.plan, last.anchor, last.seam, last.how = Plan.TEXT, 40, 0.012, How.EOF
    last.characters, last.dropped, last.swallowed = 300, 41, 9
    one.account.entries += [first, last]
    row = row_of(one)

    assert (row.key, row.project, row.attempts, row.first_byte_ms) == ("K2", "P2", 2, 50)
    assert row.tries == (
        Try("K1", 429, "status", "", "", 10, 0, 0, 0, 0, "P1", "eof"),
        Try(
            *("K2", 200, "", "echo", "echo", 180, 70, 16, 4, 1, "P2", "eof"),
            anchor=40,
            characters=300,
            dropped=41,
            swallowed=9,
            seam_ms=12,
            began_ms=20,
            answered_ms=30,
        ),
    )


def test_a_single_attempt_that_broke_off_says_how() -> None:
    one = exchange()
    entry = Entry(100.0, "K1", 200, how=How.RESET, ended=100.1, cause=Cause.DROP, plan=Plan.FIRST)
    one.account.entries.append(entry)
    (kept,) = row_of(one).tries

    assert (kept.how, kept.form, kept.milliseconds) == ("reset", "", 100)


def test_a_single_attempt_is_in_the_row_alone() -> None:
    one = exchange()
    one.account.entries.append(Entry(100.0, "K1", 200, project="P1"))

    assert row_of(one).tries == ()


def test_a_single_attempt_that_broke_off_is_kept_with_its_cause() -> None:
    one = exchange()
    one.account.entries.append(Entry(100.0, "K1", 200, cause=Cause.DROP))

    assert [it.cause for it in row_of(one).tries] == ["drop"]


def test_a_unary_call_has_the_causes_of_its_attempts() -> None:
    one = exchange()
    first = Entry(100.0, "K1", 429, cause=Cause.STATUS)
    one.account.entries += [first, *(Entry(100.0, "K2", 503) for _ in range(3))]
    one.account.result = CallResult(3, [Cause.STATUS, Cause.EMPTY], repair=True)

    assert [it.cause for it in row_of(one).tries] == ["status", "status", "empty", ""]


@pytest.mark.parametrize(("statuses", "repairs"), [((200,), 0), ((429, 200), 0), ((200, 200), 1)])
def test_an_interaction_that_was_read_on_was_repaired(
    statuses: tuple[int, ...], repairs: int
) -> None:
    one = exchange()
    one.account.result = InteractionResult("done", len(statuses), [], 3, None, 4.0, repair=True)
    one.account.entries += [Entry(100.0, "K", status) for status in statuses]

    assert row_of(one).repairs == repairs


def test_a_session_has_neither_characters_nor_a_first_byte() -> None:
    one = exchange()
    one.account.result = SessionResult(1, 1, 1, 1)
    row = row_of(one)

    assert (row.characters, row.repairs, row.first_byte_ms, row.attempts) == (0, 0, None, 0)
