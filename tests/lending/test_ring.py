"""Keys that are added and removed while the pool serves, in all processes."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from gemproxy.core.errors import Busy, Conflict, Unrouted
from gemproxy.lending.keeping import Keeper
from gemproxy.lending.ring import Result, Ring, Wish
from gemproxy.pool.key import Key, fingerprint
from tests.lending.test_keeping import OF_SETTINGS, keeping

CLIENTS = "gp-known"


def read(wish: Wish) -> Key:
    if not wish.secret:
        raise ValueError("has an empty key")
    return Key(wish.secret, wish.project or fingerprint(wish.secret))


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Ring, Keeper]]:
    async with keeping(folder) as keeper:
        keeper.pool.replace(
            [
                attrs.evolve(project, keys=(attrs.evolve(OF_SETTINGS, origin="pool.keys"),))
                for project in keeper.pool.projects
                if project.name == OF_SETTINGS.project
            ]
        )
        yield Ring(keeper, read, lambda secret: secret == CLIENTS), keeper


def names(keeper: Keeper) -> list[str]:
    return [project.name for project in keeper.pool.projects]


async def test_an_added_key_serves_at_once_and_elsewhere_at_the_next_step(tmp_path: Path) -> None:
    async with serving(tmp_path) as (ring, keeper), keeping(tmp_path) as other:
        (placed,) = await ring.add([Wish("b", "B")])
        assert (placed.result, placed.project) == (Result.ADDED, "B")
        assert names(keeper) == ["A", "B"]
        await other.step()
        assert names(other) == ["A", "B"]

        assert await ring.remove(placed.name) == "B"
        assert names(keeper) == ["A"]
        await other.step()
        assert names(other) == ["A"]


async def test_each_key_has_a_result_in_its_place(tmp_path: Path) -> None:
    async with serving(tmp_path) as (ring, _):
        wishes = [Wish(secret) for secret in ("", "b", CLIENTS, "b", "a", "c")]
        placed = await ring.add(wishes)

    found = [one.result for one in placed]
    refused, added, known = Result.REFUSED, Result.ADDED, Result.KNOWN
    assert found == [refused, added, refused, known, known, added]
    assert [bool(one.why) for one in placed] == [True, False, True, True, True, False]
    assert placed[4].why == "is in the settings (pool.keys)"
    assert CLIENTS not in repr(placed)
    assert CLIENTS not in repr(wishes)


async def test_a_key_of_the_settings_and_an_unknown_one_are_not_removed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (ring, _):
        with pytest.raises(Conflict, match=r"pool\.keys"):
            await ring.remove(OF_SETTINGS.name)
        with pytest.raises(Unrouted):
            await ring.remove("0" * 8)


async def test_a_data_directory_that_fails_is_said_and_nothing_is_added(tmp_path: Path) -> None:
    async with serving(tmp_path) as (ring, keeper):
        keeper.store.database.path.unlink()
        with pytest.raises(Busy, match="data directory"):
            await ring.add([Wish("b", "B")])
        assert names(keeper) == ["A"]
