"""Many clients at once over projects whose quota is known: no window ever holds more."""

import asyncio
import re

import attrs
import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.projects import Project, Quota
from gemproxy.chaos.script import Script
from gemproxy.pool.key import Limits
from tests.pooled.conftest import StartHouse
from tests.pooled.house import MODEL

pytestmark = pytest.mark.production_loop

CLIENTS = 200
LIMIT = 15


def of_projects(count: int, quota: Quota) -> list[Project]:
    keys = [
        (f"AIzaSyCrowd{number}a{'7c1e' * 6}", f"AIzaSyCrowd{number}b{'3f9d' * 6}")
        for number in range(count)
    ]
    return [Project(f"P{number}", pair, quota) for number, pair in enumerate(keys)]


@pytest.mark.parametrize("strategy", ["least_used", "round_robin", "weighted"])
async def test_no_window_holds_more_than_the_quota(house: StartHouse, strategy: str) -> None:
    projects = of_projects(5, Quota(rpm=LIMIT))
    started = await house(
        projects,
        Script(Answer("Well.")),
        latency=0.05,
        pool={"strategy": strategy, "limits": {MODEL: Limits(rpm=LIMIT)}},
    )
    answers = await asyncio.gather(*(started.ask(f"Prompt {n}") for n in range(CLIENTS)))

    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 5 * LIMIT
    assert statuses.count(429) == CLIENTS - 5 * LIMIT
    assert [started.cloud.most(project.name, MODEL) for project in projects] == [LIMIT] * 5
    assert not [one for one in started.came() if one.status]
    for answer in answers:
        if answer.status == 429:
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert re.fullmatch(r"\d+", answer.headers["Retry-After"])


async def test_a_day_holds_no_more_than_its_quota(house: StartHouse) -> None:
    projects = of_projects(4, Quota(rpd=20))
    limits = {MODEL: Limits(rpd=20)}
    started = await house(projects, Script(Answer("Well.")), pool={"limits": limits})
    answers = await asyncio.gather(*(started.ask(f"Prompt {n}") for n in range(CLIENTS)))

    assert [answer.status for answer in answers].count(200) == 80
    assert [len(started.came(project.name)) for project in projects] == [20] * 4


async def test_quotas_that_nobody_knew_are_learnt_and_no_client_fails(house: StartHouse) -> None:
    """The projects have room for all, but not each for its even share."""
    projects = [
        attrs.evolve(project, quota=Quota(rpm=limit))
        for project, limit in zip(of_projects(4, Quota()), (5, 20, 80, 400), strict=True)
    ]
    started = await house(projects, Script(Answer("Well.")))
    answers = await asyncio.gather(*(started.ask(f"Prompt {n}") for n in range(CLIENTS)))

    assert {answer.status for answer in answers} == {200}
