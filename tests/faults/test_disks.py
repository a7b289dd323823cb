"""The disk that the log goes to is full: requests are served without it."""

import json
from pathlib import Path

import pytest

from gemproxy.chaos.server import ChaosServer
from tests.faults.processes import serving, told_by_proc
from tests.faults.upstreams import is_whole, script

FULL = Path("/dev/full")


@told_by_proc
@pytest.mark.production_loop
@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
async def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    async with (
        ChaosServer(script("rst@event:9")) as server,
        serving(tmp_path, server.url, {"logging.file": FULL}) as proxy,
    ):
        for _ in range(3):
            assert is_whole(await proxy.ask())
        assert await proxy.health() == 200

        the_log = 1  # it is opened with its first line, so the beginning was without it
        await proxy.until_at_rest(lambda: server.open_connections + the_log)
        await proxy.terminate()

        assert await proxy.exit_status() == 0
        lines = [json.loads(line) for line in proxy.log.read_text().splitlines()]
        messages = [line["message"] for line in lines]
        assert sum("streamGenerateContent" in message for message in messages) == 3
        assert messages.count("the log file fails: No space left on device") == 1
