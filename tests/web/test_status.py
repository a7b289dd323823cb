"""The paths of earlier tools: how the proxy is, and that nothing at them goes up."""

import json
import os
from pathlib import Path

import pytest

from gemproxy import __version__
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.config.settings import Settings
from gemproxy.web.neighbours import Neighbours, private_directory
from gemproxy.web.status import memory
from gemproxy.web.tuning import TUNER
from tests.running import StartProxy, running

PATHS = ("/health", "/healthz", "/livez", "/readyz", "/status", "/wake")
STALLED = Script(BUILT_IN["story"], [Fault(Kind.STALL, event(5))])


async def test_the_status_counts_what_runs_in_all_workers() -> None:
    async with ChaosServer(STALLED) as fake:
        with private_directory() as place:
            one, two = (Neighbours(place, number, 2, patience=5.0) for number in range(2))
            async with (
                running(fake, one) as first,
                running(fake, two) as second,
                second.connect() as client,
            ):
                await client.send()
                await fake.until_stalled()
                answer = await first.ask("/status", b"", method="GET")

    told = json.loads(answer.body)
    assert answer.status == 200
    assert (told["status"], told["version"], told["mode"]) == ("ok", __version__, "passthrough")
    assert told["running_requests"] == 1
    assert told["workers"] == {"asked": 1, "answered": 1}
    assert told["available_keys"] is None
    assert told["uptime_seconds"] >= 0
    assert told["memory_usage_mb"] > 1


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_the_status_is_not_for_those_behind_a_reverse_proxy(
    proxy: StartProxy, header: str
) -> None:
    started = await proxy("http://127.0.0.1:9")

    answer = await started.ask("/status", b"", {header: "127.0.0.1"}, "GET")

    assert answer.status == 403
    assert answer.error["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("spelling", ["%s", "/%s", "%s/", "//%s//"])
async def test_no_spelling_and_no_method_goes_up(
    proxy: StartProxy, path: str, spelling: str
) -> None:
    started = await proxy("http://127.0.0.1:9")  # where nobody listens

    answer = await started.ask(spelling % path, b"", method="GET")
    assert answer.status == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = await started.ask(spelling % path, b"", method=method)
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"


async def test_wake_answers_at_once(proxy: StartProxy) -> None:
    started = await proxy("http://127.0.0.1:9")

    answer = await started.ask("/wake", b"", {"X-Forwarded-For": "192.0.2.1"}, "GET")

    assert json.loads(answer.body) == {"status": "awake"}


def test_memory_is_that_of_the_process() -> None:
    assert os.sysconf("SC_PAGE_SIZE") < memory() < 64 << 30


SECRET = "operators-5f2c9a7e31d84b60"
CANARY = "AIzaSyCanaryCanaryCanaryCanaryCanary"


async def test_debug_info_needs_the_secret_and_has_none(proxy: StartProxy, tmp_path: Path) -> None:
    environ = {"GEMINI_API_KEYS": CANARY, "PASSWORD": SECRET[::-1]}
    loaded = Settings.load(["--admin.secret", SECRET], environ, tmp_path)
    started = await proxy("http://127.0.0.1:9", admin={"secret": SECRET})
    started.app[TUNER].loaded = loaded

    refused = await started.ask("/debug/info", b"", {"Host": "h"}, "GET")
    answer = await started.ask("/debug//info", b"", {"x-admin-secret": SECRET}, "GET")

    assert refused.status == 401
    told = json.loads(answer.body)
    assert told["version"] == __version__
    assert told["settings"]["access.password"] != "default"
    assert told["settings"]["server.port"] == "default"
    for secret in (CANARY, SECRET, SECRET[::-1]):
        assert secret.encode() not in answer.body


async def test_without_a_secret_there_is_no_debug_info(proxy: StartProxy) -> None:
    started = await proxy("http://127.0.0.1:9")

    assert (await started.ask("/debug/info", b"", method="GET")).status == 403


async def test_the_secret_opens_the_status_behind_a_reverse_proxy(proxy: StartProxy) -> None:
    started = await proxy("http://127.0.0.1:9", admin={"secret": SECRET})
    forwarded = {"X-Forwarded-For": "192.0.2.1", "Authorization": f"Bearer {SECRET}"}

    assert (await started.ask("/status", b"", forwarded, "GET")).status == 200
