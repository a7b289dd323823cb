"""The ledger's database: where it is, and how old."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from gemproxy.__main__ import main
from gemproxy.doctor.database import judge
from gemproxy.ledger.engine import in_file
from gemproxy.ledger.peeking import Sight
from tests.doctor.conftest import Doctor

LEDGER = {"GEMPROXY_LEDGER_ENABLED": "true"}


async def make(*flags: str) -> Path:
    done = await asyncio.to_thread(main, ["users", "add", "ann", *flags])
    assert done == 0
    return Path("data/ledger.sqlite")


async def test_without_a_ledger_nothing_is_looked_at(doctor: Doctor) -> None:
    assert (await doctor()).one("ledger").message == "no ledger is kept"


async def test_a_database_that_is_not_there_yet_is_silent(doctor: Doctor) -> None:
    report = await doctor(**LEDGER)

    assert report.one("ledger").status == "ok"
    assert "will be made at the start" in report.one("ledger").message


async def test_a_database_of_this_version_is_silent(doctor: Doctor) -> None:
    await make()

    assert "is up to date" in (await doctor(**LEDGER)).one("ledger").message


async def test_an_older_database_is_a_warning() -> None:
    sight = Sight(in_file(Path("l.sqlite"), "server.data_dir"), exists=True, version="0000")
    verdict = judge(sight)

    assert (verdict.status, "gemproxy db backup" in verdict.advice) == ("warning", True)


async def test_a_newer_database_is_a_fault_and_is_left_alone(doctor: Doctor) -> None:
    file = await make()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE gemproxy_version SET version_num = '9999'")
    connection.close()
    before = file.read_bytes()
    report = await doctor(**LEDGER)

    assert "was written by a newer gemproxy (schema 9999" in report.faults["ledger"]
    assert report.one("ledger").advice.startswith("install that version")
    assert file.read_bytes() == before


async def test_a_database_of_another_program_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data" / "ledger.sqlite") as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()

    assert "of another program" in (await doctor(**LEDGER)).faults["ledger"]


async def test_a_damaged_database_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite").write_bytes(b"no database" * 400)
    report = await doctor(**LEDGER)

    assert "damaged" in report.faults["ledger"]
    assert "restore a backup" in report.one("ledger").advice


async def test_a_database_that_cannot_be_reached_is_a_fault(doctor: Doctor) -> None:
    where = "postgresql://someone:pass-canary@127.0.0.1:1/records"
    report = await doctor("--online", DATABASE_URL=where)

    assert "database 'records' at 127.0.0.1 cannot be used" in report.faults["ledger"]
    assert "canary" not in report.text


async def test_offline_no_server_is_asked(doctor: Doctor) -> None:
    report = await doctor(DATABASE_URL="postgresql://someone@127.0.0.1:1/records")

    assert report.one("ledger").status == "skipped"


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://"])
async def test_an_url_of_no_database_is_told_once(doctor: Doctor, url: str) -> None:
    report = await doctor(DATABASE_URL=url)

    assert len(report.of("ledger")) == 1
    assert report.one("ledger").status == "fault"
