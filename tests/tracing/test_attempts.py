"""Attempts as spans and metrics see them: errors, usage, operations."""

import pytest

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import Cause, How
from gemproxy.exchange.account import Entry, InteractionResult, SessionResult, Spent
from gemproxy.tracing.attempts import Served, attempts_of
from tests.tracing.records import UPSTREAM, entry, served, stream_result, three_attempts


def errors(of: Served) -> list[str]:
    return [attempt.error for attempt in attempts_of(of, UPSTREAM)]


def usages(of: Served) -> list[Billed | None]:
    return [attempt.usage for attempt in attempts_of(of, UPSTREAM)]


def test_each_attempt_of_a_stream_says_why_it_was_not_the_last() -> None:
    assert errors(three_attempts()) == ["reset", "503", ""]


@pytest.mark.parametrize(
    ("last", "ending", "error"),
    [
        (entry(), "done", ""),
        (entry(how=How.STALLED), "done", ""),  # after a finishReason
        (entry(how=How.STALLED), "failed", "stalled"),
        (entry(status=429), "failed", "429"),
        (entry(status=429), "done", "429"),
        (entry(status=None, how=How.UNREACHABLE), "failed", "unreachable"),
        (entry(error={"code": 503}), "failed", "503"),
        (entry(cause=Cause.EMPTY), "failed", "empty"),
        (entry(how=None), "client_left", ""),
        (entry(how=None), "shutdown", "shutdown"),
        (entry(ended=None), "client_left", "shutdown"),
    ],
)
def test_the_error_of_the_last_attempt(last: Entry, ending: str, error: str) -> None:
    assert errors(served(last, ending=ending)) == [error]


@pytest.mark.parametrize(
    ("status", "ending", "error"),
    [
        (200, "done", ""),
        (404, "failed", ""),
        (502, "failed", "502"),
        (200, "failed", "broken"),
        (200, "client_left", ""),
        (200, "shutdown", "shutdown"),
    ],
)
def test_the_error_of_a_request(status: int, ending: str, error: str) -> None:
    assert served(status=status, ending=ending).error == error


def test_what_an_attempt_used_that_the_client_left_is_the_rest_of_the_cost() -> None:
    first, rest = Billed(4, 10, 0, 14), Billed(9, 3, 0, 12)
    of = served(
        entry(usage=first, characters=4),
        entry(how=None),
        ending="client_left",
        result=stream_result(first, rest, characters=10),
    )

    assert usages(of) == [first, rest]
    assert [attempt.characters for attempt in attempts_of(of, UPSTREAM)] == [4, 6]


def test_a_refused_attempt_has_no_usage_where_a_later_one_answered() -> None:
    used = Billed(4, 10, 0, 14)

    assert usages(served(entry(status=429), entry(), result=stream_result(used))) == [None, used]


def test_an_interaction_is_made_once_and_read_from_then_on() -> None:
    used = Billed(4, 10, 0, 14)
    result = InteractionResult("done", 3, [], 5, "completed", 5.0, True, Spent((used,), used))
    of = served(
        entry(status=429),
        entry(how=How.RESET, cause=Cause.DROP),
        entry(),
        family="interactions",
        path="/v1beta/interactions",
        result=result,
    )

    attempts = attempts_of(of, UPSTREAM)
    operations = ["generate_content", "generate_content", "fetch_response"]
    assert [attempt.operation for attempt in attempts] == operations
    assert usages(of) == [None, used, None]


def test_a_session_has_its_usage_at_its_only_attempt() -> None:
    used = Billed(4, 10, 0, 14)
    result = SessionResult(1, 2, 3, 4, None, Spent((used,), used))

    assert usages(served(entry(status=101), family="live", result=result)) == [used]


def test_a_request_without_an_attempt_has_none() -> None:
    assert attempts_of(served(status=401), UPSTREAM) == []
