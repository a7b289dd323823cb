"""Locks of files: held by one, shared by many, gone with their process."""

import subprocess
import sys
from pathlib import Path

from gemproxy.ledger.locks import Lock
from tests.web.test_server import ROOT

HOLD = """
import sys
from pathlib import Path
from gemproxy.ledger.locks import Lock
lock = Lock.take(Path("lock"))
print("locked", flush=True)
sys.stdin.read()
"""


def test_one_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one = Lock.take(path)
    assert one is not None
    assert Lock.take(path) is None
    assert Lock.take(path, shared=True) is None
    one.drop()
    two = Lock.take(path)
    assert two is not None
    two.drop(remove=True)

    assert not path.exists()


def test_many_share_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    locks = [Lock.take(path, shared=True) for _ in range(3)]
    assert None not in locks
    assert Lock.take(path) is None
    for lock in locks:
        assert lock is not None
        lock.drop()

    last = Lock.take(path)
    assert last is not None
    last.drop()


def test_a_file_is_private(tmp_path: Path) -> None:
    lock = Lock.take(tmp_path / "lock")
    assert lock is not None
    assert lock.path.stat().st_mode & 0o777 == 0o600
    lock.drop()


def test_the_death_of_a_process_ends_its_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert Lock.take(tmp_path / "lock") is None
        process.kill()
    lock = Lock.take(tmp_path / "lock")

    assert lock is not None
    lock.drop()
