"""The doctor in a running proxy: its checks in a thread of their own, within a time limit.

Two checks make no sense here: the proxy has started, so its settings can be used, and the port is
its own.
"""

import asyncio
import os

from gemproxy.config.settings import Loaded
from gemproxy.doctor.aside import aside, patient_loop
from gemproxy.doctor.case import Case, Stored
from gemproxy.doctor.finding import Finding
from gemproxy.doctor.hiding import hidden
from gemproxy.doctor.running import run
from gemproxy.doctor.table import CHECKS

NOT_HERE = frozenset({"settings", "port"})


async def examine(loaded: Loaded, *, network: bool) -> list[Finding]:
    """Return the findings about a running proxy; ``network``: also of checks that ask others."""
    checks = [
        check for check in CHECKS if check.name not in NOT_HERE and (network or not check.network)
    ]

    def look() -> list[Finding]:
        case = Case(loaded.settings, loaded.origins, Stored.of(loaded.settings), environ=os.environ)
        with asyncio.Runner(loop_factory=patient_loop) as runner:
            return hidden(runner.run(run(case, checks)), case)

    return await aside(look)
