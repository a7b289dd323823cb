"""One record out of those of several generations."""

from typing import Any

import attrs
import pytest

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import Cause
from gemproxy.exchange.account import Account, Entry, Result, Spent, StreamResult
from gemproxy.exchange.parting import join, part
from gemproxy.exchange.trace import Trace

BILL = Billed(prompt=5, output=2, total=7)
DONE = StreamResult(
    "done", "STOP", 1, [], [], [], 3.0, 10, BILL, 0, True, False, 0, Spent((BILL,), BILL)
)


def joined(*results: Result | None, entries: tuple[float, ...] = ()) -> Account:
    account = Account("ann", "m")
    parts = [part(account) for _ in results]
    for one, result in zip(parts, results, strict=True):
        one.result = result
    for number, began in enumerate(entries):
        parts[number % len(parts)].entries.append(Entry(began))
    join(account, parts)
    return account


def result(account: Account) -> StreamResult:
    assert isinstance(account.result, StreamResult)
    return account.result


def test_a_part_is_of_the_same_access_key_and_model() -> None:
    whole = Account("ann", "m", memo="trip", metered="row", trace=Trace(1, 2, 3))
    one = part(whole)

    assert (one.access, one.model, one.memo, one.metered) == ("ann", "m", None, None)
    assert one.trace is whole.trace


def test_attempts_are_in_the_order_of_their_time() -> None:
    account = joined(DONE, DONE, entries=(3.0, 1.0, 2.0))

    assert [entry.began for entry in account.entries] == [1.0, 2.0, 3.0]


def test_figures_are_summed_up() -> None:
    cut = attrs.evolve(DONE, attempts=2, causes=[Cause.DROP], first_byte_ms=1.0, characters=4)
    told = result(joined(DONE, cut))

    assert (told.ending, told.attempts, told.causes) == ("done", 3, [Cause.DROP])
    assert (told.first_byte_ms, told.characters) == (1.0, 14)
    assert told.billed == BILL + BILL
    assert told.spent == Spent((BILL, BILL), BILL + BILL)


@pytest.mark.parametrize("ending", ["failed", "streaming", "connecting"])
def test_the_worst_ending_is_that_of_all(ending: str) -> None:
    other = attrs.evolve(DONE, ending=ending, finish_reason=None, spent=None)

    told = result(joined(DONE, other))

    assert (told.ending, told.finish_reason) == (ending, None)
    assert told.spent == Spent((BILL,), BILL)


def test_one_that_was_never_begun_is_a_failure() -> None:
    assert result(joined(DONE, None)).ending == "failed"


def test_without_any_there_is_no_result() -> None:
    assert joined(None, None).result is None


@pytest.mark.parametrize(("flag", "value"), [("estimated", True), ("unread", True)])
def test_doubts_about_one_are_doubts_about_all(flag: str, value: Any) -> None:
    doubtful = attrs.evolve(DONE, spent=attrs.evolve(Spent((BILL,), BILL), **{flag: value}))

    assert getattr(result(joined(DONE, doubtful)).spent, flag) is value
