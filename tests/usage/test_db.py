"""The command ``gemproxy db``, on a ledger that a process has open and on one that none has."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import text

from gemproxy.__main__ import main
from gemproxy.ledger.engine import Engines, Place
from gemproxy.ledger.ledger import Ledger
from tests.ledger.conftest import place, postgres
from tests.ledger.rows import MOMENT, NOW, row, settled

__all__ = ["place", "postgres"]

HOUR_MS = 3_600_000


@attrs.frozen
class Outcome:
    """What a call of the command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What was printed as JSON."""
        return json.loads(self.out)


RunDb = Callable[..., Outcome]


@pytest.fixture
def db(
    tmp_path: Path,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> RunDb:
    """Run ``gemproxy db`` with arguments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMPROXY_SERVER_DATA_DIR", str(tmp_path))
    if place.file is None:
        monkeypatch.setenv("DATABASE_URL", place.url.render_as_string(hide_password=False))

    def run(*arguments: str) -> Outcome:
        code = main(["db", *arguments])
        return Outcome(code, *capfd.readouterr())

    return run


def fill(place: Place, *serials: int) -> None:
    async def put() -> None:
        ledger = await Ledger.open(place, now=lambda: NOW)
        for serial in serials:
            ledger.put(settled(serial, started=MOMENT - serial * HOUR_MS))
        assert await ledger.flush()
        await ledger.close()

    asyncio.run(put())


def test_a_check_of_a_sound_ledger(db: RunDb, place: Place) -> None:
    fill(place, 1, 2, 3)
    checked = db("check", "--json")

    assert (checked.code, checked.err) == (0, "")
    assert checked.document == {
        "ok": True,
        "schema": "0001",
        "problems": [],
        "requests": 3,
        "unfinished": 0,
        "hours": 0,
    }
    assert db("check").out.startswith("all is well: 3 requests")


def test_the_way_there_and_back(db: RunDb, place: Place, tmp_path: Path) -> None:
    fill(place, 1, 2, 3)
    assert db("backup", "saved", "--json").document == {"file": "saved", "requests": 3}
    fill(place, 4, 5)
    assert db("check", "--json").document["requests"] == 5
    restored = db("restore", "saved", "--json")

    assert (restored.code, restored.document) == (0, {"requests": 3})
    assert db("check", "--json").document["requests"] == 3


def test_a_cleanup_deletes_what_is_old(db: RunDb, place: Place) -> None:
    fill(place, *range(1, 100))
    cleaned = db("cleanup", "--days", "1", "--json")

    assert cleaned.code == 0
    assert cleaned.document["deleted"] == 99  # they are all of long ago
    assert db("check", "--json").document["requests"] == 0
    assert db("cleanup", "--days", "1").out == "deleted 0 requests; their sums stay\n"


async def _hold(place: Place, db: RunDb) -> Outcome:
    ledger = await Ledger.open(place, now=lambda: NOW)
    ledger.put(row())
    assert await ledger.flush()
    outcome = await asyncio.to_thread(db, "restore", "saved")
    await ledger.close()
    return outcome


def test_a_restore_is_refused_while_a_process_has_it(db: RunDb, place: Place) -> None:
    fill(place, 1)
    db("backup", "saved")
    outcome = asyncio.run(_hold(place, db))

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "gemproxy db: a process has the ledger open: stop it, and restore then\n"
    )


def test_a_check_that_finds_something_fails(db: RunDb, place: Place) -> None:
    fill(place, 1)
    db("cleanup", "--days", "100000")

    async def damage() -> None:
        engines = Engines.of(place)
        async with engines.writing() as connection:
            await connection.execute(text("UPDATE generations SET output_tokens = 1000"))
        await engines.close()

    asyncio.run(damage())
    checked = db("check", "--json")

    assert checked.code == 1
    assert checked.document["ok"] is False
    assert "sums of the hour" in checked.document["problems"][0]
    assert "sums of the hour" in db("check").out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("vacuum",),
        ("cleanup",),
        ("cleanup", "--days", "soon"),
        ("cleanup", "--days", "-1"),
        ("backup",),
        ("restore", "a", "b"),
        ("check", "--ledger.database_url", "mysql://ann:canary@h/d"),
    ],
)
def test_a_wrong_command_line(db: RunDb, arguments: tuple[str, ...]) -> None:
    outcome = db(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("gemproxy: ")
    assert "canary" not in outcome.err


@pytest.mark.parametrize("action", [("backup", "saved"), ("check",), ("cleanup", "--days", "1")])
def test_a_ledger_that_is_not_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    action: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["db", *action])

    assert code == 1
    assert "there is no ledger" in capfd.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_restore_that_has_no_file(db: RunDb) -> None:
    outcome = db("restore", "nowhere")

    assert (outcome.code, outcome.err) == (1, "gemproxy db: there is no file 'nowhere'\n")


def test_help(db: RunDb) -> None:
    outcome = db("--help")

    assert outcome.code == 0
    for action in ("cleanup", "backup", "restore", "check"):
        assert action in outcome.out
