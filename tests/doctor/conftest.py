"""The command in this process, on settings of the test's own."""

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from gemproxy.__main__ import main
from gemproxy.doctor import port
from gemproxy.doctor.finding import Finding

STRONG = "gp-7Kq2mXv9TzRw4Lp8"
"""An access key that a start takes."""


@attrs.frozen
class Report:
    """What a call of the command came to."""

    code: int
    findings: tuple[Finding, ...]
    text: str
    errors: str

    def of(self, check: str) -> list[Finding]:
        """Return the findings of a check."""
        return [finding for finding in self.findings if finding.check == check]

    def one(self, check: str) -> Finding:
        """Return the only finding of a check."""
        (finding,) = self.of(check)
        return finding

    @property
    def faults(self) -> dict[str, str]:
        """The messages of faults by check."""
        return {one.check: one.message for one in self.findings if one.status == "fault"}


class Doctor(Protocol):
    """Runs ``gemproxy doctor --json`` with flags, in an environment of ``variables``."""

    async def __call__(self, *flags: str, **variables: str) -> Report: ...


@pytest.fixture
def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@pytest.fixture
def doctor(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    free_port: int,
) -> Doctor:
    """Run the command in an empty directory; by default it asks nobody."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "gemproxy.toml").write_text("")
    (tmp_path / "conf" / "gemproxy.toml").chmod(0o600)

    async def run(*flags: str, **variables: str) -> Report:
        usual: Mapping[str, Any] = {"PORT": str(free_port), **variables}
        for name, value in usual.items():
            monkeypatch.setenv(name, value)
        where = () if "--upstream.url_base" in flags or "--online" in flags else ("--offline",)
        given = [flag for flag in flags if flag != "--online"]
        capfd.readouterr()
        code = await asyncio.to_thread(main, ["doctor", "--json", *where, *given])
        out, errors = capfd.readouterr()
        findings = tuple(Finding(**row) for row in json.loads(out)) if out.startswith("[") else ()
        return Report(code, findings, out, errors)

    return run


@pytest.fixture
def taken_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Keep a port of a program that is not ours, which says nothing."""
    monkeypatch.setattr(port, "SECONDS", 0.1)
    with socket.socket() as program:
        program.bind(("127.0.0.1", 0))
        program.listen()
        yield int(program.getsockname()[1])
