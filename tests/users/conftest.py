"""The command in this process, on a data directory of the test's own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from gemproxy.__main__ import main


@attrs.frozen
class Outcome:
    """What a call of the command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The output, read as JSON."""
        return json.loads(self.out)


RunUsers = Callable[..., Outcome]


@pytest.fixture
def users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> RunUsers:
    """Run ``gemproxy users`` with arguments."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Outcome:
        return Outcome(main(["users", *arguments]), *capfd.readouterr())

    return run
