"""SIGKILL at drawn moments; ``make kill`` does the same for longer."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.kill import kill

ROUNDS = 10

pytestmark = pytest.mark.production_loop


@pytest.mark.timeout(300)
async def test_what_a_killed_process_leaves_is_right(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    record_property("seed", seed)
    report = await kill(tmp_path, ROUNDS, seed)

    assert report.wrong == [], f"seed {seed}"
    assert report.without_row == 0, f"seed {seed}"
    assert report.rounds == ROUNDS
    assert report.reached > ROUNDS
