"""The book of uses: what is remembered of a key, and what the other processes hear of it."""

from gemproxy.pool.state import Result, Use
from gemproxy.pool.uses import TOLD_SECONDS, Uses

NOW = 1_795_000_000.0


def test_a_use_is_news_when_the_result_is_another_one_else_now_and_then() -> None:
    book = Uses()
    times = [0.0, 1.0, 2.0, 3.0, 3.0 + TOLD_SECONDS, 4.0 + TOLD_SECONDS]
    results = [Result.OK, Result.OK, Result.MINUTE, Result.OK, Result.OK, Result.OK]

    told = [book.note("k", result, NOW + at) for result, at in zip(results, times, strict=True)]

    assert [use is not None for use in told] == [True, False, True, True, True, False]
    assert book.get("k") == Use("k", Result.OK, NOW + times[-1])
    assert book.get("other") is None


def test_of_two_processes_the_later_use_counts() -> None:
    book = Uses()
    book.note("k", Result.OK, NOW)

    book.put(Use("k", Result.SERVICE, NOW - 1))
    assert book.get("k") == Use("k", Result.OK, NOW)
    book.put(Use("k", Result.SERVICE, NOW + 1))
    assert book.get("k") == Use("k", Result.SERVICE, NOW + 1)
