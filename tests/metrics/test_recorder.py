"""What one account adds to the counters."""

import pytest
from multidict import CIMultiDict

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.seam.seam import Joint
from gemproxy.exchange.account import (
    Account,
    CallResult,
    Charge,
    Entry,
    InteractionResult,
    SessionResult,
    Spent,
    StreamResult,
)
from gemproxy.exchange.exchange import Exchange
from gemproxy.metrics import families
from gemproxy.metrics.counts import Counts
from gemproxy.metrics.labels import ModelLabels
from gemproxy.metrics.recorder import End, Recorder

MODEL = "gemini-2.5-flash"
DONE = End(200, "done", 100.0, 103.0, 500)


def counted(account: Account, end: End = DONE, route: str = "stream") -> Counts:
    counts = Counts()
    recorder = Recorder(counts, ModelLabels({MODEL: MODEL}.get), clock=lambda: 7.0)
    exchange = Exchange("my-id", route, "POST", "/x", "", CIMultiDict(), account)
    recorder.ended(exchange, end)
    return counts


def some(counts: Counts, family: families.Family) -> dict[tuple[str, ...], float]:
    """Return the counters of a family that are not 0."""
    return {labels: number for labels, number in counts.counters[family].items() if number}


def times(counts: Counts, family: families.Family) -> dict[tuple[str, ...], int]:
    """Return how many values each histogram of a family has, without empty ones."""
    cells = counts.histograms[family].cells.items()
    return {labels: sum(cell.counts) for labels, cell in cells if sum(cell.counts)}


def stream(**fields: object) -> StreamResult:
    usual: dict[str, object] = {
        "ending": "done",
        "finish_reason": "STOP",
        "attempts": 1,
        "causes": [],
        "joints": [],
        "seam_ms": [],
        "first_byte_ms": 300.0,
        "characters": 9,
        "billed": Billed(),
        "extra_tokens": 0,
        "repair": True,
        "grace_ran_out": False,
        "missing_candidates": 0,
    }
    return StreamResult(**(usual | fields))  # type: ignore[arg-type]  # by name


def test_a_request_has_its_place_and_its_time() -> None:
    counts = counted(Account(model=MODEL))

    assert some(counts, families.REQUESTS) == {("stream", MODEL, "200", "done"): 1}
    assert some(counts, families.RESPONSE_BYTES) == {("stream",): 500}
    cell = counts.histograms[families.REQUEST_SECONDS].cells["stream", MODEL]
    assert cell.sum == 3.0
    assert list(cell.exemplars.values()) == [("my-id", 3.0, 7.0)]


def test_each_attempt_counts_by_its_answer_and_its_key() -> None:
    entries = [
        Entry(100.5, "0a1b2c3d", 429, How.EOF, answered=100.75, ended=101.0),
        Entry(101.0, "4e5f6a7b", None, How.UNREACHABLE, ended=101.5),
        Entry(101.5, "4e5f6a7b", 299, How.EOF, answered=102.0, ended=102.75),
        Entry(102.75, ""),
    ]
    counts = counted(Account(model=MODEL, entries=entries))

    assert some(counts, families.ATTEMPTS) == {
        (MODEL, "429", "0a1b2c3d"): 1,
        (MODEL, "unreachable", "4e5f6a7b"): 1,
        (MODEL, "other", "4e5f6a7b"): 1,
        (MODEL, "none", "client"): 1,
    }
    assert times(counts, families.HEAD_SECONDS) == {(MODEL,): 2}
    assert times(counts, families.ATTEMPT_SECONDS) == {(MODEL,): 3}
    assert counts.histograms[families.OVERHEAD_SECONDS].cells["before",].sum == 0.5
    assert times(counts, families.OVERHEAD_SECONDS) == {("before",): 1}


def test_the_time_behind_the_last_attempt_is_ours() -> None:
    counts = counted(Account(model=MODEL, entries=[Entry(100.5, ended=102.75)]))

    assert counts.histograms[families.OVERHEAD_SECONDS].cells["after",].sum == 0.25


@pytest.mark.parametrize(
    ("ending", "result"),
    [("done", "ok"), ("failed", "gave_up"), ("client_left", "left"), ("shutdown", "left")],
)
def test_an_interrupted_stream_counts_by_its_end(ending: str, result: str) -> None:
    interrupted = stream(
        attempts=3,
        causes=[Cause.DROP, Cause.STALL],
        joints=[Joint.ECHO],
        seam_ms=[400.0],
        finish_reason="INVENTED",
    )
    end = End(200, ending, 100.0, 103.0, 0)
    counts = counted(Account(model=MODEL, result=interrupted), end)

    assert some(counts, families.INTERRUPTIONS) == {(MODEL, "drop"): 1, (MODEL, "stall"): 1}
    assert some(counts, families.RESUMES) == {(result,): 1}
    assert some(counts, families.JOINTS) == {("echo",): 1}
    assert some(counts, families.STREAMS_ENDED) == {(MODEL, ending, "other"): 1}
    assert counts.histograms[families.RESUME_ATTEMPTS].cell(()).sum == 2
    assert counts.histograms[families.REPAIR_DELAY].cell(()).sum == 0.4
    assert times(counts, families.FIRST_CHUNK_SECONDS) == {(MODEL,): 1}


def test_causes_begin_at_zero_with_the_first_request_of_a_model() -> None:
    counts = counted(Account(model=MODEL))

    zeros = counts.counters[families.INTERRUPTIONS]
    assert set(zeros) == {(MODEL, cause.value) for cause in Cause}


def test_tokens_and_money_are_those_of_the_charge() -> None:
    charge = Charge(10, 4, 20, 5, 10, 7, 2_000_000_000, 500_000_000)
    spent = Spent((Billed(prompt=99),), Billed(prompt=99))
    counts = counted(Account(model=MODEL, charge=charge, result=stream(spent=spent)))

    tokens = {(MODEL, "input"): 10, (MODEL, "output"): 20, (MODEL, "thought"): 5}
    assert some(counts, families.TOKENS) == tokens
    assert some(counts, families.CACHED_TOKENS) == {(MODEL,): 4}
    assert some(counts, families.EXTRA_TOKENS) == {("input",): 10, ("output",): 7}
    assert some(counts, families.COST_USD) == {(MODEL, "user"): 2.0, (MODEL, "operator"): 0.5}


def test_without_a_meter_tokens_are_those_that_the_upstream_told() -> None:
    own = Billed(prompt=10, output=20, thoughts=5, cached=4)
    bills = (Billed(prompt=10, output=8), Billed(prompt=12, output=14, thoughts=5))
    counts = counted(Account(model=MODEL, result=stream(spent=Spent(bills, own))))

    tokens = {(MODEL, "input"): 10, (MODEL, "output"): 20, (MODEL, "thought"): 5}
    assert some(counts, families.TOKENS) == tokens
    assert some(counts, families.EXTRA_TOKENS) == {("input",): 12, ("output",): 2}
    assert some(counts, families.COST_USD) == {}


def test_a_model_without_a_price_costs_nothing_that_is_known() -> None:
    counts = counted(Account(model=MODEL, charge=Charge(10, 0, 20)))

    assert counts.counters[families.COST_USD] == {}


def test_other_kinds_of_results_count_too() -> None:
    call = CallResult(2, [Cause.STATUS], repair=True)
    interaction = InteractionResult("done", 1, [], 9, "completed", 100.0, repair=True)

    assert some(counted(Account(result=call)), families.RESUMES) == {("ok",): 1}
    assert some(counted(Account(result=call)), families.STREAMS_ENDED) == {}
    first = times(counted(Account(result=interaction)), families.FIRST_CHUNK_SECONDS)
    assert first == {("none",): 1}
    session = counted(Account(result=SessionResult(1, 2, 3, 4)), route="live")
    assert some(session, families.SESSION_FRAMES) == {("up",): 1, ("down",): 3}
    assert some(session, families.SESSION_BYTES) == {("up",): 2, ("down",): 4}


def test_the_first_failure_is_logged_and_all_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts = Counts()
    recorder = Recorder(counts, ModelLabels({MODEL: MODEL}.get))
    for _ in range(3):
        recorder.failed(RuntimeError("secret"))

    assert some(counts, families.RECORDING_FAILURES) == {(): 3}
    assert len(caplog.records) == 1
