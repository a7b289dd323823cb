"""The audit log: written, read newest first, page by page and by filters."""

import itertools

import pytest

from gemproxy.ledger.audit import Audit, Deed, Entry, Wanted
from gemproxy.ledger.engine import Engines

NOW = 1_800_000_000.5


@pytest.fixture
def audit(engines: Engines) -> Audit:
    return Audit(engines, itertools.count(NOW).__next__)


def deed(action: str = "settings.change", target: str = "pool.strategy") -> Deed:
    return Deed("admin", "192.0.2.7", action, target, {"value": "weighted", "count": 2})


async def targets(audit: Audit, **wanted: object) -> list[str]:
    return [entry.deed.target for entry in await audit.read(9, Wanted(**wanted))]  # type: ignore[arg-type]


async def test_an_entry_is_read_as_it_was_written(audit: Audit) -> None:
    await audit.note(deed())

    assert await audit.read(9) == [Entry(1, NOW, deed())]


async def test_the_newest_comes_first_and_a_page_follows_another(audit: Audit) -> None:
    for number in range(5):
        await audit.note(deed(target=f"t{number}"))

    first = await audit.read(2)
    second = await audit.read(2, Wanted(before=first[-1].number))

    assert [entry.deed.target for entry in first + second] == ["t4", "t3", "t2", "t1"]


async def test_filters(audit: Audit) -> None:
    await audit.note(deed("keys.add", "one"))
    await audit.note(deed("keys.add", "two"))
    await audit.note(deed("users.add", "two"))

    assert await targets(audit, action="keys.add") == ["two", "one"]
    assert await targets(audit, target="two") == ["two", "two"]
    assert await targets(audit, since=NOW + 1) == ["two", "two"]
    assert await targets(audit, until=NOW + 1) == ["one"]


async def test_an_entry_is_undone_with_the_change_that_it_notes(
    audit: Audit, engines: Engines
) -> None:
    async def change() -> None:
        async with engines.writing() as connection:
            await audit.add(connection, deed())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await change()

    assert await audit.read(9) == []
