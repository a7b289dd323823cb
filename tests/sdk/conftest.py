"""Sets up the stock SDKs that the tests of this folder stream with."""

import fcntl
import shutil
import subprocess

import pytest

from tests.sdk.node import HERE, OLDEST_NODE, NodeDriver

LOCK = HERE / "package-lock.json"
INSTALLED = HERE / "node_modules" / ".package-lock.json"
"""npm writes it when an installation is complete."""


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of a Node that has the SDK installed; skip where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no node and npm on the PATH: @google/genai was NOT tested here")
    version = _output(node, "--version")
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(
            f"Node {version} is older than {OLDEST_NODE}: @google/genai was NOT tested here"
        )
    _install(npm)
    return node


@pytest.fixture
def node_driver(node: str) -> NodeDriver:
    """Return the callable that runs one job through @google/genai; see its docstring."""
    return NodeDriver(node)


def _install(npm: str) -> None:
    """Install what the lock names, unless it stands already; one test process at a time."""
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if INSTALLED.exists() and INSTALLED.stat().st_mtime >= LOCK.stat().st_mtime:
            return
        done = subprocess.run([npm, "ci"], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"npm ci failed in tests/sdk:\n{done.stderr}")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
