"""Rows: what is written is read, whatever it holds, and hours that are summed are summed again."""

import msgspec
import pytest
from sqlalchemy import func, select, update

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.row import Row
from gemproxy.ledger.rows import LONGEST, Rows
from gemproxy.ledger.tables import ATTEMPTS, META, NAMES, REFOLDS
from tests.ledger.rows import MOMENT, NOW, TRY, row, settled, stored

pytestmark = pytest.mark.production_loop

HOUR = int(NOW) // 3600 * 3600


async def put(engines: Engines, *rows: Row, now: float = NOW, using: Rows | None = None) -> None:
    writing = using or Rows(engines.write.dialect)
    async with engines.writing() as connection:
        names = await writing.put(connection, 1, rows, now)
    writing.learn(names)


async def refolds(engines: Engines) -> list[int]:
    async with engines.reading() as connection:
        return list((await connection.execute(select(REFOLDS.c.hour))).scalars())


async def fold(engines: Engines, until: int) -> None:
    async with engines.writing() as connection:
        await connection.execute(update(META).where(META.c.name == "folded").values(number=until))


@pytest.mark.parametrize(
    "one",
    [
        row(),
        settled(),
        settled(cost_nano_usd=None, operator_cost_nano_usd=None, first_byte_ms=None),
        settled(tries=()),
        settled((1 << 63) - 1, cost_nano_usd=1 << 60),
        row(user="", model="模型 🐚", project="'; DROP TABLE names; --"),
    ],
)
async def test_a_row_comes_back_as_it_was(engines: Engines, one: Row) -> None:
    await put(engines, one)

    assert await stored(engines) == [one]


async def test_the_attempts_of_a_row_are_kept_as_they_are_given(engines: Engines) -> None:
    await put(engines, settled(tries=(TRY,)), settled(2, tries=()))

    async with engines.reading() as connection:
        count = select(func.count()).select_from(ATTEMPTS)
        assert (await connection.execute(count)).scalar_one() == 1


async def test_a_second_put_changes_what_a_generation_learns(engines: Engines) -> None:
    await put(engines, row(model="m"), row(2))
    await put(engines, settled(model="m2"))

    assert await stored(engines) == [settled(model="m2"), row(2)]


async def test_a_repeated_transaction_changes_nothing(engines: Engines) -> None:
    rows = [settled(), row(2)]
    await put(engines, *rows)
    await put(engines, *rows)

    assert await stored(engines) == rows


async def test_each_name_is_stored_once_by_several_processes(engines: Engines) -> None:
    one, two = Rows(engines.write.dialect), Rows(engines.write.dialect)
    for serial in range(1, 5):
        await put(engines, row(serial, model=f"m{serial % 2}"), using=(one, two)[serial // 3])

    async with engines.reading() as connection:
        names = (await connection.execute(select(NAMES.c.name))).scalars().all()
    assert sorted(names) == ["", "ann", "m0", "m1"]
    assert [it.model for it in await stored(engines)] == ["m1", "m0", "m1", "m0"]


async def test_a_name_of_a_transaction_that_failed_is_not_remembered(engines: Engines) -> None:
    writing = Rows(engines.write.dialect)

    async def fail() -> None:
        async with engines.writing() as connection:
            await writing.put(connection, 1, [row()], NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await put(engines, row(), using=writing)

    assert await stored(engines) == [row()]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * 500, "x" * LONGEST),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a?b"),
        ("é" * 300, "é" * LONGEST),
    ],
)
async def test_a_text_that_no_database_holds_is_cleaned(
    engines: Engines, text: str, kept: str
) -> None:
    await put(engines, row(model=text, request_id=text))

    (found,) = await stored(engines)
    assert (found.model, found.request_id) == (kept, kept)


async def test_more_names_than_one_statement_takes(engines: Engines) -> None:
    rows = [row(serial, model=f"m{serial}") for serial in range(1, 1200)]
    await put(engines, *rows)

    assert await stored(engines) == rows


async def test_a_late_row_has_its_hour_folded_again(engines: Engines) -> None:
    await fold(engines, HOUR)
    late = msgspec.structs.replace(row(2), started=MOMENT - 3 * 3_600_000)
    await put(engines, row(1), late)
    await put(engines, late)

    assert await refolds(engines) == [HOUR - 3 * 3600]


async def test_a_row_of_an_hour_that_is_not_folded_needs_nothing(engines: Engines) -> None:
    await fold(engines, HOUR - 3600)
    await put(engines, row(1), row(2, started=MOMENT - 3_600_000))

    assert await refolds(engines) == []
