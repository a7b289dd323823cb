"""The file of a running process: its lock is the proof, and its number alone is none."""

import os
from pathlib import Path

import pytest

from gemproxy.service.pidfile import PidFile, Taken
from tests.programs import begin, line_of, started

HOLDER = """
import sys
from pathlib import Path
from gemproxy.service.pidfile import PidFile
with PidFile(Path(sys.argv[1])).held():
    print(flush=True)
    sys.stdin.readline()
"""


async def test_a_process_has_the_file_while_it_lives(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "pid")
    async with started(HOLDER, str(file.path)) as process:
        await line_of(process)
        assert file.running() == process.pid
        with pytest.raises(Taken) as taken, file.held():
            pass
        assert taken.value.pid == process.pid
        assert not file.is_gone(process.pid, 0.0)
        await begin(process)
        await process.wait()

    assert file.is_gone(process.pid, 0.0)
    assert not file.path.exists()


async def test_a_killed_process_leaves_a_file_that_the_next_one_takes(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "pid")
    async with started(HOLDER, str(file.path)) as process:
        await line_of(process)
        process.kill()
        await process.wait()

    assert file.path.exists()
    assert file.running() is None
    with file.held():
        assert file.path.read_text() == f"{os.getpid()}\n"


def test_without_a_file_nothing_runs(tmp_path: Path) -> None:
    assert PidFile(tmp_path / "pid").running() is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("precious")
    (tmp_path / "pid").symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match="symbolic"), PidFile(tmp_path / "pid").held():
        pass
    assert (tmp_path / "other").read_text() == "precious"
