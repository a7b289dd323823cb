"""The whole proxy with its ledger in PostgreSQL: limits, rows, and what a restart finds."""

import asyncio

import pytest

from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.ledger.row import Ending
from tests.metered.conftest import StartProxy
from tests.metered.house import limited, rows_of
from tests.pooled.house import access, projects, stream_of
from tests.postgres import Postgres
from tests.wire import body_of

pytestmark = pytest.mark.production_loop


async def test_limits_and_rows_are_the_same_in_postgresql(
    front: StartProxy, postgres: Postgres
) -> None:
    ledger = {"database_url": await asyncio.to_thread(postgres.empty)}
    async with ChaosServer(Script(Told("Well."), rearm=True), projects=projects()) as fake:
        proxy, keys = await front(fake.url, {"ann": limited(rpd=20)}, projects(), ledger=ledger)
        asked = [(stream_of(), body_of(f"Prompt {n}"), access(keys["ann"])) for n in range(60)]
        answers = await asyncio.gather(*(proxy.ask(*one) for one in asked))
        rows = await rows_of(proxy)
        again, _ = await front(fake.url, {}, projects(), ledger=ledger)
        refused = await again.ask(*asked[0])

    statuses = [answer.status for answer in answers]
    assert (statuses.count(200), statuses.count(429)) == (20, 40)
    assert [row.ending for row in rows] == [Ending.DONE] * 20
    assert {row.user for row in rows} == {"ann"}
    assert refused.status == 429
