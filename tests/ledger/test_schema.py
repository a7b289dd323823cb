"""The schema: made, migrated by one of many, refused, and as it was when a migration fails."""

import asyncio
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text

from gemproxy.ledger import schema
from gemproxy.ledger.engine import Engines, Place, place_of
from gemproxy.ledger.schema import NEWEST, VERSION_TABLE, prepare, version_of
from gemproxy.ledger.tables import METADATA, NAMES
from gemproxy.store.unusable import Unusable

pytestmark = pytest.mark.production_loop

SCRIPTS = Path(schema.__file__).with_name("migrations")
NEXT = "0002"
STEP = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{NEWEST}"


def upgrade():
    op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("names", sa.Column("extra", sa.Integer))
    op.execute("INSERT INTO names (id, name) VALUES (77, 'from the step')")
"""
BROKEN = f"{STEP}    op.execute('INSERT INTO nowhere VALUES (1)')\n"


@pytest.fixture
def scripts(tmp_path: Path) -> Callable[[str], Path]:
    """Return a folder of our migrations and one more."""

    def make(step: str) -> Path:
        folder = tmp_path / "migrations % 1"
        shutil.copytree(SCRIPTS, folder)
        (folder / "versions" / "next.py").write_text(step)
        return folder

    return make


async def tables(engines: Engines) -> set[str]:
    async with engines.reading() as connection:
        return set(await connection.run_sync(lambda it: inspect(it).get_table_names()))


async def names(engines: Engines) -> set[str]:
    async with engines.reading() as connection:
        return set((await connection.execute(select(NAMES.c.name))).scalars())


async def run(engines: Engines, *statements: str) -> None:
    async with engines.writing() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def refusal_of(engines: Engines, **more: object) -> Unusable:
    with pytest.raises(Unusable) as refusal:
        await prepare(engines, **more)  # type: ignore[arg-type]
    assert refusal.value.setting == engines.place.setting
    return refusal.value


def test_the_newest_version_is_that_of_the_migrations() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_heads() == [NEWEST]


async def test_the_migrations_make_the_tables(engines: Engines) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return list(compare_metadata(context, METADATA))

    async with engines.reading() as connection:
        assert await connection.run_sync(differences) == []
    assert await version_of(engines) == NEWEST
    assert await names(engines) == {""}


async def test_a_second_start_changes_nothing(engines: Engines) -> None:
    await run(engines, "INSERT INTO names (id, name) VALUES (5, 'ann')")
    await prepare(engines)

    assert await names(engines) == {"", "ann"}


async def test_a_newer_code_migrates(engines: Engines, scripts: Callable[[str], Path]) -> None:
    await prepare(engines, scripts(STEP), NEXT)

    assert await version_of(engines, NEXT) == NEXT
    assert "extra" in await tables(engines)
    assert "from the step" in await names(engines)


async def test_a_migration_that_fails_in_the_middle_changes_nothing(
    engines: Engines, scripts: Callable[[str], Path]
) -> None:
    await run(engines, "INSERT INTO names (id, name) VALUES (5, 'ann')")
    before = await tables(engines)
    refusal = await refusal_of(engines, scripts=scripts(BROKEN), newest=NEXT)

    assert "is as it was" in str(refusal)
    assert "nowhere" in str(refusal)
    assert await tables(engines) == before
    assert await names(engines) == {"", "ann"}
    assert await version_of(engines) == NEWEST
    await prepare(engines)


async def test_a_newer_schema_is_refused_in_words(
    engines: Engines, scripts: Callable[[str], Path]
) -> None:
    await prepare(engines, scripts(STEP), NEXT)
    refusal = await refusal_of(engines)

    assert "newer gemproxy (schema 0002, this one knows 0001)" in str(refusal)


async def test_processes_that_start_at_once_migrate_once(place: Place) -> None:
    starts = [Engines.of(place) for _ in range(5)]
    await asyncio.gather(*map(prepare, starts))

    assert {await version_of(engines) for engines in starts} == {NEWEST}
    assert await names(starts[0]) == {""}
    for engines in starts:
        await engines.close()


async def test_one_that_cannot_migrate_for_another_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "WAIT_SECONDS", 0.1)
    one, two = Engines.of(place), Engines.of(place)
    async with one.writing() as connection:
        if not one.is_sqlite:
            await connection.execute(
                text(f"SELECT pg_advisory_lock({schema.LOCKS}, {schema.MIGRATING})")
            )
        refusal = await refusal_of(two)
        assert "locked by another process" in str(refusal)
        await connection.rollback()
    await one.close()
    await two.close()


async def test_a_database_of_another_program_is_refused(place: Place) -> None:
    engines = Engines.of(place)
    await run(engines, "CREATE TABLE users (id INTEGER)")
    refusal = await refusal_of(engines)

    assert "another program" in str(refusal)
    assert await tables(engines) == {"users"}
    await engines.close()


async def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    engines = Engines.of(place_of("", tmp_path))
    await run(engines, "CREATE TABLE songs (id INTEGER)")
    refusal = await refusal_of(engines)

    assert "another program" in str(refusal)
    await engines.close()


async def test_a_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 1000)
    engines = Engines.of(place_of("", tmp_path))
    refusal = await refusal_of(engines)

    assert "damaged" in str(refusal)
    await engines.close()


async def test_a_database_that_is_not_there_is_refused(tmp_path: Path) -> None:
    engines = Engines.of(place_of("postgres://ann:canary@127.0.0.1:1/gemproxy", tmp_path))
    refusal = await refusal_of(engines)

    assert "database 'gemproxy' at 127.0.0.1 cannot be used" in str(refusal)
    assert "canary" not in str(refusal)
    await engines.close()


async def test_a_new_file_is_private(tmp_path: Path) -> None:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    await engines.close()

    assert stat.S_IMODE((tmp_path / "ledger.sqlite").stat().st_mode) == 0o600
