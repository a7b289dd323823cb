"""How a request ended, for its row."""

import pytest

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import How
from gemproxy.exchange.account import (
    Account,
    CallResult,
    Farewell,
    InteractionResult,
    Result,
    SessionResult,
    StreamResult,
)
from gemproxy.ledger.row import Ending
from gemproxy.metering.ending import ending_of

DONE, FAILED, LEFT, SHUTDOWN = Ending.DONE, Ending.FAILED, Ending.CLIENT_LEFT, Ending.SHUTDOWN


def stream(ending: str) -> StreamResult:
    return StreamResult(
        ending=ending,
        finish_reason=None,
        attempts=1,
        causes=[],
        joints=[],
        seam_ms=[],
        first_byte_ms=None,
        characters=0,
        billed=Billed(),
        extra_tokens=0,
        repair=True,
        grace_ran_out=False,
        missing_candidates=0,
    )


def interaction(ending: str | None) -> InteractionResult:
    return InteractionResult(ending, 1, [], 0, None, None, repair=True)


def session(by: str, how: str, code: int = 1000) -> SessionResult:
    return SessionResult(1, 1, 1, 1, Farewell(by, how, code))


def call(upstream: How | None = None) -> CallResult:
    return CallResult(1, [], repair=True, upstream=upstream)


@pytest.mark.parametrize(
    ("result", "status", "ending"),
    [
        (stream("done"), 200, DONE),
        (stream("passed"), 200, DONE),
        (stream("failed"), 200, FAILED),
        (stream("failed"), 429, FAILED),
        (interaction("done"), 200, DONE),
        (interaction(None), 200, DONE),
        (interaction(None), 400, FAILED),
        (interaction("failed"), 200, FAILED),
        (call(), 200, DONE),
        (call(), 400, FAILED),
        (call(How.RESET), 200, FAILED),
        (session("client", "closed"), 101, DONE),
        (session("client", "closed", 1001), 101, DONE),
        (session("upstream", "closed"), 101, DONE),
        (session("upstream", "closed", 1011), 101, FAILED),
        (session("client", "lost"), 101, LEFT),
        (session("client", "silent"), 101, LEFT),
        (session("upstream", "lost"), 101, FAILED),
        (session("proxy", "refused", 1008), 101, FAILED),
        (session("proxy", "shutdown", 1001), 101, SHUTDOWN),
        (None, 200, DONE),
        (None, 404, FAILED),
        (None, 503, FAILED),
        (None, 499, LEFT),
    ],
)
def test_a_request_that_was_not_cancelled(
    result: Result | None, status: int, ending: Ending
) -> None:
    account = Account(result=result)

    assert ending_of(account, status, cancelled=False, expired=False) is ending


@pytest.mark.parametrize(
    ("result", "left", "shut_down"),
    [
        (stream("streaming"), LEFT, SHUTDOWN),
        (stream("splicing"), LEFT, SHUTDOWN),
        (stream("connecting"), LEFT, SHUTDOWN),
        (stream("done"), DONE, DONE),
        (interaction("streaming"), LEFT, SHUTDOWN),
        (interaction("done"), DONE, DONE),
        (call(), LEFT, SHUTDOWN),
        (None, LEFT, SHUTDOWN),
        (SessionResult(1, 1, 0, 0), LEFT, SHUTDOWN),
        (session("client", "lost"), LEFT, LEFT),
    ],
)
def test_a_request_that_was_cancelled(
    result: Result | None, left: Ending, shut_down: Ending
) -> None:
    account = Account(result=result)

    assert ending_of(account, 200, cancelled=True, expired=False) is left
    assert ending_of(account, 200, cancelled=True, expired=True) is shut_down


def test_a_client_that_does_not_read_has_left() -> None:
    account = Account(result=stream("streaming"), client_gone=True)

    assert ending_of(account, 200, cancelled=False, expired=False) is LEFT


def test_an_answer_that_passed_by_and_broke_has_failed() -> None:
    assert ending_of(Account(upstream=How.RESET), 200, cancelled=False, expired=False) is FAILED


def test_a_session_without_a_farewell_has_failed_unless_it_was_cancelled() -> None:
    account = Account(result=SessionResult(1, 1, 0, 0))

    assert ending_of(account, 101, cancelled=False, expired=False) is FAILED


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize(
    "result",
    [stream("streaming"), interaction("splicing"), call(), None, SessionResult(1, 1, 0, 0)],
)
def test_one_that_an_operator_ended_has_failed(result: Result | None, expired: bool) -> None:
    account = Account(result=result, cancelled=True)

    assert ending_of(account, 499, cancelled=True, expired=expired) is FAILED


def test_one_that_was_whole_before_the_operator_ended_it_is_done() -> None:
    account = Account(result=stream("done"), cancelled=True)

    assert ending_of(account, 200, cancelled=True, expired=False) is DONE
