"""The command in this process, on a data directory of the test's own."""

import io
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from gemproxy.__main__ import main

Feed = Callable[[str], None]


@attrs.frozen
class Outcome:
    """What a call of the command came to."""

    code: int
    out: str
    err: str


RunKeys = Callable[..., Outcome]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Give standard input its content."""

    def give(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


@pytest.fixture
def keys(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    feed: Feed,
) -> RunKeys:
    """Run ``gemproxy keys`` with arguments, and with ``given`` on standard input."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, given: str = "") -> Outcome:
        feed(given)
        code = main(["keys", *arguments])
        return Outcome(code, *capfd.readouterr())

    return run
