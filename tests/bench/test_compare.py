"""The command: who takes part, in which order, and what is printed."""

import argparse
import json
from pathlib import Path

import pytest

from bench import compare
from bench.compare import as_json, choose_contenders, fitting, in_turn, plan, report
from bench.contenders import CONTENDERS, GEMPROXY, Contender, Site
from bench.figures import DIRECT, Run
from bench.scenarios import SCENARIOS


def names(entries: tuple[Contender | None, ...]) -> list[str]:
    return [DIRECT if entry is None else entry.name for entry in entries]


def test_every_scenario_is_run_directly_and_through_each_proxy() -> None:
    (step,) = plan(["S1b"], CONTENDERS)

    assert names(step.entries) == ["direct", "nginx", "pipe", "fastapi", "gemproxy"]


def test_resumes_are_measured_beside_the_same_load_without() -> None:
    steps = plan(["S7"], CONTENDERS)

    assert [(step.scenario.name, names(step.entries)) for step in steps] == [
        ("S1b", ["gemproxy"]),
        ("S7", ["gemproxy"]),
    ]


def test_a_scenario_without_enough_cores_is_left_out_aloud(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = plan(["S1", "S2W"], CONTENDERS)

    assert [step.scenario.name for step in fitting(steps, [0, 1])] == ["S1"]
    assert capsys.readouterr().err == "S2W is left out: 3 cores are needed, 2 are here\n"


def test_everybody_is_first_once() -> None:
    entries = [None, *CONTENDERS]

    assert {in_turn(entries, turn)[0] for turn in range(len(entries))} == set(entries)
    assert in_turn([], 3) == []


def test_a_peer_that_is_not_installed_is_left_out_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = Contender(name="nginx", command=lambda _: [], missing=lambda: "run bench/setup")
    monkeypatch.setattr(compare, "CONTENDERS", (absent, GEMPROXY))

    assert choose_contenders("") == [GEMPROXY]
    assert capsys.readouterr().err == "nginx is left out: run bench/setup\n"


def test_gemproxy_is_compared_whoever_else_is_named() -> None:
    assert [one.name for one in choose_contenders("pipe")] == ["pipe", "gemproxy"]


def test_another_checkout_is_compared_as_before(tmp_path: Path) -> None:
    (tmp_path / "run.py").touch()

    chosen = choose_contenders("pipe", tmp_path)

    assert [one.name for one in chosen] == ["pipe", "before", "gemproxy"]
    site = Site(port=1, upstream_port=2, cores=1, folder=tmp_path)
    assert str(tmp_path / "run.py") in chosen[1].command(site)


def test_a_checkout_without_gemproxy_is_left_out_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [one.name for one in choose_contenders("pipe", tmp_path)] == ["pipe", "gemproxy"]
    assert "before is left out" in capsys.readouterr().err


def test_the_result_shows_scenarios_starts_and_goals() -> None:
    figures = {"events_per_s": 100.0, "start_ms": 200.0, "idle_mb": 50.0}
    runs = [Run("S1b", name, 0, figures) for name in ("pipe", "gemproxy")]

    printed = report(runs)

    assert "S1b  64 streams" in printed
    assert "gemproxy / pipe      1.00" in printed
    assert "start to first answer ms" in printed
    assert printed.endswith("aim")


def test_the_result_can_be_read_by_a_program() -> None:
    options = argparse.Namespace(rounds=1, seconds=2.0)

    document = json.loads(as_json([Run("S1b", "pipe", 0, {"events_per_s": 1.0})], options))

    assert document["runs"] == [
        {"scenario": "S1b", "contender": "pipe", "round": 0, "figures": {"events_per_s": 1.0}}
    ]


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare.main(["--only", "S99"])

    assert "no such scenario: S99" in capsys.readouterr().err


def test_every_scenario_can_be_run_alone() -> None:
    assert all(plan([name], CONTENDERS) for name in SCENARIOS)
