"""The command from end to end, against the fake Gemini."""

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import HEADERS, Fault, Kind, event
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.probe import run
from gemproxy.probe.cases import CASES
from tests.probe.fake import ANSWERS, KEY, MODEL, fake_gemini, generations

SILENCE = Fault(Kind.STALL, event(45))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@attrs.frozen
class Ended:
    """What a run left behind."""

    code: int
    out: str
    err: str
    written: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.written))

    @property
    def verdicts(self) -> Mapping[str, str]:
        return {finding["case"]: finding["verdict"] for finding in self.report["findings"]}


Probe = Callable[..., Awaitable[Ended]]


@pytest.fixture
def probe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Probe:
    """Run the command with a report of its own; check that nothing shows the key."""

    async def to(server: ChaosServer, *argv: str, yes: bool = True) -> Ended:
        report = tmp_path / "report.json"
        words = ["--base-url", server.url, "--report", str(report), *(["--yes"] if yes else [])]
        code = await asyncio.to_thread(run, [*words, *argv])
        shown = capsys.readouterr()
        ended = Ended(code, shown.out, shown.err, report.read_text() if report.exists() else "")
        assert KEY not in ended.out + ended.err + ended.written
        return ended

    return to


async def test_a_model_that_is_as_assumed_gets_exit_code_0(probe: Probe) -> None:
    async with fake_gemini() as server:
        ended = await probe(server)

    assert ended.code == 0
    assert ended.verdicts == {case.name: "holds" for case in CASES} | {"native": "skipped"}
    assert server.violations == []
    assert f"Models: {MODEL}\n" in ended.out
    assert "This makes up to 32 requests (32 for each model)" in ended.out
    assert "\necho-mid-word       holds\n" in ended.out


async def test_the_report_holds_figures_and_little_text(probe: Probe) -> None:
    async with fake_gemini() as server:
        report = (await probe(server, "--only", "echo-mid-word")).report
        requests = generations(server)

    (finding,) = report["findings"]
    assert (report["complete"], report["holds"]) == (True, True)
    assert report["server"] == "another server"
    assert report["requests"] == requests == 2
    assert report["tokens"]["output"] > 0
    assert finding["figures"]["echo"] == "exact"
    assert 0 < sum(map(len, finding["excerpt"].values())) <= 80


async def test_no_excerpts_means_no_text_of_the_model(probe: Probe) -> None:
    async with fake_gemini() as server:
        ended = await probe(server, "--only", "echo", "--no-excerpts")

    assert ended.code == 0
    assert "excerpt" not in ended.written
    assert not [word for word in ("lighthouse", "gears", "Ada") if word in ended.written]


async def test_an_assumption_that_fails_gives_exit_code_1(probe: Probe) -> None:
    async with fake_gemini(Behaviour.PLAIN) as server:
        ended = await probe(server, "--only", "echo", "--only", "plain")

    assert ended.code == 1
    assert set(ended.verdicts.values()) == {"holds", "fails"}
    assert f"{MODEL}, echo-mid-word: fails: no echo of the anchor" in ended.out


async def test_a_refused_prefill_is_no_failure(probe: Probe) -> None:
    async with fake_gemini(Behaviour.REFUSE_MODEL_TURN) as server:
        ended = await probe(server, "--only", "prefill", "--only", "echo-mid-word")

    assert ended.code == 0
    assert ended.verdicts == {"echo-mid-word": "holds", "prefill": "refused"}
    assert "Requests ending with a model turn are not supported." in ended.written


async def test_the_newest_flash_models_are_probed_when_none_is_named(probe: Probe) -> None:
    models = ("gemini-9-pro", "gemini-8.1-flash", "gemini-9.2-flash", "gemini-9.1-flash", "x-flash")
    async with fake_gemini(models=(*models, "gemini-7-flash")) as server:
        ended = await probe(server, "--only", "wire")

    assert "Models: gemini-9.2-flash, gemini-9.1-flash, gemini-8.1-flash\n" in ended.out
    assert len(ended.report["findings"]) == 3


async def test_named_models_are_probed_in_their_order(probe: Probe) -> None:
    async with fake_gemini(models=("a", "b", "c")) as server:
        ended = await probe(server, "--only", "wire", "--model", "c", "--model", "models/a")

    assert [finding["model"] for finding in ended.report["findings"]] == ["c", "a"]


@pytest.mark.parametrize(
    ("argv", "models", "complaint"),
    [
        (["--model", "gone"], (MODEL,), "cannot be looked up: the server answered 404 NOT_FOUND"),
        ([], ("gemini-9-pro",), "the server lists no flash model; name one with --model"),
    ],
)
async def test_without_a_model_there_is_nothing_to_probe(
    probe: Probe, argv: list[str], models: tuple[str, ...], complaint: str
) -> None:
    async with fake_gemini(models=models) as server:
        ended = await probe(server, *argv)

    assert ended.code == 2
    assert complaint in ended.err
    assert ended.written == ""
    assert generations(server) == 0


async def test_a_server_that_says_nothing_about_its_models_is_given_up(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("gemproxy.probe.gemini.Gemini.models", silent)
    async with fake_gemini() as server:
        ended = await probe(server)

    assert ended.code == 2
    assert "the models cannot be looked up: no answer in time" in ended.err


async def test_a_server_that_repeats_the_key_does_not_get_it_into_the_report(
    probe: Probe,
) -> None:
    body = json.dumps({"error": {"code": 400, "message": f"The key {KEY} may not do this."}})
    refusal = Fault(Kind.STATUS, code=400, body=body.encode())
    script = Script(ANSWERS[""], (SILENCE, refusal))

    async with fake_gemini(scripts={"clockmaker": script}) as server:
        ended = await probe(server, "--only", "echo-mid-word")

    assert ended.code == 1
    assert "The key *** may not do this." in ended.written
    assert "The key *** may not do this." in ended.out


async def test_a_key_file_is_read_and_not_shown(probe: Probe, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("file-canary-55\n")
    async with fake_gemini() as server:
        ended = await probe(server, "--only", "wire", "--key-file", str(tmp_path / "key"))

    assert {request.header("x-goog-api-key") for request in server.requests} == {"file-canary-55"}
    assert "file-canary-55" not in ended.out + ended.err + ended.written


async def test_the_limit_on_requests_leaves_the_rest_untried(probe: Probe) -> None:
    async with fake_gemini() as server:
        ended = await probe(server, "--only", "echo", "--max-requests", "4")

    assert list(ended.verdicts.values()) == ["holds", "holds", "skipped", "skipped", "skipped"]
    assert ended.report["findings"][-1]["reason"] == "the limit of 4 requests is reached"
    assert generations(server) == 4


async def test_when_nothing_can_be_told_the_exit_code_is_1(probe: Probe) -> None:
    gone = Script(ANSWERS["sky"], (Fault(Kind.RST, HEADERS),))
    async with fake_gemini(scripts={"sky": gone}) as server:
        ended = await probe(server, "--only", "wire")

    assert ended.code == 1
    assert ended.verdicts == {"wire": "skipped"}


class Terminal(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("Yes\n", 0), ("n\n", 2), ("", 2)])
async def test_on_a_terminal_it_asks_before_anything_is_paid_for(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))

    async with fake_gemini() as server:
        ended = await probe(server, "--only", "wire", yes=False)

    assert ended.code == code
    assert "Go on? [y/N] " in ended.out
    assert generations(server) == (1 if code == 0 else 0)


def test_an_interrupt_before_the_first_request_is_no_failure_of_the_probe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gemproxy.probe.command._Session.run", interrupted)

    assert run([]) == 130
    assert capsys.readouterr().err == "gemproxy probe: interrupted; nothing was sent\n"


async def test_where_nobody_can_be_asked_it_needs_a_yes(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    async with fake_gemini() as server:
        ended = await probe(server, yes=False)

    assert ended.code == 2
    assert "no terminal to ask on; say --yes" in ended.err
    assert generations(server) == 0


async def test_a_report_that_cannot_be_written_costs_nothing(probe: Probe, tmp_path: Path) -> None:
    async with fake_gemini() as server:
        ended = await probe(server, "--report", str(tmp_path / "no" / "such" / "place.json"))

    assert ended.code == 2
    assert "the report cannot be written: No such file or directory" in ended.err
    assert generations(server) == 0


def test_without_a_key_the_exit_code_is_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)

    assert run(["--yes"]) == 2
    assert capsys.readouterr().err.startswith("gemproxy probe: no key; set GEMINI_API_KEY")


def test_a_proxy_that_cannot_be_used_is_a_wrong_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")

    assert run(["--yes", "--base-url", "http://127.0.0.1:1"]) == 2
    assert "must be an http:// URL" in capsys.readouterr().err


def test_the_help_is_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert "never from an argument" in capsys.readouterr().out


async def test_an_interrupt_leaves_a_partial_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    stuck = Script(ANSWERS[""], (Fault(Kind.STALL, event(2)),))
    async with fake_gemini(scripts={"night train": stuck}) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gemproxy", "probe", "--yes", "--base-url", server.url),
            *("--only", "echo", "--report", str(report)),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await server.until(lambda: _is_stuck(server))
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    document = json.loads(report.read_text())
    assert process.returncode == 130
    assert document["complete"] is False
    assert [finding["verdict"] for finding in document["findings"]] == ["holds"]
    assert b"The partial report is in" in out
    assert b"Traceback" not in err
    assert KEY.encode() not in out + err


def _is_stuck(server: ChaosServer) -> bool:
    """Tell whether the answer of the second case has come to its stall."""
    trains = [a for a in server.attempts if b"night train" in a.request.body]
    return any(attempt.outcome.value == "stalled" for attempt in trains)
