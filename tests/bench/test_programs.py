"""The C programs: they compile without a warning, and count what was sent."""

import http.client
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from bench.programs import LoadFailed, Programs, compile_programs, flags
from bench.scenarios import SCENARIOS, Scenario
from bench.system import Cores

WINDOW_US = 200_000
QUICK = [
    attrs.evolve(scenario, ramp_us=0, connections=min(scenario.connections, 20))
    for scenario in SCENARIOS.values()
    if not scenario.cut_at
]
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="NO C COMPILER (cc): the load of the bench is not tested"
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Return the programs, compiled; they run wherever there is room."""
    anywhere = frozenset(os.sched_getaffinity(0))
    return compile_programs(tmp_path_factory.mktemp("load"), Cores(anywhere, anywhere, anywhere))


def ask(port: int, contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of one stream."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = json.dumps({"contents": contents}, separators=(",", ":"))
    connection.request("POST", SCENARIOS["S7"].target, body)
    answer = connection.getresponse().read().decode()
    connection.close()
    return [json.loads(line.removeprefix("data: ")) for line in answer.split("\r\n\r\n")[:-1]]


def turn(role: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": "..."}]}


def text_of(event: dict[str, Any]) -> str:
    text: str = event["candidates"][0]["content"]["parts"][0]["text"]
    return text


def test_flags_are_names_and_values() -> None:
    assert flags({"port": 1, "target": "/"}) == ["--port", "1", "--target", "/"]


def test_without_a_compiler_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LoadFailed, match="bench/setup"):
        compile_programs(tmp_path, Cores(frozenset(), frozenset(), frozenset()))


@needs_compiler
@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.name)
def test_clients_get_what_the_upstream_sends(programs: Programs, scenario: Scenario) -> None:
    edges: list[str] = []

    with programs.upstream(scenario, WINDOW_US) as port:
        report = programs.run_clients(scenario, WINDOW_US, port=port, at_edge=edges.append)

    assert edges == ["begin", "end"]
    assert report["good"] > 0
    assert (report["bad"], report["unfinished"]) == (0, 0)


@needs_compiler
def test_a_stream_that_is_cut_is_no_good_answer(programs: Programs) -> None:
    with programs.upstream(SCENARIOS["S7"], WINDOW_US) as port:
        report = programs.run_clients(SCENARIOS["S7"], WINDOW_US, port=port)

    assert report["good"] == 0 < report["bad"]


@needs_compiler
def test_a_cut_stream_ends_politely_and_its_continuation_has_the_rest(programs: Programs) -> None:
    with programs.upstream(SCENARIOS["S7"], WINDOW_US) as port:
        conversation = [turn("user"), turn("model"), turn("user")]
        cut = ask(port, conversation)
        rest = ask(port, [*conversation, turn("model"), turn("user")])

    numbers = [int(text_of(event).split()[1], 16) for event in (*cut, *rest)]
    assert numbers == list(range(200))
    assert "finishReason" not in cut[-1]["candidates"][0]
    assert rest[-1]["candidates"][0]["finishReason"] == "STOP"


@needs_compiler
def test_every_event_carries_the_time_at_which_it_was_written(programs: Programs) -> None:
    with programs.upstream(SCENARIOS["S7"], WINDOW_US) as port:
        stamps = [int(text_of(event).split()[0].removeprefix("@"), 16) for event in ask(port, [])]

    assert stamps == sorted(stamps)
    assert stamps[0] > 0


@needs_compiler
def test_clients_without_a_server_report_failure(programs: Programs) -> None:
    scenario = attrs.evolve(SCENARIOS["S4"], connections=1)

    report = programs.run_clients(scenario, WINDOW_US, port=1)

    assert report["good"] == 0 < report["bad"]


class Chat(http.server.BaseHTTPRequestHandler):
    """Answers as a chat route does: content in each chunk, an end, and nothing else."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = [{"role": "assistant", "content": "x" * 47}, *[{"content": "x" * 47}] * 199, {}]
        chunks = [json.dumps({"choices": [{"delta": delta}]}) for delta in said]
        body = "".join(f"data: {chunk}\n\n" for chunk in [*chunks, "[DONE]"]).encode()
        right = self.path == "/v1/chat/completions" and asked["stream"] and asked["messages"]
        self.send_response(200 if right else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def chat() -> Iterator[int]:
    """Return the port of a chat route."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@needs_compiler
def test_clients_of_a_chat_route_count_its_content(programs: Programs, chat: int) -> None:
    scenario = attrs.evolve(SCENARIOS["S1b"], connections=2)

    report = programs.run_clients(scenario, WINDOW_US, port=chat, chat=True)

    assert report["good"] > 0
    assert report["bad"] == 0
