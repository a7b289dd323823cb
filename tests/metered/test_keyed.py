"""P9: a keyed answer has one row, one hold and one charge, however often and whoever follows it."""

import asyncio

import pytest

from gemproxy.accounts.user import Kind as Of
from gemproxy.accounts.user import Limit
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.ledger.row import Ending, Row
from gemproxy.routes.parts import IN_FLIGHT, KEEPER
from tests.metered.conftest import StartHouse
from tests.metered.house import MeteredHouse, limited
from tests.pooled.house import access, stream_of
from tests.resume.clients import until
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

STORY = BUILT_IN["story"]
CUT = Script(STORY, [Fault(Kind.RST, event(4))], rearm=True)
STALLED = Script(STORY, [Fault(Kind.STALL, event(5))])
ONE = limited(Limit(Of.CONCURRENCY, 1), Limit(Of.TOKENS_PER_DAY, 10_000))
BODY = body_of("Tell me a story.")


def keyed(at: MeteredHouse, after: int | None = None, key: str = "k") -> dict[str, str]:
    last = {} if after is None else {"Last-Event-ID": str(after)}
    return {**access(at.people["ann"]), "Idempotency-Key": key, **last}


async def only_row(at: MeteredHouse) -> Row:
    """Return the row of the only request, when nothing is held any more."""
    await until(lambda: at.meter.running == 0)
    (row,) = await at.rows()
    assert at.meter.limiter.holds == 0  # type: ignore[attr-defined]
    return row


async def test_followers_cost_nothing_and_a_repair_is_the_operator_s(house: StartHouse) -> None:
    at = await house({"ann": ONE}, CUT)
    first = await at.proxy.ask(stream_of(), BODY, keyed(at))
    assert first.headers["x-ratelimit-limit-tokens"]
    for after in (0, 3, 9):
        assert (await at.proxy.ask(stream_of(), BODY, keyed(at, after))).status == 200

    row = await only_row(at)

    assert (row.ending, row.status, row.attempts, row.repairs) == (Ending.DONE, 200, 2, 1)
    assert row.output_tokens > 0
    assert row.extra_input_tokens > 0
    assert row.user == "ann"


@pytest.mark.parametrize("how", ["left", "shutdown"])
async def test_an_answer_that_was_ended_has_a_row_too(house: StartHouse, how: str) -> None:
    at = await house({"ann": ONE}, STALLED, resume={"detach_max_seconds": 0.05})
    async with at.proxy.connect() as connection:
        await connection.send(stream_of(), BODY, keyed(at))
        await at.fake.until_stalled()
        assert at.meter.running == 1
        if how == "shutdown":
            await at.proxy.app[IN_FLIGHT].drain(0)
            at.proxy.app[IN_FLIGHT].expired = False

    row = await only_row(at)

    assert row.ending is (Ending.SHUTDOWN if how == "shutdown" else Ending.CLIENT_LEFT)
    assert row.output_tokens > 0
    await at.fake.until_closed()


async def test_a_limit_refuses_the_answer_and_not_its_followers(house: StartHouse) -> None:
    at = await house({"ann": ONE}, STALLED, resume={"detach_max_seconds": 0.05})
    async with at.proxy.connect() as connection:
        await connection.send(stream_of(), BODY, keyed(at))
        await at.fake.until_stalled()

        refused = await at.proxy.ask(stream_of(), BODY, keyed(at, key="other"))
        assert refused.status == 429
        async with at.proxy.connect() as follower:
            await follower.send(stream_of(), BODY, keyed(at, 2))
            assert (await follower.head())[0] == 200
            await follower.chunk()

    row = await only_row(at)
    assert row.ending is Ending.CLIENT_LEFT
    await until(lambda: len(at.proxy.app[KEEPER].store) == 1)


async def test_many_requests_with_one_key_hold_once(house: StartHouse) -> None:
    at = await house({"ann": ONE}, CUT, resume={"max_followers": 50})

    answers = await asyncio.gather(*(at.proxy.ask(stream_of(), BODY, keyed(at)) for _ in range(50)))

    assert {answer.status for answer in answers} == {200}
    row = await only_row(at)
    assert row.attempts == len(at.fake.attempts) == 2
