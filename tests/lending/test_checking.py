"""What the answer to a check says of its key, and how many are asked at the same time."""

import asyncio
import json
from typing import NoReturn

import pytest
from yarl import URL

from gemproxy.core.repair.events import How
from gemproxy.lending import checking
from gemproxy.lending.checking import AT_ONCE, Checker, Finding, judged
from gemproxy.pool.key import Key
from gemproxy.pool.state import Result, Why
from gemproxy.relay.upstream import AttemptFailed, open_upstream

KEY = Key("AIza-canary", "lab")


def refusal(code: int, message: str, status: str, reason: str = "") -> bytes:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    details = [{"@type": kind, "reason": reason}] if reason else []
    error = {"code": code, "message": message, "status": status, "details": details}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "body", "well", "result"),
    [
        (200, b'{"models": []}', True, Result.OK),
        (200, b"<html>", None, Result.NOT_GEMINI),
        (400, refusal(400, "API key not valid.", "INVALID_ARGUMENT"), False, Result.INVALID),
        (400, refusal(400, "x", "INVALID_ARGUMENT", "API_KEY_INVALID"), False, Result.INVALID),
        (403, refusal(403, "Your API key was leaked", "PERMISSION_DENIED"), False, Result.LEAKED),
        (
            403,
            refusal(403, "x", "PERMISSION_DENIED", "CONSUMER_SUSPENDED"),
            False,
            Result.SUSPENDED,
        ),
        (403, refusal(403, "x", "PERMISSION_DENIED", "SERVICE_DISABLED"), False, Result.DISABLED),
        (401, refusal(401, "x", "UNAUTHENTICATED"), False, Result.INVALID),
        (429, refusal(429, "x", "RESOURCE_EXHAUSTED"), True, Result.BARE),
        (400, refusal(400, "bad pageSize", "INVALID_ARGUMENT"), None, Result.REQUEST),
        (500, refusal(500, "x", "INTERNAL"), None, Result.SERVICE),
        (404, b"not found", None, Result.REQUEST),
    ],
)
def test_what_an_answer_says(status: int, body: bytes, well: bool | None, result: Result) -> None:
    finding = judged(KEY, status, body)

    assert (finding.well, finding.result, finding.elsewhere) == (well, result, False)
    assert finding.why == (Why(result.value) if well is False else None)
    assert finding.outcome.status == (None if result is Result.NOT_GEMINI else status)


def test_a_refused_location_says_nothing_against_the_key() -> None:
    message = "User location is not supported for the API use."
    finding = judged(KEY, 400, refusal(400, message, "FAILED_PRECONDITION"))

    assert (finding.well, finding.elsewhere) == (True, True)
    assert "the location is refused" in finding.words


def test_an_answer_that_repeats_the_key_is_told_without() -> None:
    finding = judged(KEY, 403, refusal(403, f"{KEY.secret} \n is bad", "PERMISSION_DENIED"))

    assert finding.words == "403 *** is bad"


async def test_a_few_keys_are_asked_about_at_the_same_time_in_all_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking = most = 0
    told: list[Finding] = []

    async def ask(*_: object) -> NoReturn:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        await asyncio.sleep(0)
        asking -= 1
        raise AttemptFailed(How.RESET, f"{KEY.secret} is bad")

    monkeypatch.setattr(checking, "open_read", ask)
    async with open_upstream(connect_timeout=9, proxy=None) as upstream:
        checker = Checker(upstream, URL("http://127.0.0.1:1"))
        keys = [KEY] * 3 * AT_ONCE
        await asyncio.gather(*(checker.check(keys, told.append) for _ in range(2)))

    assert (most, len(told)) == (AT_ONCE, 6 * AT_ONCE)
    assert {(one.result, one.words) for one in told} == {
        (Result.NO_ANSWER, "no answer: *** is bad")
    }
