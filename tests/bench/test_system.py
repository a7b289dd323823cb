"""Cores, processes and what is read about them."""

import os
import select
import sys
from pathlib import Path

import pytest

from bench import system
from bench.system import Cores, cpu_seconds, family, memory, share_out, started

PATIENCE = 20.0
STAT = "{pid} (a) name) S 1 1 1 0 -1 4194560 9 0 0 0 {user} {system} 0 0 20 0 1 0 5 1 1\n"


def process(proc: Path, pid: int, *children: int, user: int = 0, kilobytes: int = 0) -> None:
    """Put a process into a made-up /proc."""
    (proc / f"{pid}/task/{pid}").mkdir(parents=True)
    (proc / f"{pid}/task/{pid}/children").write_text(" ".join(map(str, children)))
    (proc / f"{pid}/stat").write_text(STAT.format(pid=pid, user=user, system=1))
    (proc / f"{pid}/status").write_text(f"Name:\ta\nVmHWM:\t{kilobytes} kB\nThreads:\t1\n")


def test_the_proxy_and_the_programs_of_the_load_share_no_core() -> None:
    assert share_out([0, 1, 2, 3], 1) == Cores(frozenset({1}), frozenset({2}), frozenset({3}))
    assert share_out([0, 1, 2, 3], 2).proxy == {0, 1}


def test_upstream_and_client_share_a_core_where_there_are_two() -> None:
    assert share_out([0, 1], 1) == Cores(frozenset({0}), frozenset({1}), frozenset({1}))


def test_too_few_cores_are_refused() -> None:
    with pytest.raises(ValueError, match="2 cores are needed, 1 are here"):
        share_out([0], 1)


def test_a_family_is_a_process_with_all_its_descendants(tmp_path: Path) -> None:
    process(tmp_path, 7, 8, 9)
    process(tmp_path, 8, 10)
    process(tmp_path, 9)
    process(tmp_path, 10)

    assert family(7, tmp_path) == [7, 8, 9, 10]


def test_processor_time_is_added_up_over_a_family(tmp_path: Path) -> None:
    process(tmp_path, 7, 8, user=30)
    process(tmp_path, 8, user=68)

    assert cpu_seconds(7, tmp_path) == pytest.approx(100 * system.TICK)


def test_memory_is_added_up_over_a_family(tmp_path: Path) -> None:
    process(tmp_path, 7, 8, kilobytes=3)
    process(tmp_path, 8, kilobytes=4)

    assert memory(7, "VmHWM", tmp_path) == 7 * 1024


def test_a_process_that_has_ended_counts_nothing(tmp_path: Path) -> None:
    process(tmp_path, 7, 8)

    assert cpu_seconds(7, tmp_path) == system.TICK
    assert memory(7, "VmHWM", tmp_path) == 0


def test_a_command_runs_on_its_cores_and_is_ended_at_the_exit() -> None:
    before = os.sched_getaffinity(0)
    core = frozenset({max(before)})
    program = "import os, signal; print(os.sched_getaffinity(0), flush=True); signal.pause()"

    with started([sys.executable, "-c", program], core) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == str(set(core))

    assert child.returncode is not None
    assert os.sched_getaffinity(0) == before


def test_what_a_command_prints_can_go_to_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"

    with started([sys.executable, "-c", "print('hello')"], frozenset({0}), log=log) as child:
        child.wait()

    assert log.read_text() == "hello\n"


def test_descendants_end_with_their_ancestor() -> None:
    program = (
        "import subprocess, sys, time;"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid,"
        " flush=True); time.sleep(600)"
    )

    with started([sys.executable, "-c", program], frozenset(os.sched_getaffinity(0))) as child:
        assert child.stdout is not None
        grandchild = os.pidfd_open(int(child.stdout.readline()))

    ended, _, _ = select.select([grandchild], [], [], PATIENCE)
    os.close(grandchild)
    assert ended
