"""The record of owners: memory, the store, and how long a name is remembered."""

import attrs
import pytest

from gemproxy.owners.owner import Owner
from gemproxy.owners.registry import Registry, lifetime
from tests.owners.in_memory import InMemory

HOUR, DAY = 3600.0, 86400.0


@attrs.define(eq=False)
class Scene:
    """A registry with a clock."""

    store: InMemory = attrs.field(factory=InMemory)
    time: float = 1_000_000.0
    most: int = 20_000
    registry: Registry = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.registry = Registry(self.store, lambda: self.time, self.most)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("files/a", 49 * HOUR),
        ("cachedContents/c", 2 * HOUR),
        ("models/veo/operations/o", 30 * DAY),
        ("interactions/i", 56 * DAY),
        ("fileSearchStores/s", 3650 * DAY),
        ("agents/a", 3650 * DAY),
    ],
)
def test_a_record_lives_as_long_as_what_it_is_about(name: str, seconds: float) -> None:
    assert lifetime(name) == seconds


async def test_what_was_recorded_is_found_without_the_store() -> None:
    at = Scene()
    await at.registry.record({"files/a": None}, "lab", "ann")
    reads = at.store.reads

    found = await at.registry.find(["files/a"])

    assert found == {"files/a": Owner("files/a", "lab", "ann", at.time + 49 * HOUR)}
    assert at.store.reads == reads


async def test_what_another_process_recorded_is_found_in_the_store() -> None:
    at = Scene()
    assert await at.registry.find(["files/a"]) == {}
    await at.store.add([Owner("files/a", "lab", "ann", at.time + 9)])

    assert (await at.registry.find(["files/a"]))["files/a"].caller == "ann"


async def test_a_maker_who_is_known_stays_the_owner() -> None:
    at = Scene()
    await at.registry.record({"files/a": None}, "lab", "ann")
    await at.registry.record({"files/a": None}, "home", "bob")

    assert (await at.registry.find(["files/a"]))["files/a"].caller == "ann"
    assert at.store.writes == 1


async def test_a_name_of_nobody_is_asked_for_again() -> None:
    at = Scene()
    await at.store.add([Owner("files/a", "lab", "", at.time + 9)])
    assert (await at.registry.find(["files/a"]))["files/a"].caller == ""
    await at.store.add([Owner("files/a", "lab", "ann", at.time + 9)])

    assert (await at.registry.find(["files/a"]))["files/a"].caller == "ann"


async def test_a_name_that_is_read_again_and_again_is_written_once() -> None:
    at = Scene()
    for _ in range(3):
        await at.registry.record({"interactions/i": None}, "lab", "ann")
        at.time += 60

    assert at.store.writes == 1


async def test_a_later_end_is_recorded_and_an_earlier_one_is_not() -> None:
    at = Scene()
    await at.registry.record({"cachedContents/c": at.time + HOUR}, "lab", "ann")
    await at.registry.record({"cachedContents/c": at.time + 5 * HOUR}, "lab", "ann")
    await at.registry.record({"cachedContents/c": at.time + 2 * HOUR}, "lab", "ann")

    (owner,) = (await at.registry.find(["cachedContents/c"])).values()
    assert owner.until == at.time + 6 * HOUR
    assert at.store.writes == 2


async def test_what_is_over_is_no_longer_in_memory() -> None:
    at = Scene()
    await at.registry.record({"files/a": None}, "lab", "ann")
    at.store.owners.clear()
    at.time += 50 * HOUR

    assert await at.registry.find(["files/a"]) == {}


async def test_a_deleted_name_is_forgotten() -> None:
    at = Scene()
    await at.registry.record({"files/a": None, "files/b": None}, "lab", "ann")
    await at.registry.record({"files/a": 0.0}, "lab", "ann")

    assert [*await at.registry.find(["files/a", "files/b"])] == ["files/b"]
    assert [owner.name for owner in await at.registry.made_by("ann", "files")] == ["files/b"]


async def test_memory_is_bounded() -> None:
    at = Scene(most=2)
    await at.registry.record({f"files/{n}": None for n in range(4)}, "lab", "ann")
    at.store.owners.clear()

    found = await at.registry.find([f"files/{number}" for number in range(4)])

    assert [*found] == ["files/2", "files/3"]


async def test_what_is_perhaps_no_name_is_asked_for_once_a_second() -> None:
    at = Scene()
    assert await at.registry.find_perhaps(["voices/Kore"]) == {}
    assert await at.registry.find_perhaps(["voices/Kore"]) == {}
    assert at.store.reads == 1

    at.time += 1
    await at.store.add([Owner("voices/Kore", "lab", "ann", at.time + 9)])
    assert [*await at.registry.find_perhaps(["voices/Kore"])] == ["voices/Kore"]


async def test_what_was_just_made_is_no_longer_unknown() -> None:
    at = Scene()
    await at.registry.find_perhaps(["agents/helper"])
    await at.registry.record({"agents/helper": None}, "lab", "ann")

    assert [*await at.registry.find_perhaps(["agents/helper"])] == ["agents/helper"]


async def test_a_token_that_opens_sessions_is_kept_by_its_hash() -> None:
    at = Scene()
    await at.registry.record({"auth_tokens/canary": None}, "lab", "ann")

    assert "canary" not in str(at.store.owners)
    for registry in (at.registry, Registry(at.store, lambda: at.time)):
        found = await registry.find(["auth_tokens/canary", "files/a"])
        assert [(name, owner.caller) for name, owner in found.items()] == [
            ("auth_tokens/canary", "ann")
        ]
    assert lifetime(next(iter(at.store.owners))) == 2 * DAY
    await at.registry.forget(["auth_tokens/canary"])
    assert await at.registry.find(["auth_tokens/canary"]) == {}
