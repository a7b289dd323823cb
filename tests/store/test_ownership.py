"""Who made a name is recorded before the name goes out, and once."""

import asyncio
from pathlib import Path

import pytest

from gemproxy.owners.owner import Owner, OwnerStore
from gemproxy.store import owned
from gemproxy.store.store import Store
from tests.store.conftest import OpenStore

NOW = 1_795_000_000.0
FILE = Owner("files/abc", "lab", "ann", NOW + 100)


async def test_an_owner_is_found_after_a_restart_and_by_others(
    opened: OpenStore, tmp_path: Path
) -> None:
    owners: OwnerStore = opened(now=lambda: NOW).owners
    await owners.add([FILE, Owner("batches/x", "home", "bob", NOW + 100)])

    other: OwnerStore = opened(now=lambda: NOW).owners

    assert list(await other.find(["files/abc", "files/none"])) == [FILE]
    assert len(await other.find(["files/abc", "batches/x"])) == 2
    assert await other.find([]) == ()


async def test_the_first_maker_keeps_the_name(opened: OpenStore) -> None:
    store = opened(now=lambda: NOW)
    later = Owner(FILE.name, "home", "bob", NOW + 999)

    await store.owners.add([FILE])
    await store.owners.add([later])
    await asyncio.gather(*(store.owners.add([later]) for _ in range(9)))

    assert list(await store.owners.find([FILE.name])) == [FILE]


async def test_a_name_that_was_looked_up_gets_its_maker(opened: OpenStore) -> None:
    store = opened(now=lambda: NOW)
    await store.owners.add([Owner(FILE.name, "lab", "", NOW + 50)])
    await store.owners.add([FILE])
    await store.owners.add([Owner(FILE.name, "lab", "", NOW + 50)])

    assert list(await store.owners.find([FILE.name])) == [FILE]


async def test_the_same_maker_prolongs(opened: OpenStore) -> None:
    store = opened(now=lambda: NOW)
    longer = Owner(FILE.name, "lab", "ann", NOW + 500)
    await store.owners.add([FILE])
    await store.owners.add([longer])
    await store.owners.add([FILE])

    assert list(await store.owners.find([FILE.name])) == [longer]


async def test_a_name_that_is_over_is_unknown_and_may_be_made_again(opened: OpenStore) -> None:
    now = NOW
    store = opened(now=lambda: now)
    again = Owner(FILE.name, "home", "bob", NOW + 500)
    await store.owners.add([FILE])
    now = NOW + 100

    assert await store.owners.find([FILE.name]) == []
    assert await store.owners.made_by("ann", "files") == []
    await store.owners.add([again])
    assert list(await store.owners.find([FILE.name])) == [again]


async def test_what_was_deleted_is_forgotten(opened: OpenStore) -> None:
    store = opened(now=lambda: NOW)
    await store.owners.add([FILE])
    await store.owners.forget([FILE.name, "files/none", "files/\ud800"])

    assert await store.owners.find([FILE.name]) == []


async def test_a_collection_of_a_caller_is_listed_in_order(opened: OpenStore) -> None:
    store = opened(now=lambda: NOW)
    names = ["files/c", "files/a", "files/b"]
    for name in names:
        await store.owners.add([Owner(name, "lab", "ann", NOW + 9)])
    store_of_files = Owner("fileSearchStores/s", "lab", "ann", NOW + 9)
    document = Owner("fileSearchStores/s/documents/d", "lab", "ann", NOW + 9)
    await store.owners.add([Owner("files/d", "lab", "bob", NOW + 9), store_of_files, document])

    assert [owner.name for owner in await store.owners.made_by("ann", "files")] == names
    assert await store.owners.made_by("ann", "fileSearchStores") == [store_of_files]
    assert await store.owners.made_by("ann", "fileSearchStores/s/documents") == [document]
    assert await store.owners.made_by("nobody", "files") == []


async def test_a_name_that_is_no_unicode_is_unknown(opened: OpenStore) -> None:
    store = opened(now=lambda: NOW)
    await store.owners.add([Owner("files/\ud800", "lab", "ann", NOW + 9)])

    assert await store.owners.find(["files/\ud800"]) == ()


async def test_thousands_of_names_are_found_at_once(opened: OpenStore) -> None:
    store = opened(now=lambda: NOW)
    owners = [Owner(f"files/{n}", "lab", "ann", NOW + 9) for n in range(5_000)]
    await store.owners.add(owners)

    assert len(await store.owners.find([owner.name for owner in owners])) == 5_000


async def test_a_disk_that_fails_costs_nobody_a_name(
    opened: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(now=lambda: NOW)
    readonly = "PRAGMA query_only = {}".format
    store.database._writer.do(lambda it, _: it.execute(readonly("ON"))).result()
    second = Owner("files/second", "lab", "ann", NOW + 9)

    await store.owners.add([FILE])
    await store.owners.add([second])
    await store.owners.forget([second.name])
    await store.owners.add([second])

    assert set(await store.owners.find([FILE.name, second.name])) == {FILE, second}
    assert await store.owners.made_by("ann", "files") == [FILE, second]
    assert opened(now=lambda: NOW).owners is not store.owners
    assert await opened(now=lambda: NOW).owners.find([FILE.name]) == []

    store.database._writer.do(lambda it, _: it.execute(readonly("OFF"))).result()
    await store.owners._behind.flush()

    assert list(await opened(now=lambda: NOW).owners.find([FILE.name])) == [FILE]
    assert [record.getMessage() for record in caplog.records] == [
        "the data directory fails (writing): attempt to write a readonly database",
        "the data directory works again (writing)",
    ]


async def test_pruning_forgets_what_is_over_and_the_oldest_beyond_the_limit(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owned, "MOST_OWNERS", 2)
    monkeypatch.setattr(owned, "_AT_ONCE", 3)
    store = opened(now=lambda: NOW)
    await store.owners.add(Owner(f"files/over{n}", "lab", "ann", NOW + 1) for n in range(10))
    await store.owners.add(Owner(f"files/{n}", "lab", "ann", NOW + 99) for n in range(10))

    await store.prune(NOW + 1)

    kept = await store.owners.made_by("ann", "files")
    assert [owner.name for owner in kept] == ["files/8", "files/9"]


async def test_one_that_was_cancelled_is_recorded_all_the_same(tmp_path: Path) -> None:
    store = Store.open(tmp_path, now=lambda: NOW)
    adding = asyncio.ensure_future(store.owners.add([FILE]))
    await asyncio.sleep(0)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    await store.close()

    after = Store.open(tmp_path, now=lambda: NOW)
    assert list(await after.owners.find([FILE.name])) == [FILE]
    await after.close()
