"""The proxy in the background, as a user starts and stops it."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.operating import SECRET
from tests.web.test_server import ROOT


@pytest.fixture
def port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found: int = server.getsockname()[1]
    return found


def gemproxy(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder, with its data there."""
    environment = {
        "PATH": os.environ["PATH"],
        "GEMPROXY_DATA_DIR": str(folder / "data"),
        "GEMPROXY_ADMIN_SECRET": SECRET,
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_proxy_serves_in_the_background_until_it_is_stopped(
    tmp_path: Path, port: int, workers: str
) -> None:
    flags = ("--server.port", str(port), "--server.workers", workers)
    try:
        began = gemproxy(tmp_path, "serve", "--detach", *flags)
        assert (began.returncode, began.stderr) == (0, "")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        again = gemproxy(tmp_path, "serve", "--detach", "--server.port", "0")
    finally:
        ended = gemproxy(tmp_path, "stop")

    assert again.returncode == 1
    assert "runs already" in again.stderr
    assert ended.returncode == 0
    assert "has ended" in ended.stdout
    assert "no gemproxy runs" in gemproxy(tmp_path, "stop").stdout
    output = tmp_path / "data" / "gemproxy.out"
    assert f" with pages at /admin/ listens on http://127.0.0.1:{port}" in output.read_text()
    assert output.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "data" / "gemproxy.pid").exists()


def test_a_start_that_fails_says_why_where_it_was_typed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        flags = ("--server.port", str(server.getsockname()[1]))
        taken = gemproxy(tmp_path, "serve", "--detach", *flags)
    wrong = gemproxy(tmp_path, "serve", "--detach", "--server.prot", "1")

    assert taken.returncode == 1
    assert "cannot listen" in taken.stderr
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "no such setting" in wrong.stderr


def test_variables_come_from_the_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GEMPROXY_PORT=1111\n")
    (tmp_path / "own.env").write_text("GEMPROXY_PORT=2222\nLOG_FILE_PATH=logs/app.log\n")

    shown = gemproxy(tmp_path, "check", "--env-file", "own.env").stdout.splitlines()

    rows = [line.split(maxsplit=2) for line in shown]
    assert ["server.port", "2222", "own.env GEMPROXY_PORT"] in rows
    assert ["logging.file", "logs/app.log", "own.env LOG_FILE_PATH"] in rows
