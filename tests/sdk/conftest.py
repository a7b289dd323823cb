"""Sets up the stock SDKs that the tests of this folder stream with; writes their table."""

import fcntl
import os
import shutil
import subprocess
import sys
import venv

import pytest

from tests.sdk.chat.conformance import CHAT_TABLE
from tests.sdk.node import HERE, OLDEST_NODE, NodeDriver
from tests.sdk.table import SDK_TABLE

TABLES = {"sdk": SDK_TABLE, "chat": CHAT_TABLE}
"""The tables by the marks of the tests that prove their cells."""

LOCK = HERE / "package-lock.json"
LANGCHAIN_LOCK = HERE / "langchain.txt"
LANGCHAIN = HERE.parent.parent / "build" / "langchain"
CLIENTS_LOCK = HERE / "chat" / "clients.txt"
CLIENTS = HERE.parent.parent / "build" / "clients"
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


@pytest.fixture(scope="session")
def langchain() -> str:
    """Return a Python that has langchain-google-genai, with the google-genai that it wants."""
    python = LANGCHAIN / "bin" / "python"
    done = LANGCHAIN / "installed"
    with LANGCHAIN_LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.stat().st_mtime < LANGCHAIN_LOCK.stat().st_mtime:
            venv.create(LANGCHAIN, clear=True, with_pip=True)
            install = ("install", "--quiet", "--require-hashes", "-r", str(LANGCHAIN_LOCK))
            _output(str(python), "-m", "pip", "--disable-pip-version-check", *install)
            done.touch()
    return str(python)


@pytest.fixture(scope="session")
def clients() -> str:
    """Return a Python that has clients of OpenAI's dialect.

    uv installs them, because pip takes half a minute for so many.
    """
    python = CLIENTS / "bin" / "python"
    done = CLIENTS / "installed"
    with CLIENTS_LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.stat().st_mtime < CLIENTS_LOCK.stat().st_mtime:
            uv = (sys.executable, "-m", "uv")
            _output(*uv, "venv", "--clear", "--python", sys.executable, str(CLIENTS))
            install = ("install", "--require-hashes", "-r", str(CLIENTS_LOCK))
            _output(*uv, "pip", *install, "--python", str(python))
            done.touch()
    return str(python)


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each report say which cells of the tables its test proves."""
    for item in items:
        for name, table in TABLES.items():
            for mark in item.iter_markers(name):
                item.user_properties.append((name, table.check(*mark.args)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the tables of SDKs where ``make sdk-table`` wants it."""
    if not os.environ.get("GEMPROXY_SDK_TABLE"):
        return
    for name, table in TABLES.items():
        outcomes: dict[tuple[str, str], list[str]] = {}
        for outcome, reports in terminalreporter.stats.items():
            for report in reports:
                for mark, cell in getattr(report, "user_properties", ()):
                    # An empty outcome is that of a set-up or a tear-down in which all went well.
                    if mark == name and outcome:
                        outcomes.setdefault((cell[0], cell[1]), []).append(outcome)
        table.page.write_text(table.text(outcomes))
        terminalreporter.write_line(f"written: {table.page.name}")
