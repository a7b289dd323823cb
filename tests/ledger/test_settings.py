"""The stored settings: changed one after the other, and found by the number of the change."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gemproxy.ledger.audit import Audit, Deed
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.settings import Decide, SettingsTable, Stored

DEED = Deed("operator", "192.0.2.7", "settings.change", "a.b")


@pytest.fixture
def table(engines: Engines) -> SettingsTable:
    return SettingsTable(engines, Audit(engines))


def to(values: Mapping[str, object]) -> Decide:
    return lambda _stored: (values, [DEED])


async def test_values_are_kept_as_they_were_given(table: SettingsTable) -> None:
    values = {"a.b": {"x": [1, None, True, "ü"]}, "a.c": "5m", "a.d": None}

    stored = await table.change(to(values))

    assert stored.change == 1
    assert await table.since(0) == Stored(1, values)
    assert await table.since(1) is None
    assert "5m" not in repr(stored)


async def test_a_value_that_is_gone_is_found_by_the_number_too(table: SettingsTable) -> None:
    await table.change(to({"a.b": 1, "a.c": 2}))
    await table.change(to({"a.c": 3}))

    assert await table.since(1) == Stored(2, {"a.c": 3})


async def test_a_change_that_is_refused_leaves_everything_as_it_was(table: SettingsTable) -> None:
    def refuse(_stored: Stored) -> tuple[Mapping[str, object], Sequence[Deed]]:
        raise ZeroDivisionError

    await table.change(to({"a.b": 1}))
    with pytest.raises(ZeroDivisionError):
        await table.change(refuse)

    assert await table.since(0) == Stored(1, {"a.b": 1})
    assert len(await table.audit.read(9)) == 1


async def test_of_changes_at_once_each_sees_what_the_earlier_one_left(table: SettingsTable) -> None:
    def add(stored: Stored) -> tuple[Mapping[str, object], Sequence[Deed]]:
        return {**stored.values, f"a.{stored.change}": stored.change}, [DEED]

    await asyncio.gather(*(table.change(add) for _ in range(8)))

    stored = await table.since(0)
    assert stored == Stored(8, {f"a.{number}": number for number in range(8)})
    assert len(await table.audit.read(9)) == 8
