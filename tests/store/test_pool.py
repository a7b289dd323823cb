"""What the pool has learnt outlives a restart, and other processes hear of it."""

import math
import sqlite3
from pathlib import Path

import attrs
import pytest

from gemproxy.pool.key import Key
from gemproxy.pool.state import Change, Home, Rest, Result, Sickness, Spent, Switch, Use, Why
from gemproxy.store import learnt
from gemproxy.store.database import FILE
from gemproxy.store.store import Store
from tests.store.conftest import OpenStore

NOW = 1_795_000_000.0
REST = Rest("lab", "gemini-3.5-flash", NOW + 60, Why.DAY, NOW, times=2, probed=NOW - 5)
SICK = Sickness("0badcafe", Why.LEAKED, NOW, again_at=NOW + 300, times=3)
SPENT = Spent("lab", "gemini-3.5-flash", "2026-11-28", 18)
HOME = Home(b"\x00\xff", "lab", NOW)
SWITCH = Switch("0badcafe", enabled=False, at=NOW)
USE = Use("0badcafe", Result.MINUTE, NOW)
EVERYTHING: list[Change] = [REST, SICK, SWITCH, USE, SPENT, HOME]


async def written(store: Store, *changes: Change) -> None:
    store.pool.save(changes)
    await store.pool._behind.flush()


async def test_all_is_known_after_a_restart(tmp_path: Path) -> None:
    before = Store.open(tmp_path)
    before.pool.save(EVERYTHING)
    await before.close()

    after = Store.open(tmp_path)

    assert after.pool.load() == EVERYTHING
    await after.close()


async def test_others_hear_of_changes_once(opened: OpenStore) -> None:
    here, there = opened(), opened()
    assert there.pool.load() == []

    await written(here, *EVERYTHING)

    assert (await there.pool.poll()).changes == EVERYTHING
    assert (await there.pool.poll()).changes == []
    assert (await here.pool.poll()).changes == []


async def test_several_things_may_be_learnt_in_one_turn(opened: OpenStore) -> None:
    here, there = opened(), opened()
    here.pool.save([REST])
    here.pool.save([SICK])
    here.pool.save([HOME])
    await here.pool._behind.flush()

    assert (await there.pool.poll()).changes == [REST, SICK, HOME]


async def test_of_two_the_later_counts(opened: OpenStore) -> None:
    here, there = opened(), opened()
    ended = Rest("lab", REST.model, NOW + 1, Why.DAY, NOW + 1)
    well = Sickness(SICK.key, None, NOW + 1)

    await written(here, ended, well, Home(HOME.opening, "home", NOW + 1))
    await written(there, REST, SICK, HOME)

    assert opened().pool.load() == [ended, well, Home(HOME.opening, "home", NOW + 1)]


async def test_a_process_that_did_not_know_cuts_no_rest_short(opened: OpenStore) -> None:
    here, there = opened(), opened()
    short = attrs.evolve(REST, until=NOW + 30, why=Why.MINUTE, at=NOW + 1)

    await written(here, REST)
    await written(there, short)
    assert opened().pool.load() == [REST]

    await written(there, attrs.evolve(short, probed=NOW + 1))
    assert opened().pool.load() == [attrs.evolve(short, probed=NOW + 1)]


async def test_counts_of_processes_are_added_up(opened: OpenStore) -> None:
    here, there = opened(), opened()
    await written(here, SPENT)
    await written(there, Spent("lab", SPENT.model, SPENT.day, 2))
    there.pool.save([Spent("lab", SPENT.model, SPENT.day, 100)])  # waits

    assert (await here.pool.poll()).changes == [Spent("lab", SPENT.model, SPENT.day, 20)]
    assert (await there.pool.poll()).changes == [Spent("lab", SPENT.model, SPENT.day, 120)]


async def test_an_endless_rest_is_kept_as_one(opened: OpenStore) -> None:
    rest = Rest("lab", "m", math.inf, Why.ABSENT, NOW)
    await written(opened(), rest)

    assert opened().pool.load() == [rest]


async def test_a_cause_that_only_a_later_version_knows_is_left_alone(opened: OpenStore) -> None:
    store = opened()
    await written(store, REST, SICK, USE, SPENT)
    for rows, column in (("rests", "why"), ("sicknesses", "why"), ("uses", "result")):
        query = f"UPDATE {rows} SET {column} = 'moon'"
        store.database.write(lambda it, query=query: it.execute(query)).result()  # type: ignore[misc]

    assert opened().pool.load() == [SPENT]


async def test_a_location_that_is_refused_is_noted_until_it_is_not(opened: OpenStore) -> None:
    store = opened()
    store.pool.located("0badcafe", NOW, True)
    store.pool.located("0badcafe", NOW + 1, True)
    store.pool.located("0badf00d", NOW, False)
    await store.pool._behind.flush()
    other = opened()
    other.pool.load()
    assert other.database.read(learnt.refused_locations).result() == {"0badcafe": NOW}

    other.pool.located("0badcafe", NOW + 2, False)
    await other.pool._behind.flush()

    assert store.database.read(learnt.refused_locations).result() == {}


async def test_a_name_that_is_no_unicode_costs_nothing(opened: OpenStore) -> None:
    store = opened()
    await written(store, Spent("lab", "m\ud800", "2026-11-28", 1), REST)

    assert REST in opened().pool.load()


async def test_a_value_that_no_database_holds_does_not_stop_the_rest(opened: OpenStore) -> None:
    store = opened()
    await written(store, Spent("lab", "m", "2026-11-28", 1 << 70))
    await written(store, REST)

    assert opened().pool.load() == [REST]


async def test_keys_that_were_added_and_removed_are_heard_of(opened: OpenStore) -> None:
    here, there = opened(), opened()
    key = Key("AIza-one", "lab")
    assert there.pool.keys() == []

    here.database.write(lambda it: here.ring.add(it, [key], NOW)).result()
    added = await there.pool.poll()
    nothing = await there.pool.poll()
    here.database.write(lambda it: here.ring.remove(it, [key.name])).result()
    removed = await there.pool.poll()

    assert [found.secret for found in added.keys or ()] == ["AIza-one"]
    assert nothing.keys is None
    assert removed.keys == []


async def test_what_is_cleared_is_heard_of_and_cleared_once(opened: OpenStore) -> None:
    here, there = opened(), opened()
    await written(here, REST, SICK)
    there.pool.load()

    def clear(connection: sqlite3.Connection) -> int:
        return learnt.clear(connection, ["lab"], [SICK.key], NOW + 1)

    assert here.database.write(clear).result() == 2
    news = (await there.pool.poll()).changes
    assert [type(change) for change in news] == [Rest, Sickness]
    assert isinstance(news[0], Rest)
    assert news[0].until == NOW + 1
    assert isinstance(news[1], Sickness)
    assert news[1].why is None
    assert here.database.write(clear).result() == 0


async def test_pruning_forgets_what_no_longer_matters(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learnt, "MOST_HOMES", 1)
    store = opened()
    late = NOW + 40 * 24 * 3600
    fresh: list[Change] = [
        Rest("lab", "n", late + 1, Why.DAY, late),
        Spent("lab", "m", "2026-12-28", 1),
        Home(b"new", "lab", late),
    ]
    await written(store, *EVERYTHING, *fresh)

    await store.prune(late)

    assert opened().pool.load() == [fresh[0], SWITCH, USE, *fresh[1:]]


async def test_a_full_disk_delays_and_loses_nothing(
    opened: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened()
    store.database._writer.do(lambda it, _: it.execute("PRAGMA max_page_count = 1")).result()
    homes: list[Change] = [Home(bytes([n]) * 4_000, "lab", NOW + n) for n in range(50)]
    await written(store, *homes, SPENT)
    await written(store, SPENT)
    assert opened().pool.load() == []

    store.database._writer.do(lambda it, _: it.execute("PRAGMA max_page_count = 9999")).result()
    await written(store)

    assert opened().pool.load() == [Spent("lab", SPENT.model, SPENT.day, 36), *homes]
    assert [record.getMessage() for record in caplog.records] == [
        "the data directory fails (writing): database or disk is full",
        "the data directory works again (writing)",
    ]


async def test_a_lock_of_another_program_delays_and_loses_nothing(
    opened: OpenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemproxy.store.database.BUSY_SECONDS", 0.01)
    store = opened()
    other = sqlite3.connect(tmp_path / "data" / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    await written(store, REST)
    assert (await store.pool.poll()).changes == []
    other.execute("ROLLBACK")
    other.close()
    await written(store)

    assert opened().pool.load() == [REST]


async def test_a_file_that_is_gone_delays_until_there_is_one(
    opened: OpenStore, tmp_path: Path
) -> None:
    store = opened()
    store.database.write(lambda it: store.ring.add(it, [Key("AIza-one", "lab")], NOW)).result()
    assert len(store.pool.keys()) == 1
    for file in (tmp_path / "data").iterdir():
        if file.name.startswith(FILE):
            file.unlink()

    await written(store, REST)
    assert (await store.pool.poll()).keys is None

    other = opened()
    await written(store)
    news = await store.pool.poll()

    assert news.keys == []
    assert other.pool.load() == [REST]


async def test_what_waits_is_bounded(opened: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemproxy.store.pool.MOST_WAITING", 10)
    store = opened()
    store.pool.save(Home(bytes([n]), "lab", NOW) for n in range(100))
    await written(store)

    assert opened().pool.load() == [Home(bytes([n]), "lab", NOW) for n in range(90, 100)]


async def test_a_switch_is_known_until_long_after_the_key_is_enabled(opened: OpenStore) -> None:
    store = opened()

    def switch(*keys: str, at: float, enabled: bool) -> list[str]:
        job = store.database.write(lambda it: learnt.switch(it, keys, at, enabled=enabled))
        return job.result()

    assert switch("a", "b", at=NOW, enabled=True) == []
    assert switch("a", "b", at=NOW, enabled=False) == ["a", "b"]
    assert switch("b", at=NOW - 5, enabled=True) == ["b"]
    on = Switch("b", enabled=True, at=NOW + 0.001)
    assert opened().pool.load() == [Switch("a", enabled=False, at=NOW), on]

    await store.pool.prune(NOW + 2 * learnt.OVER_SECONDS)
    assert opened().pool.load() == [Switch("a", enabled=False, at=NOW)]


async def test_the_last_use_of_a_key_goes_with_it(opened: OpenStore) -> None:
    store, key = opened(), Key("AIza-canary", "lab")
    store.database.write(lambda it: store.ring.add(it, [key], NOW)).result()
    await written(store, Use(key.name, Result.OK, NOW))

    store.database.write(lambda it: store.ring.remove(it, [key.name])).result()

    assert opened().pool.load() == []
