"""The command ``gemproxy demo``, as a user calls it."""

import subprocess
import sys
from pathlib import Path

import pytest

from gemproxy import demo

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--port", "0", "--pace", "0"]


def test_the_demo_ends_by_itself_where_there_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gemproxy", "demo", *QUICK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode == 0
    assert "EXACT" in done.stdout
    assert "curl -sN" in done.stdout


def test_a_difference_ends_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gemproxy.demo.stage.expected_text", lambda answer: answer.text + "!")

    assert demo.run([*QUICK, "--no-serve"]) == 1
    assert "BROKEN" in capsys.readouterr().out
