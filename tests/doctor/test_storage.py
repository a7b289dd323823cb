"""The data directory, files with secrets, and the disk: each fault, and its absence."""

import asyncio
import errno
import os
import sqlite3
from pathlib import Path

import pytest

from gemproxy.doctor.storage import FULL_BYTES, SCARCE_BYTES, judge_room, writing_problem
from gemproxy.pool.key import Key
from gemproxy.store.database import FILE
from gemproxy.store.store import Store
from tests.doctor.conftest import STRONG, Doctor

POOL = {"GEMINI_API_KEY": "AIza-one", "PASSWORD": STRONG}


async def test_a_directory_that_can_be_made_is_fine_and_is_not_made(
    doctor: Doctor, tmp_path: Path
) -> None:
    report = await doctor(**POOL, GEMPROXY_DATA_DIR="new/data")

    assert report.one("data-directory").status == "ok"
    assert not (tmp_path / "new").exists()


async def test_without_a_pool_and_a_ledger_no_directory_is_needed(doctor: Doctor) -> None:
    assert "nothing is kept" in (await doctor()).one("data-directory").message


async def test_a_file_in_the_place_of_the_directory_is_a_fault(
    doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("")
    report = await doctor(**POOL)

    assert "data-directory" in report.faults
    assert "is a file" in report.of("data-directory")[-1].message


def test_a_directory_that_may_not_be_written_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert writing_problem(tmp_path) == ""
    assert writing_problem(tmp_path / "a" / "b") == ""
    monkeypatch.setattr("os.access", lambda *_: False)  # root may do all

    assert "cannot be written" in writing_problem(tmp_path)
    assert "may not write to" in writing_problem(tmp_path / "a" / "b")


async def test_a_store_of_a_newer_gemproxy_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data" / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    report = await doctor(**POOL)

    assert "was written by a newer gemproxy" in report.faults["data-directory"]


async def test_a_damaged_store_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE).write_bytes(b"no database" * 400)

    assert "is damaged" in (await doctor(**POOL)).faults["data-directory"]


async def test_stored_keys_and_another_secret_are_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data", "one-secret-Kq2mXv9TzRw4Lp8")
    await asyncio.wrap_future(
        store.database.write(lambda to: store.ring.add(to, [Key("AIza-stored", "lab")], 0.0))
    )
    await store.close()
    right = await doctor(GEMPROXY_SECRET_KEY="one-secret-Kq2mXv9TzRw4Lp8", PASSWORD=STRONG)
    wrong = await doctor(GEMPROXY_SECRET_KEY="another-secret-Kq2mXv9TzRw4Lp8", PASSWORD=STRONG)

    assert right.faults == {}
    assert "1 key" in right.one("keys").message
    assert "is not the one" in wrong.faults["data-directory"]
    assert wrong.one("keys").status == "skipped"


async def test_a_key_file_that_others_read_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    key = tmp_path / "data" / "secret.key"
    key.write_text("x")
    key.chmod(0o600)
    assert (await doctor(**POOL)).one("secret-files").status == "ok"

    key.chmod(0o640)
    report = await doctor(**POOL)

    assert report.one("secret-files").status == "fault"
    assert report.one("secret-files").advice.startswith("chmod 600 ")


async def test_settings_with_secrets_that_others_read_are_a_warning(
    doctor: Doctor, tmp_path: Path
) -> None:
    dotenv, conf = tmp_path / ".env", tmp_path / "conf" / "gemproxy.toml"
    dotenv.write_text(f"PASSWORD={STRONG}\nGEMINI_API_KEY=AIza-one\n")
    dotenv.chmod(0o644)
    conf.write_text("[server]\nport = 1\n")  # no secret in it
    conf.chmod(0o644)
    open_to_others = await doctor()
    dotenv.chmod(0o600)
    closed = await doctor()

    assert open_to_others.one("secret-files").status == "warning"
    assert "'.env'" in open_to_others.one("secret-files").message
    assert closed.one("secret-files").status == "ok"


async def test_a_directory_that_anybody_may_write_to_is_a_warning(
    doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)

    assert "anybody" in (await doctor(**POOL)).one("secret-files").message


@pytest.mark.parametrize(
    ("free", "status"),
    [
        (SCARCE_BYTES, "ok"),
        (SCARCE_BYTES - 1, "warning"),
        (FULL_BYTES, "warning"),
        (FULL_BYTES - 1, "fault"),
        (0, "fault"),
    ],
)
def test_the_room_on_a_disk_is_judged(free: int, status: str) -> None:
    assert judge_room("server.data_dir", Path("data"), free).status == status


async def test_the_disks_that_are_written_to_are_asked(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = await doctor(**POOL)

    class Usage:
        free = 7

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    full = await doctor(**POOL)

    assert fine.one("disk").status == "ok"
    assert full.one("disk").message.startswith("only 0 MiB are free for server.data_dir")


async def test_a_disk_that_cannot_be_asked_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("shutil.disk_usage", fails)

    assert (await doctor(**POOL)).one("disk").status == "warning"


async def test_a_log_file_that_cannot_be_made_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    report = await doctor(GEMPROXY_LOGGING_FILE="logs/app.log")

    assert "logging.file" in report.faults["disk"]
