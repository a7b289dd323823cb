"""Starts the proxy in the background, and stops one that runs there.

The start is over when the proxy says that it listens (``service.notify``), so a command behind it
may use it at once, and a start that fails says why where it was typed. The process has a session
of its own and lives on when the terminal closes. What it writes goes to a file that only its user
may read.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

import gemproxy
from gemproxy.service.notify import READY, VARIABLE
from gemproxy.service.pidfile import PidFile

START_SECONDS = 60.0
"""Seconds in which a proxy must say that it listens."""

_POLL = 0.1
_LONGEST_OUTPUT = 8192
_MOST_READ = 4096


@attrs.frozen
class Outcome:
    """What became of an order: the exit code of the command, and a sentence about it."""

    code: int
    text: str


def start(arguments: Sequence[str], pid_file: Path, output: Path) -> Outcome:
    """Start ``gemproxy`` with ``arguments``; it keeps ``pid_file`` and writes to ``output``."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        before = output.stat().st_size if output.exists() else 0
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        return Outcome(1, f"cannot start: {error.filename}: {error.strerror}")
    with contextlib.closing(os.fdopen(file, "ab")) as out, _listening() as (listener, address):
        process = subprocess.Popen(  # noqa: S603 (ourselves)
            [sys.executable, "-m", "gemproxy", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=_environment(address),
        )
        is_ready = _is_ready(process, listener)
    if is_ready:
        return Outcome(0, f"gemproxy runs as process {process.pid}; its output is in {output}")
    said = _tail(output, before)
    if process.poll() is None:
        process.terminate()
        return Outcome(1, f"did not listen within {START_SECONDS:.0f} s and was ended\n{said}")
    return Outcome(process.returncode or 1, said or f"ended at once; see {output}")


def stop(pid_file: Path, seconds: float) -> Outcome:
    """End the proxy that keeps ``pid_file`` in order; wait for that for some ``seconds``."""
    file = PidFile(pid_file)
    try:
        pid = file.running()
        if pid is None:
            return Outcome(0, f"no gemproxy runs by {pid_file}")
        os.kill(pid, signal.SIGTERM)
        if file.is_gone(pid, seconds):
            return Outcome(0, f"gemproxy, process {pid}, has ended")
    except OSError as error:
        return Outcome(1, f"cannot stop: {pid_file}: {error.strerror}")
    return Outcome(1, f"process {pid} has not ended within {seconds:.0f} s")


@contextlib.contextmanager
def _listening() -> Iterator[tuple[socket.socket, str]]:
    """Yield the socket to which the started proxy says that it listens, and its address."""
    with (
        tempfile.TemporaryDirectory(prefix="gemproxy-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        address = str(Path(folder, "ready"))
        listener.bind(address)
        listener.settimeout(_POLL)
        yield listener, address


def _is_ready(process: "subprocess.Popen[bytes]", listener: socket.socket) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            if READY.encode() in listener.recv(_MOST_READ).splitlines():
                return True
        if process.poll() is not None:
            return False
    return False


def _environment(address: str) -> dict[str, str]:
    """Return the variables of the new process, which finds this package wherever we did."""
    home = str(Path(gemproxy.__file__).parent.parent)
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, VARIABLE: address, "PYTHONPATH": os.pathsep.join(paths)}


def _tail(output: Path, before: int) -> str:
    """Return the end of what the process wrote."""
    with output.open("rb") as file:
        file.seek(before)
        return file.read()[-_LONGEST_OUTPUT:].decode(errors="replace").strip()
