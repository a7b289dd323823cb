"""The counter of calls: it counts the proxy's and is the same each time."""

import gc

import pytest

from bench import calls


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the runs short."""
    monkeypatch.setattr(calls, "FEW", 1)
    monkeypatch.setattr(calls, "MANY", 3)


@pytest.mark.parametrize("chat", [False, True])
async def test_a_request_costs_more_calls_than_an_event(few: None, chat: bool) -> None:
    gc.disable()
    try:
        counted = await calls.figures(chat=chat)
    finally:
        gc.enable()

    event, request = counted["a further event"], counted["a request"]
    assert 0 < event.python < request.python
    assert 0 < event.c < request.c


def test_the_calls_of_this_thread_are_counted_by_kind() -> None:
    counted = calls.Calls()

    counted.count(None, "call", None)
    counted.count(None, "c_call", None)
    counted.count(None, "return", None)

    assert (counted.python, counted.c) == (1, 1)
