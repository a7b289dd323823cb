"""Cut at every byte: wherever the upstream breaks off, a native client gets one whole answer."""

from collections.abc import Callable

import pytest

from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Kind
from tests.io.cutting import CUTS, PARTS, Cut, Native, Trial
from tests.running import StartProxy

pytestmark = pytest.mark.production_loop


@pytest.fixture
def trial(proxy: StartProxy, record_property: Callable[[str, object], None]) -> Trial:
    return Trial(proxy, record_property)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", CUTS)
async def test_a_cut_at_any_byte_is_not_seen_when_the_model_echoes(
    trial: Trial, kind: Kind, part: int
) -> None:
    def choose(size: int) -> list[Cut]:
        return [Cut(kind, Behaviour.ECHO, at) for at in range(part, size + 1, PARTS)]

    assert await trial(Native(), choose) == []


@pytest.mark.parametrize("part", range(PARTS))
async def test_a_cut_at_any_byte_is_not_seen_when_the_model_goes_on_plainly(
    trial: Trial, part: int
) -> None:
    def choose(size: int) -> list[Cut]:
        return [Cut(CUTS[at % 3], Behaviour.PLAIN, at) for at in range(part, size + 1, PARTS)]

    assert await trial(Native(), choose) == []


@pytest.mark.parametrize("behaviour", [Behaviour.ECHO, Behaviour.PLAIN])
async def test_a_cut_at_any_place_is_not_seen_in_a_json_array(
    trial: Trial, behaviour: Behaviour
) -> None:
    def choose(size: int) -> list[Cut]:
        around_the_end = range(size - 50, size + 1)
        every_fifth = range(0, size - 50, 5)
        return [Cut(CUTS[at % 3], behaviour, at) for at in (*every_fifth, *around_the_end)]

    assert await trial(Native(""), choose) == []
