"""A stream that changes its key twice: cut at any byte, and again in the resume.

Each project answers one request of a model in a minute, so a resume finds no room where the attempt
before it was. Otherwise this is ``tests/io/test_cuts.py``.
"""

import asyncio
from collections.abc import Callable

import pytest

from gemproxy.chaos.faults import Fault, byte, event
from gemproxy.chaos.projects import Project, Quota
from gemproxy.chaos.script import Script
from tests.io.cutting import CLIENTS, CUTS, PARTS, TOLD, Native
from tests.pooled.conftest import StartHouse
from tests.pooled.house import access, stream_of
from tests.wire import Answer

MANY = [
    Project(f"P{number}", (f"AIzaSyCut{number}7d404be4a0f8f3e6a51c7d0c9",), Quota(rpm=1))
    for number in range(8)
]
SIZE = 2100
"""More bytes than the uncut body has."""

pytestmark = pytest.mark.production_loop


def script_of(at: int) -> Script:
    """Return the script whose first attempt ends after ``at`` bytes, its second soon after."""
    first, second = CUTS[at % 3], CUTS[at // 3 % 3]
    return Script(TOLD, [Fault(first, byte(at)), Fault(second, event(1 + at % 4))])


@pytest.mark.parametrize("part", range(PARTS))
async def test_two_changes_of_the_key_are_not_seen(
    house: StartHouse, record_property: Callable[[str, object], None], part: int
) -> None:
    scripts = {f"cut-{at:05}": script_of(at) for at in range(part, SIZE, PARTS)}
    started = await house(MANY, scripts)
    todo = iter(scripts)
    got: dict[str, Answer] = {}

    async def client() -> None:
        for model in todo:
            got[model] = await started.proxy.ask(stream_of(model), headers=access())

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    served = {
        model: [one.project for one in started.came(model=model) if not one.status]
        for model in scripts
    }
    bad = [f"{model}: {flaw}" for model, answer in got.items() for flaw in Native().flaws(answer)]
    record_property("cuts", (len(scripts), len(scripts) - len(bad)))

    assert bad == []
    assert all(len(set(projects)) == len(projects) for projects in served.values())
    assert sum(len(projects) > 2 for projects in served.values()) > len(scripts) / 2
