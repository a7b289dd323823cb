"""The command: its options, its help and its end."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from gemproxy.chaos.__main__ import parser, run, server_of
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.delivery import Transfer, Wiring
from gemproxy.chaos.faults import Fault, Kind, byte
from gemproxy.chaos.projects import Project, Quota
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.chaos.client import ask


def server_for(*argv: str) -> ChaosServer:
    return server_of(parser().parse_args(argv))


def script_of(*argv: str) -> Script:
    script = server_for(*argv).scripts
    assert isinstance(script, Script)
    return script


def test_without_options_the_story_is_told_uncut() -> None:
    script = script_of()
    assert script == Script(BUILT_IN["story"], rearm=True, documents=True)


def test_options_become_a_script() -> None:
    script = script_of(
        *("--answer", "table", "--cut", "clean@120", "--cut", "none", "--behaviour", "repeat"),
        *("--behaviour", "echo", "--repeat", "12", "--once", "--line-end", "lf"),
        *("--transfer", "length", "--write-size", "3"),
    )
    assert script == Script(
        BUILT_IN["table"],
        faults=(Fault(Kind.CLEAN_EOF, byte(120)), None),
        behaviour=(Behaviour.REPEAT, Behaviour.ECHO),
        amount=12,
        documents=True,
        line_end="\n",
        wiring=Wiring(Transfer.LENGTH, 3),
    )


def test_options_become_a_server() -> None:
    server = server_for(
        *("--host", "127.0.0.2", "--port", "0", "--seed", "4"),
        *("--delay-ms", "20", "--model-latency", "1500"),
    )
    assert (server.host, server.port, server.seed) == ("127.0.0.2", 0, 4)
    assert (server.event_delay, server.latency) == (0.02, 1.5)


def test_projects_are_parsed() -> None:
    server = server_for("--project", "lab=key1,key2;rpm=5", "--project", "home=key3")
    assert server.cloud.projects == (
        Project("lab", ("key1", "key2"), Quota(rpm=5)),
        Project("home", ("key3",)),
    )


async def test_the_command_reports_refusals_without_the_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with server_for("--port", "0", "--project", "lab=key1;rpm=1") as server:
        for key in ("key1", "key1", "AIzaSecret"):
            await ask(server.url, key=key)

    assert capsys.readouterr().out.splitlines()[-2:] == [
        "lab: gemini-test refused with 429",
        "no project: gemini-test refused with 400",
    ]


def test_the_answer_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "answer.txt"
    file.write_text("Grüße", encoding="utf-8")
    script = script_of("--answer-file", str(file))
    assert (script.answer.text, script.documents) == ("Grüße", False)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--cut", "explode@3"], "no such kind as 'explode'"),
        (["--behaviour", "sing"], "invalid Behaviour value: 'sing'"),
        (["--answer", "novel"], "invalid choice: 'novel'"),
        (["--answer-file", "/nowhere/at/all"], "No such file"),
        (["--write-size", "0"], "expected a number above 0"),
        (["--project", "lab"], "expected NAME=KEY"),
    ],
)
def test_a_wrong_option_is_told_and_ends_with_2(
    argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv) == 2
    assert complaint in capsys.readouterr().err


def test_the_help_names_every_answer_fault_and_behaviour(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in BUILT_IN)
    assert all(kind.value in shown for kind in Kind)
    assert all(behaviour.value in shown for behaviour in Behaviour)


def test_an_address_that_cannot_be_had_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--host", "203.0.113.1"]) == 1
    assert "cannot listen" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_serves_until_a_signal_and_reports_attempts(
    number: signal.Signals,
) -> None:
    argv = ["-m", "gemproxy.chaos", "--port", "0", "--cut", "fin@event:2"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *argv, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    greeting = (await process.stdout.readline()).decode()
    url = greeting.partition("listens on ")[2].partition(";")[0]
    seen = await ask(url)
    report = (await process.stdout.readline()).decode()
    process.send_signal(number)
    assert await process.wait() == 0
    assert len(seen.documents) == 2
    assert report == "gemini-test attempt 0: new-turn fault fin@event:2 -> done\n"
