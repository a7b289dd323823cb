"""What libraries may put into the log: that something happened, and where."""

import asyncio
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import http_exceptions

from gemproxy.observe.logs import configure

CANARY = "the-canary-sings"
PARTS = ("aiohttp.server", "aiohttp.web", "aiohttp.access", "aiohttp.client", "aiohttp.internal")
FOREIGN = (*PARTS, "aiohttp.of.tomorrow", "asyncio", "concurrent.futures")


class Fails:
    """Something whose repr holds what a client said."""

    def __repr__(self) -> str:
        return f"<Fails {CANARY}>"


def lines(log: Callable[[], None], level: str = "info") -> list[dict[str, Any]]:
    """Return the JSON lines that ``log`` writes; none holds the canary."""
    stream = io.StringIO()
    undo = configure(level=level, stream=stream)
    try:
        log()
    finally:
        undo()
    assert CANARY not in stream.getvalue()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def failing(error: BaseException) -> BaseException:
    """Return ``error`` as it is once it has been raised."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        fail()
    return caught.value


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("severity", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR])
def test_no_message_argument_field_or_exception_of_a_library_reaches_the_log(
    name: str, severity: int, level: str
) -> None:
    logger = logging.getLogger(name)

    def log() -> None:
        logger.log(severity, CANARY)
        logger.log(severity, "%r", Fails(), extra={"field": CANARY})
        logger.log(severity, CANARY, exc_info=failing(ValueError(CANARY)), stack_info=True)

    told = lines(log, level)

    assert len(told) == (3 if severity >= logging.WARNING else 0)


@pytest.mark.parametrize(
    "kind",
    [
        http_exceptions.BadHttpMessage,
        http_exceptions.BadHttpMethod,
        http_exceptions.BadStatusLine,
        http_exceptions.InvalidHeader,
        http_exceptions.InvalidURLError,
        http_exceptions.TransferEncodingError,
    ],
)
@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_a_malformed_request_is_one_line_at_info(
    kind: Callable[[str], BaseException], level: str
) -> None:
    logger = logging.getLogger("aiohttp.server")
    error = failing(kind(CANARY))

    told = lines(lambda: logger.error("Error handling request from %s", "x", exc_info=error), level)

    if level == "warning":
        assert told == []
        return
    (line,) = told
    assert line["level"] == "INFO"
    assert line["message"] == "a request that is no HTTP was refused"
    assert line["error"] == type(error).__name__
    assert "exc_info" not in line


def test_what_a_library_knows_of_its_own_is_kept() -> None:
    logger = logging.getLogger("aiohttp.server")
    error = failing(LookupError(CANARY))

    (line,) = lines(lambda: logger.error("Unhandled exception", exc_info=error))

    assert line["message"] == "Unhandled exception"
    assert line["error"] == "LookupError"
    assert line["where"].startswith("test_libraries.py:")
    assert line["path"][-1].endswith(" fail")


async def test_a_task_that_nobody_looked_at_is_told_without_its_repr() -> None:
    async def fail() -> None:
        raise ValueError(CANARY)

    task = asyncio.create_task(fail(), name=CANARY)
    await asyncio.wait({task})

    def log() -> None:
        nonlocal task
        del task

    (line,) = lines(log)
    assert line["message"] == "Task exception was never retrieved"
    assert line["error"] == "ValueError"


def test_records_of_ours_and_of_others_are_left_alone() -> None:
    (line,) = lines(lambda: logging.getLogger("gemproxy.x").info("said %s", "so"))

    assert line["message"] == "said so"
