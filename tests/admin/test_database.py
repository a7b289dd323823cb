"""The ledger's database through the admin API, in SQLite and in PostgreSQL."""

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from sqlalchemy import text

from gemproxy.accounts.calendar import Calendar
from gemproxy.admin.database import (
    STATE,
    CleanupOrder,
    Database,
    DatabaseCleanup,
    backup,
    check,
    cleanup,
    database,
)
from gemproxy.admin.desk import Answer, Answers, Desk
from gemproxy.admin.route import NOTHING, Call, Form
from gemproxy.core.errors import Busy, Conflict, Unrouted
from gemproxy.ledger.audit import Audit
from gemproxy.ledger.backup import restore
from gemproxy.ledger.engine import Engines, Place, in_file, place_of
from gemproxy.ledger.health import Health
from gemproxy.ledger.ledger import Ledger
from gemproxy.ledger.schema import NEWEST
from tests.ledger.conftest import place, postgres
from tests.ledger.rows import MOMENT, NOW, settled

__all__ = ["place", "postgres"]

HOUR_MS = 3_600_000


@pytest.fixture
async def held(place: Place, tmp_path: Path) -> AsyncIterator[Database]:
    """Return the database of a ledger with five requests, an hour apart."""
    ledger = await Ledger.open(place, now=lambda: NOW)
    for serial in range(1, 6):
        ledger.put(settled(serial, started=MOMENT - serial * HOUR_MS))
    assert await ledger.flush()
    made = Database(ledger, Calendar(), tmp_path / "data" / "backups", now=lambda: NOW)
    yield made
    await made.close()
    await ledger.close()


def call(held: Database | None, body: Form = NOTHING, **parts: Any) -> Call[Any, Any]:
    audit = Audit(held.ledger.engines) if held else None
    desk = Desk(database=held, audit=audit, **parts)
    return Call(desk, {}, NOTHING, body, "operator", "192.0.2.7")


async def noted(held: Database) -> list[tuple[str, str, object]]:
    """Return the entries of the audit log: action, target, detail."""
    entries = await Audit(held.ledger.engines).read(9)
    assert {(one.deed.actor, one.deed.address) for one in entries} <= {("operator", "192.0.2.7")}
    return [(one.deed.action, one.deed.target, one.deed.detail) for one in entries]


async def test_it_is_shown_without_its_credentials(held: Database) -> None:
    shown = await database(call(held))
    place = held.ledger.engines.place

    assert (shown.ok, shown.problem, shown.waiting, shown.lost) == (True, "", 0, 0)
    assert shown.contents is not None
    assert (shown.contents.schema, shown.contents.requests) == (NEWEST, 5)
    assert shown.contents.oldest == dt.datetime.fromtimestamp(NOW - 5 * 3600, dt.UTC)
    assert shown.contents.bytes > 0
    if place.file is not None:
        assert (shown.kind, shown.file, shown.host) == ("sqlite", str(place.file), None)
    else:
        assert (shown.kind, shown.file, shown.name) == ("postgresql", None, place.url.database)


@attrs.frozen
class Unreachable:
    """The ledger of a database that does not answer."""

    engines: Engines
    health: Health = attrs.field(factory=Health)
    waiting: int = 3


async def test_a_host_is_shown_without_user_and_password(tmp_path: Path) -> None:
    engines = Engines.of(place_of("postgresql://anna:hidden@127.0.0.1:1/gem", tmp_path))
    ledger: Any = Unreachable(engines)
    shown = await database(call(Database(ledger, Calendar(), tmp_path)))
    await engines.close()

    assert (shown.host, shown.port, shown.name) == ("127.0.0.1", 1, "gem")
    assert (shown.ok, shown.waiting) == (False, 3)
    assert shown.problem
    for secret in (b"anna", b"hidden"):
        assert secret not in msgspec.json.encode(shown)


async def test_rows_that_wait_are_those_of_all_workers(held: Database) -> None:
    class Other:
        number = 0

        async def ask(self, path: str, document: Any = None) -> Answers:
            assert (path, document) == (STATE, None)
            since = "2026-11-29T08:00:00Z"
            state = {"worker": 1, "waiting": 7, "failing_since": since, "why": "full", "lost": 2}
            return Answers((Answer(1, state | {"unbegun": 0}),), 2)

    shown = await database(call(held, neighbours=Other()))

    assert (shown.ok, shown.waiting, shown.lost) == (False, 7, 2)
    assert [one.worker for one in shown.writers] == [0, 1]
    assert (shown.workers.asked, shown.workers.answered) == (2, 1)


async def test_a_database_that_fails_is_shown_with_the_reason(held: Database) -> None:
    async with held.ledger.engines.writing() as connection:
        await connection.execute(text("ALTER TABLE rollups RENAME TO elsewhere"))
    shown = await database(call(held))

    assert (shown.ok, shown.contents) == (False, None)
    assert "rollups" in shown.problem
    with pytest.raises(Busy, match="The database fails"):
        await check(call(held))
    with pytest.raises(Busy, match="The database fails"):
        await cleanup(call(held, CleanupOrder(days=0)))
    ((action, _, detail),) = await noted(held)
    assert action == "database.cleanup"
    assert "rollups" in str(detail)


async def test_a_backup_has_a_name_of_ours_and_can_be_restored(
    held: Database, tmp_path: Path
) -> None:
    made = await backup(call(held))
    again = await backup(call(held))
    file = held.folder / made.name
    copied = in_file(tmp_path / "copy.sqlite", "")

    assert re.fullmatch(r"ledger-\d{8}T\d{6}Z-[0-9a-f]{8}\.sqlite", made.name)
    assert made.name != again.name
    assert (made.bytes, made.requests) == (file.stat().st_size, 5)
    assert file.stat().st_mode & 0o077 == 0
    assert held.folder.stat().st_mode & 0o077 == 0
    assert {one.name for one in held.folder.iterdir()} == {made.name, again.name}
    assert await restore(copied, file) == 5
    assert await noted(held) == [
        ("database.backup", one.name, {"bytes": one.bytes, "requests": 5}) for one in (again, made)
    ]


async def test_a_backup_that_cannot_be_written_is_a_conflict_in_words(held: Database) -> None:
    held.folder.parent.mkdir()
    held.folder.write_text("a file")
    with pytest.raises(Conflict, match="No backup can be made"):
        await backup(call(held))

    assert await noted(held) == []


async def test_a_check_is_that_of_the_command(held: Database) -> None:
    sound = await check(call(held))
    await cleanup(call(held, CleanupOrder(days=99)))
    async with held.ledger.engines.writing() as connection:
        await connection.execute(text("UPDATE generations SET input_tokens = 9 WHERE serial = 3"))
    wrong = await check(call(held))

    assert (sound.ok, sound.problems, sound.requests, sound.unfinished) == (True, [], 5, 0)
    assert not wrong.ok
    assert "sums of the hour" in wrong.problems[0]


async def test_a_cleanup_deletes_rows_and_keeps_their_sums(held: Database) -> None:
    cleaned = await cleanup(call(held, CleanupOrder(days=0)))
    again = await cleanup(call(held, CleanupOrder(days=0)))
    report = await check(call(held))

    assert cleaned == DatabaseCleanup(deleted=5, kept_since=cleaned.kept_since)
    assert cleaned.kept_since is not None
    assert again.deleted == 0
    assert (report.ok, report.requests) == (True, 0)
    assert [entry[2] for entry in await noted(held)] == [
        {"days": 0, "deleted": 0},
        {"days": 0, "deleted": 5},
    ]


async def test_work_goes_on_without_its_caller_and_keeps_other_work_out(held: Database) -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        ended.set()

    caller = asyncio.create_task(held.alone(work))
    await begun.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    with pytest.raises(Conflict, match="ask again"):
        await check(call(held))
    go_on.set()
    await ended.wait()

    assert (await check(call(held))).ok


async def test_the_end_of_the_proxy_ends_the_work(held: Database) -> None:
    caller = asyncio.create_task(held.alone(asyncio.Event().wait))
    await asyncio.sleep(0)
    await held.close()

    with pytest.raises(asyncio.CancelledError):
        await caller


@pytest.mark.parametrize("handler", [database, backup, check, cleanup])
async def test_without_a_ledger_there_is_none_and_the_setting_is_named(handler: Any) -> None:
    with pytest.raises(Unrouted, match=r"ledger\.enabled"):
        await handler(call(None, CleanupOrder(days=1)))
