"""The Containerfile: accepted by its linter, and its steps and settings tried without an engine."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.web.test_server import ROOT

TEXT = (ROOT / "Containerfile").read_text()
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
UNPRIVILEGED = [] if os.geteuid() else ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
"""Has root obey the permissions of files, as the user of the image does."""


@pytest.mark.skipif(HADOLINT is None, reason="hadolint has no package for this kind of machine")
def test_its_linter_finds_nothing() -> None:
    found = subprocess.run(
        [str(HADOLINT), str(ROOT / "Containerfile")], capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stdout) == (0, "")


def variables() -> Mapping[str, str]:
    """Return the variables that the image sets, but for its own PATH."""
    joined = TEXT.replace("\\\n", " ")
    lines = [line.removeprefix("ENV ") for line in joined.splitlines() if line.startswith("ENV ")]
    pairs = (pair.partition("=") for line in lines for pair in line.split())
    return {name: value for name, _, value in pairs if name != "PATH"}


def test_what_it_copies_is_what_the_builder_gets() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = re.findall(r"(?m)^COPY (?!--)(\S+) /", TEXT)

    assert copied
    assert all(f"!{path}" in ignored and (ROOT / path).exists() for path in copied)


def test_its_user_serves_from_files_that_it_cannot_write(tmp_path: Path) -> None:
    """On the port that the host names, with nothing writable but the data."""
    app, data = tmp_path / "app", tmp_path / "data"
    for part in ("gemproxy", "conf"):
        shutil.copytree(ROOT / part, app / part, ignore=shutil.ignore_patterns("__pycache__"))
    step = [
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        str(app / "gemproxy"),
    ]
    assert f"python {' '.join(step[:-1])} /app/gemproxy" in TEXT
    subprocess.run([sys.executable, *step], check=True)
    subprocess.run(["chmod", "-R", "a+rX,a-w", str(app)], check=True)
    data.mkdir(0o700)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    environment = {
        **variables(),
        "PATH": os.environ["PATH"],
        "PORT": port,
        "GEMPROXY_DATA_DIR": str(data),
        "GEMPROXY_SERVER_HOST": "127.0.0.1",
    }

    def gemproxy(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*UNPRIVILEGED, sys.executable, "-m", "gemproxy", *arguments],
            cwd=app,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([*UNPRIVILEGED, "touch", str(app / "gemproxy" / "x")], check=True)
    assert gemproxy("health").returncode == 1
    began = gemproxy("serve", "--detach")
    try:
        assert (began.returncode, began.stderr) == (0, "")
        healthy = gemproxy("health")
        assert (healthy.returncode, healthy.stderr) == (0, "")
    finally:
        assert gemproxy("stop").returncode == 0
    assert 'CMD ["python", "-m", "gemproxy", "health"]' in TEXT
