"""The bench's calls to Linux: cores, descriptors, ports, and the usage of processes.

A proxy is measured as a family: the started process and all its descendants.
"""

import contextlib
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")
_GRACE_SECONDS = 5.0


@attrs.frozen
class Cores:
    """The cores of each party, as sets of CPU numbers; the proxy's are exclusive."""

    proxy: frozenset[int]
    upstream: frozenset[int]
    client: frozenset[int]


def share_out(available: Sequence[int], proxy: int) -> Cores:
    """Give ``proxy`` cores to the proxy and one each to upstream and client, from the last.

    If there are enough, the first cores stay free for the rest of the machine. If one is missing,
    upstream and client share a core: proxies can still be compared, but the load may limit a fast
    one. Raises ValueError if there are too few.
    """
    if len(available) == proxy + 1:
        last = frozenset(available[-1:])
        return Cores(frozenset(available[:-1]), last, last)
    if len(available) < proxy + 2:
        raise ValueError(f"{proxy + 1} cores are needed, {len(available)} are here")
    *_, upstream, client = available
    return Cores(frozenset(available[-2 - proxy : -2]), frozenset({upstream}), frozenset({client}))


def raise_descriptor_limit() -> None:
    """Allow as many open files as this user may have; children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port() -> int:
    """Return a free port of the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    cores: frozenset[int],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a command on some cores, and end it and its descendants at the exit.

    With ``log`` its output goes there, else its standard output is a pipe.
    """
    with contextlib.ExitStack() as stack:
        output = subprocess.PIPE if log is None else stack.enter_context(log.open("w"))
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)  # the started process inherits it
        try:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=folder,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if log is None else subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        finally:
            os.sched_setaffinity(0, before)
        stack.callback(_end, process)
        yield process


def _end(process: subprocess.Popen[str]) -> None:
    """Terminate a process group, and kill the rest of it."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def family(pid: int, proc: Path = PROC) -> list[int]:
    """Return the process ``pid`` and its living descendants."""
    found = [pid]
    for member in found:
        for children in proc.glob(f"{member}/task/*/children"):
            with contextlib.suppress(OSError):
                found.extend(map(int, children.read_text().split()))
    return found


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """Return the processor time of the family, in steps of a clock tick."""
    return sum(_ticks(member, proc) for member in family(pid, proc)) * TICK


def _ticks(pid: int, proc: Path) -> int:
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:  # it has ended
        return 0
    # The name, in parentheses, may contain any character; utime and stime are fields 14 and 15.
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory(pid: int, field: str, proc: Path = PROC) -> int:
    """Return the bytes of ``VmRSS`` (now) or ``VmHWM`` (the peak) of the family."""
    return sum(_status(member, field, proc) for member in family(pid, proc)) * 1024


def _status(pid: int, field: str, proc: Path) -> int:
    try:
        lines = (proc / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)
