"""The metrics of a whole proxy, over real sockets."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.config.settings import Settings
from gemproxy.metrics.recorder import Recorder
from gemproxy.store.unusable import Unusable
from gemproxy.web.app import create_app
from gemproxy.web.metrics import METRICS
from gemproxy.web.server import make_runner
from tests.faults.processes import ProxyProcess, serving, told_by_proc
from tests.running import PATIENCE, StartProxy
from tests.running import settings as settings_of
from tests.scraping import Scrape, ask, read, scrape
from tests.web.test_server import ROOT
from tests.wire import connect

STORY = BUILT_IN["story"]
FLASH = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
UNARY = "/v1beta/models/gemini-2.5-flash:generateContent"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


async def test_a_request_is_counted_when_it_ends(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        running = await proxy(server)
        await running.ask(FLASH)
        found = await scrape(running)

    labels = {"route": "stream", "model": "gemini-2.5-flash", "code": "200", "ending": "done"}
    assert found.sum("gemproxy_requests_total", **labels) == 1
    assert found.sum("gemproxy_requests_total") == 1
    ended = {"model": "gemini-2.5-flash", "ending": "done", "finish_reason": "STOP"}
    assert found.sum("gemproxy_streams_ended_total", **ended) == 1
    attempt = {"model": "gemini-2.5-flash", "code": "200", "key": "client"}
    assert found.sum("gemproxy_upstream_attempts_total", **attempt) == 1
    assert found.sum("gemproxy_time_to_first_chunk_seconds_count") == 1
    assert found.sum("gemproxy_tokens_total", kind="output") > 0
    assert found.sum("gemproxy_response_bytes_total", route="stream") > 100


async def test_an_interruption_is_counted_by_its_cause_and_by_its_end(proxy: StartProxy) -> None:
    script = Script(STORY, [parse_fault("fin@event:1")])
    async with ChaosServer(script) as server:
        running = await proxy(server)
        await running.ask(FLASH)
        found = await scrape(running)

    assert found.sum("gemproxy_stream_interruptions_total", cause="drop") == 1
    assert found.sum("gemproxy_stream_resumes_total", result="ok") == 1
    assert found.sum("gemproxy_splice_joints_total") == 1
    assert found.sum("gemproxy_stream_repair_delay_seconds_count") == 1
    assert found.sum("gemproxy_upstream_attempts_total") == 2
    stall = ("cause", "stall"), ("model", "gemini-2.5-flash")
    assert found.samples["gemproxy_stream_interruptions_total", stall] == 0, (
        "rate() needs a beginning"
    )


async def test_what_clients_invent_is_no_label(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        running = await proxy(server)
        for number in range(20):
            target = f"/v1beta/models/secret-{number}:generateContent?key=AIza-key-{number}"
            await running.ask(target, headers={"X-Request-Id": f"id-{number}"})
        found = await scrape(running)

    assert found.sum("gemproxy_requests_total", model="other") == 20
    assert b"secret-" not in found.page.encode()
    assert b"AIza" not in found.page.encode()
    assert b"id-" not in found.page.encode(), "exemplars are for OpenMetrics only"


async def test_what_runs_is_told_while_it_runs(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY, [parse_fault("stall@event:1")])) as server:
        running = await proxy(server)
        async with running.connect() as connection:
            await connection.send(FLASH)
            await connection.head()
            await connection.chunk()
            found = await scrape(running)

    assert found.sum("gemproxy_inflight_requests") == 1
    assert found.sum("gemproxy_inflight_streams") == 1
    assert found.sum("gemproxy_requests_total") == 0


async def test_openmetrics_has_exemplars_with_the_request_id(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        running = await proxy(server)
        await running.ask(FLASH, headers={"X-Request-Id": "my-request"})
        answer = await ask(running, **OPENMETRICS)

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    parse: Any = openmetrics_parser.text_string_to_metric_families  # it has no types
    families = list(parse(answer.body.decode()))
    exemplars = [
        sample.exemplar.labels for f in families for sample in f.samples if sample.exemplar
    ]
    assert {"request_id": "my-request"} in exemplars
    assert all(family.documentation for family in families)
    assert len({family.name for family in families}) == len(families)


@pytest.mark.parametrize(
    ("target", "accept"), [("/metrics?format=json", "*/*"), ("/metrics", "application/json")]
)
async def test_json_is_for_scripts(proxy: StartProxy, target: str, accept: str) -> None:
    async with ChaosServer(Script(STORY)) as server:
        running = await proxy(server)
        await running.ask(UNARY)
        answer = await ask(running, target, Accept=accept)

    assert answer.headers["Content-Type"].startswith("application/json")
    document: dict[str, Any] = json.loads(answer.body)
    (sample,) = document["gemproxy_requests_total"]["samples"]
    assert sample["value"] == 1
    assert sample["labels"]["route"] == "generate"
    (duration,) = document["gemproxy_request_duration_seconds"]["samples"]
    assert duration["count"] == duration["buckets"]["+Inf"] == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("target", ["/metrics", "//metrics/", "/metrics/"])
async def test_no_spelling_goes_up(proxy: StartProxy, method: str, target: str) -> None:
    async with ChaosServer(Script(STORY)) as server:
        answer = await (await proxy(server)).ask(target, b"{}", method=method)

        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"
        assert server.requests == []


SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
ANN = "gp-7Kq2mXv9TzRw4Lp8"
FOREIGN = {"Host": "metrics.example"}
ELSEWHERE = {
    "through a reverse proxy": {"X-Forwarded-For": "192.0.2.1"},
    "from a page of another site": {"Sec-Fetch-Site": "cross-site"},
}
CREDENTIALS = {
    "none": ({}, 401),
    "a wrong one": ({"x-admin-secret": SECRET[:-1]}, 401),
    "an access key": ({"Authorization": f"Bearer {ANN}"}, 403),
    "a Gemini key": ({"x-goog-api-key": "AIzaSyPool"}, 401),
    "the secret": ({"x-admin-secret": SECRET}, 200),
    "the secret as Bearer": ({"Authorization": f"Bearer {SECRET}"}, 200),
}


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE.keys())
@pytest.mark.parametrize(("headers", "status"), CREDENTIALS.values(), ids=CREDENTIALS.keys())
async def test_others_than_programs_of_this_machine_need_the_secret(
    proxy: StartProxy, place: dict[str, str], headers: dict[str, str], status: int
) -> None:
    running = await proxy(
        "http://127.0.0.1:9",
        admin={"secret": SECRET},
        pool={"keys": "AIzaSyPool"},
        access={"keys": {"ann": ANN}},
    )
    for target in ("/metrics", "//metrics/", "/metrics?format=json"):
        answer = await ask(running, target, **place, **headers)
        assert answer.status == status
        assert (b"gemproxy_build_info" in answer.body) is (status == 200)


@pytest.mark.parametrize("place", [FOREIGN, *ELSEWHERE.values()])
async def test_without_a_secret_nobody_else_reads_metrics(
    proxy: StartProxy, place: dict[str, str]
) -> None:
    running = await proxy("http://127.0.0.1:9")

    answer = await ask(running, **place, **{"x-admin-secret": SECRET})

    assert answer.status == 403
    assert "admin.secret" in answer.error["message"]
    assert (await ask(running, **{"x-admin-secret": SECRET})).status == 200


async def test_the_secret_under_a_name_of_somebody_else_reads_no_metrics(proxy: StartProxy) -> None:
    running = await proxy("http://127.0.0.1:9", admin={"secret": SECRET})

    answer = await ask(running, **FOREIGN, **{"x-admin-secret": SECRET})

    assert answer.status == 421


async def test_metrics_that_are_off_are_not_there_and_nothing_goes_up(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        running = await proxy(server, metrics={"enabled": False})
        await running.ask(FLASH)
        answer = await ask(running)

        assert answer.status == 404
        assert "metrics.enabled" in answer.error["message"]
        assert len(server.requests) == 1


async def test_a_port_of_their_own_is_the_only_one(proxy: StartProxy) -> None:
    port = free_port()
    async with ChaosServer(Script(STORY)) as server:
        running = await proxy(server, metrics={"port": port})
        await running.ask(FLASH)
        here = await ask(running)
        async with connect(f"http://127.0.0.1:{port}") as connection:
            there = await connection.ask("/metrics", b"", {}, method="GET")

    assert here.status == 404
    assert read(there.body.decode()).sum("gemproxy_requests_total", code="200") == 1


async def test_a_port_that_is_taken_ends_the_start_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        values = settings_of("http://127.0.0.1:1", metrics={"port": port})
        runner = make_runner(create_app(values), values)
        with pytest.raises(Unusable, match="cannot be listened on") as caught:
            await runner.setup()
        await runner.cleanup()

    assert caught.value.setting == "metrics.port"


async def test_workers_without_that_port_end_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = ["--workers", "2", "--port", str(free_port())]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run.py"), *flags),
            *("--metrics.port", str(taken.getsockname()[1])),
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()

    assert process.returncode == 1
    assert b"gemproxy: metrics.port: cannot be listened on at 127.0.0.1" in errors
    assert b"Traceback" not in errors


async def test_a_failure_to_count_reaches_no_client(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("broken")

    async with ChaosServer(Script(STORY)) as server:
        running = await proxy(server)
        monkeypatch.setattr(Recorder, "ended", fails)
        answers = [await running.ask(FLASH) for _ in range(2)]
        found = await scrape(running)

    assert [answer.status for answer in answers] == [200, 200]
    assert found.sum("gemproxy_recording_failures_total") == 2
    assert len([r for r in caplog.records if "could not be counted" in r.message]) == 1


def test_metrics_are_on_unless_they_are_turned_off() -> None:
    assert METRICS in create_app(Settings())
    assert METRICS not in create_app(settings_of("http://h", metrics={"enabled": False}))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@told_by_proc
async def test_a_scrape_tells_of_all_workers_also_of_one_that_hangs(tmp_path: Path) -> None:
    metrics = free_port()
    flags = {"server.workers": 3, "server.port": free_port(), "metrics.port": metrics}
    async with (
        ChaosServer(Script(STORY)) as server,
        serving(tmp_path, server.url, flags) as process,
    ):
        try:
            async with asyncio.timeout(PATIENCE):
                while (  # noqa: ASYNC110 (nobody announces the start of a worker)
                    (await of_port(metrics)).sum("gemproxy_workers", state="answered") < 3
                ):
                    await asyncio.sleep(0.05)
            for _ in range(30):
                await process.ask(FLASH)
            before = await of_port(metrics)
            hanging = workers_of(process)[-1]
            os.kill(hanging, signal.SIGSTOP)
            try:
                meanwhile = await of_port(metrics)
            finally:
                os.kill(hanging, signal.SIGCONT)
        finally:
            await process.terminate()
            await process.exit_status()

    assert before.sum("gemproxy_requests_total", ending="done") == 30
    assert before.sum("gemproxy_workers", state="silent") == 0
    assert meanwhile.sum("gemproxy_requests_total", ending="done") == 30
    assert meanwhile.sum("gemproxy_workers", state="silent") == 1


async def of_port(port: int) -> Scrape:
    """Return the samples at the port of the metrics."""
    async with connect(f"http://127.0.0.1:{port}") as connection:
        answer = await connection.ask("/metrics", b"", {}, method="GET")
    return read(answer.body.decode())


def workers_of(process: ProxyProcess) -> list[int]:
    """Return the processes of the workers, in the order of their start."""
    pid = process.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    spawned = (int(child) for child in children)
    return sorted(p for p in spawned if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes())
