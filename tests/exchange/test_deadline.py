"""X-Server-Timeout: one limit for all attempts, and what each attempt is told of it."""

import asyncio

import pytest
from multidict import CIMultiDict

from gemproxy.exchange.deadline import HEADER, Deadline


def given(value: str) -> CIMultiDict[str]:
    return CIMultiDict({"x-server-timeout": value, "X-Other": "1"})


def begun(seconds: float, ago: float) -> Deadline:
    """Return a deadline whose time has been running for a while."""
    return Deadline(seconds, asyncio.get_running_loop().time() - ago)


@pytest.mark.parametrize(("value", "seconds"), [("60", 60), (" 7 ", 7), ("2.5", 2.5)])
async def test_the_seconds_count_from_the_request(value: str, seconds: float) -> None:
    now = asyncio.get_running_loop().time()

    deadline = Deadline.of(given(value))

    assert deadline.at is not None
    assert deadline.seconds == seconds
    assert deadline.at >= now + seconds


@pytest.mark.parametrize("value", ["", "0", "-1", "1e3", "nan", "inf", "1 s", "²", "1" * 99])
async def test_what_is_no_number_of_seconds_limits_nothing(value: str) -> None:
    headers = given(value)
    deadline = Deadline.of(headers)

    assert deadline.at is None
    assert deadline.stamped(headers) is headers


async def test_no_header_limits_nothing() -> None:
    assert Deadline.of({}).at is None


@pytest.mark.parametrize("value", ["60", "59.5"])
async def test_the_first_attempt_is_told_what_the_client_said(value: str) -> None:
    headers = given(value)

    assert Deadline.of(headers).stamped(headers) is headers


@pytest.mark.parametrize(
    ("seconds", "ago", "left"), [(60, 10.5, "50"), (2.5, 0.75, "2"), (5, 4.5, "1"), (5, 99, "1")]
)
async def test_a_later_attempt_is_told_what_is_left(seconds: float, ago: float, left: str) -> None:
    headers = given(str(seconds))

    stamped = begun(seconds, ago).stamped(headers)

    assert stamped.getall(HEADER) == [left]
    assert headers[HEADER] == str(seconds)


async def test_an_attempt_has_what_is_left_to_begin_its_answer_be_it_more_or_less_than_usual() -> (
    None
):
    assert Deadline().first_byte(300) == 300
    assert 1 < begun(3, 1).first_byte(300) <= 2
    assert 897 < begun(900, 1).first_byte(300) <= 899


async def test_no_time_left_is_no_limit_that_the_client_library_takes_for_none() -> None:
    assert 0 < begun(3, 5).first_byte(300) < 0.01


async def test_an_answer_that_has_begun_is_never_hurried() -> None:
    assert Deadline().silence(300) == 300
    assert begun(2, 0).silence(300) == 300
    assert begun(900, 0).silence(300) == 900


async def test_a_deadline_passes() -> None:
    assert not Deadline().passed
    assert Deadline().left is None
    assert not begun(3, 1).passed
    assert begun(3, 3).passed
