"""The trace of a request that comes in: W3C Trace Context, and who decides what is recorded."""

import logging

import pytest
from multidict import CIMultiDict

from gemproxy.exchange.trace import Trace
from gemproxy.tracing.context import Entrance

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{PARENT}-01"


def trace(*headers: tuple[str, str], **choices: bool | float) -> Trace:
    return Entrance(**choices).trace(CIMultiDict(headers))  # type: ignore[arg-type]  # by name


def test_a_request_without_a_parent_begins_a_trace() -> None:
    made = trace()

    assert made.parent_id == 0
    assert made.trace_id
    assert made.span_id
    assert made.flags == 3  # sampled, and a random id
    assert made.fields() == {
        "trace_id": f"{made.trace_id:032x}",
        "span_id": f"{made.span_id:016x}",
    }


@pytest.mark.parametrize(
    "value",
    [
        VALID,
        f" {VALID}\t",
        f"01-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-a-later-version-adds",
    ],
)
def test_a_valid_parent_is_continued(value: str) -> None:
    made = trace(("traceparent", value), ("tracestate", "a=1,b=2"))

    assert f"{made.trace_id:032x}" == TRACE
    assert f"{made.parent_id:016x}" == PARENT
    assert f"{made.span_id:016x}" != PARENT
    assert made.sampled
    assert made.state == "a=1,b=2"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0x",
        f"00_{TRACE}_{PARENT}_01",
        f"{VALID}, {VALID}",
        VALID + "-" + "x" * 5000,
    ],
)
def test_an_invalid_parent_begins_a_new_trace(value: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = trace(("traceparent", value), ("tracestate", "a=1"))

    assert made.parent_id == 0
    assert f"{made.trace_id:032x}" != TRACE
    assert made.state == ""
    assert not caplog.records


def test_two_parents_are_none() -> None:
    assert trace(("traceparent", VALID), ("traceparent", VALID)).parent_id == 0


def test_several_headers_of_the_state_are_one_list() -> None:
    made = trace(("traceparent", VALID), ("tracestate", "a=1"), ("tracestate", "b=2"))

    assert made.state == "a=1,b=2"


def test_a_parent_can_be_refused() -> None:
    assert trace(("traceparent", VALID), accept=False).parent_id == 0


def test_an_unrecorded_parent_stays_unrecorded() -> None:
    made = trace(("traceparent", VALID[:-1] + "0"))

    assert f"{made.trace_id:032x}" == TRACE
    assert not made.sampled


def test_the_random_flag_of_level_2_is_kept() -> None:
    assert trace(("traceparent", VALID[:-1] + "3")).flags == 3
    assert trace(("traceparent", VALID)).flags == 1


def test_nothing_is_recorded_at_a_share_of_0() -> None:
    assert not trace(share=0.0).sampled
    assert not trace(("traceparent", VALID), share=0.0).sampled


def test_no_client_gets_more_than_the_share() -> None:
    entrance = Entrance(share=0.25)
    chosen = [f"{number:016x}{0:016x}" for number in range(1, 2001)]  # the lowest of all ids
    recorded = [
        entrance.trace(CIMultiDict({"traceparent": f"00-{one}-{PARENT}-01"})).sampled
        for one in chosen
    ]

    assert 300 < sum(recorded) < 700


def test_a_trace_is_recorded_as_a_whole_or_not_at_all() -> None:
    entrance = Entrance(share=0.5)
    headers = CIMultiDict({"traceparent": VALID})

    assert len({entrance.trace(headers).sampled for _ in range(50)}) == 1


def test_the_headers_for_the_upstream() -> None:
    made = trace(("traceparent", VALID), ("tracestate", "a=1"))

    assert made.headers(7) == {
        "traceparent": f"00-{TRACE}-0000000000000007-01",
        "tracestate": "a=1",
    }
    assert set(trace().headers(7)) == {"traceparent"}
