"""An upstream that has too much to do, or whose quota is used up: what it is spared."""

import asyncio
from typing import Any

import pytest

from tests.faults.upstreams import COMPUTE, UNARY
from tests.gemini import BODY
from tests.replies import Reply, error_reply, json_reply, replying
from tests.running import Proxy, StartProxy
from tests.wire import ARRAY, STREAM, Answer

CLIENTS = 10
FLOOR = 10
KEY = {"x-goog-api-key": "one-key"}
EVERY = pytest.mark.parametrize("target", [STREAM, ARRAY, UNARY, COMPUTE])


def busy(*fields: str) -> Reply:
    return json_reply({"error": {"code": 503, "message": "overloaded"}}, 503, *fields)


async def ask_together(proxy: Proxy, target: str, clients: int = CLIENTS) -> list[Answer]:
    return await asyncio.gather(*(proxy.ask(target, BODY, KEY) for _ in range(clients)))


@EVERY
async def test_a_wait_beyond_our_limit_means_no_to_every_client(
    proxy: StartProxy, target: str
) -> None:
    async with replying(busy("Retry-After: 31")) as upstream:
        answers = await ask_together(await proxy(upstream.url), target)

        assert len(upstream.seen) == CLIENTS
    assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(503, "31")}


@EVERY
@pytest.mark.parametrize("fields", [(), ("Retry-After: 0",)])
async def test_many_clients_together_repeat_a_fifth_of_their_requests_and_the_floor(
    proxy: StartProxy, target: str, fields: tuple[str, ...]
) -> None:
    async with replying(busy(*fields)) as upstream:
        answers = await ask_together(await proxy(upstream.url), target)

        assert CLIENTS <= len(upstream.seen) <= CLIENTS + FLOOR + CLIENTS // 5
    assert {answer.status for answer in answers} == {503}
    assert all(b"overloaded" in answer.body for answer in answers)


async def test_a_quiet_caller_has_all_its_retries_whatever_others_do(proxy: StartProxy) -> None:
    async with replying(busy()) as upstream:
        running = await proxy(upstream.url)
        await ask_together(running, STREAM)
        before = len(upstream.seen)

        await running.ask(STREAM, BODY, {"x-goog-api-key": "another"})

        assert len(upstream.seen) == before + 6


PER_DAY: dict[str, Any] = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
A_SECOND = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}


@EVERY
async def test_a_quota_for_the_day_is_passed_on_at_once(proxy: StartProxy, target: str) -> None:
    async with replying(error_reply(429, PER_DAY, A_SECOND)) as upstream:
        answer = await (await proxy(upstream.url)).ask(target)

        assert len(upstream.seen) == 1
    assert (answer.status, answer.body) == (
        429,
        error_reply(429, PER_DAY, A_SECOND).raw.partition(b"\r\n\r\n")[2],
    )


@EVERY
async def test_a_date_to_come_again_is_kept_like_seconds(proxy: StartProxy, target: str) -> None:
    now, later = "Sat, 28 Nov 2026 10:00:00 GMT", "Sat, 28 Nov 2026 10:00:31 GMT"
    async with replying(busy(f"Date: {now}", f"Retry-After: {later}")) as upstream:
        answer = await (await proxy(upstream.url)).ask(target)

        assert len(upstream.seen) == 1
    assert answer.headers["Retry-After"] == later
