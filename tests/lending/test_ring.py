"""Keys that are added and removed while the pool serves, in all processes."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
from yarl import URL

from gemproxy.core.errors import Busy, Conflict, Unrouted
from gemproxy.lending.checking import Checker
from gemproxy.lending.keeping import Keeper
from gemproxy.lending.ring import Result, Ring, Wish
from gemproxy.pool.key import Key, fingerprint
from gemproxy.pool.state import Result as Outcome
from gemproxy.relay.upstream import open_upstream
from tests.lending.test_keeping import OF_SETTINGS, keeping
from tests.replies import Reply, error_reply, json_reply, replying

CLIENTS = "gp-known"


def read(wish: Wish) -> Key:
    if not wish.secret:
        raise ValueError("has an empty key")
    return Key(wish.secret, wish.project or fingerprint(wish.secret))


@contextlib.asynccontextmanager
async def serving(folder: Path, *replies: Reply) -> AsyncIterator[tuple[Ring, Keeper]]:
    async with keeping(folder) as keeper:
        keeper.pool.replace(
            [
                attrs.evolve(project, keys=(attrs.evolve(OF_SETTINGS, origin="pool.keys"),))
                for project in keeper.pool.projects
                if project.name == OF_SETTINGS.project
            ]
        )
        async with (
            replying(*replies) as upstream,
            open_upstream(connect_timeout=9, proxy=None) as way_up,
        ):
            checker = Checker(way_up, URL(upstream.url))
            yield Ring(keeper, read, lambda secret: secret == CLIENTS, checker), keeper


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


async def test_a_switch_acts_at_once_and_elsewhere_at_the_next_step(tmp_path: Path) -> None:
    async with serving(tmp_path) as (ring, _), keeping(tmp_path) as other:
        name = OF_SETTINGS.name
        assert await ring.switch(name, enabled=False)
        assert not await ring.switch(name, enabled=False)
        assert ring.standing(name).state == "disabled"
        await other.step()
        assert not other.pool.standings(0.0)[0].enabled

        with pytest.raises(Unrouted):
            await ring.switch("0" * 8, enabled=True)
    async with serving(tmp_path) as (again, _):
        assert again.standing(name).state == "disabled"
        assert await again.switch(name, enabled=True)
        assert again.standing(name).state == "well"


async def test_a_disabled_key_that_is_removed_and_added_again_is_enabled(tmp_path: Path) -> None:
    async with serving(tmp_path) as (ring, _):
        (placed,) = await ring.add([Wish("b", "B")])
        await ring.switch(placed.name, enabled=False)

        await ring.remove(placed.name)
        await ring.add([Wish("b", "B")])

        assert ring.standing(placed.name).enabled


async def test_a_check_takes_a_key_out_and_puts_it_back(tmp_path: Path) -> None:
    refusal = error_reply(401)
    async with serving(tmp_path, refusal, json_reply({"models": []})) as (ring, _):
        name = OF_SETTINGS.name
        findings = await ring.check([ring.known(name)])
        assert findings[name].result is Outcome.INVALID
        assert ring.standing(name).state == "sick"

        findings = await ring.check([ring.known(name)])
        assert findings[name].result is Outcome.OK
        assert ring.standing(name).state == "well"
        assert await ring.refused_locations() == {}
    async with keeping(tmp_path) as after:
        assert after.pool.standings(0.0)[0].state == "well"


async def test_a_check_notes_a_location_that_is_refused(tmp_path: Path) -> None:
    refused = {
        "code": 400,
        "status": "FAILED_PRECONDITION",
        "message": "User location is not supported for the API use.",
    }
    replies = json_reply({"error": refused}, 400), json_reply({})
    async with serving(tmp_path, *replies) as (ring, keeper):
        for expected in (True, False):
            await ring.check([ring.known(OF_SETTINGS.name)])
            await keeper.store.pool._behind.flush()
            assert bool(await ring.refused_locations()) is expected
            assert ring.standing(OF_SETTINGS.name).state == "well"


async def test_a_check_of_all_ends_after_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemproxy.lending.ring.CHECK_SECONDS", 0.0)
    async with serving(tmp_path, Reply(b"", stalls=True)) as (ring, _):
        assert await ring.check([ring.known(OF_SETTINGS.name)]) == {}


async def test_a_data_directory_that_fails_is_said_and_nothing_is_added(tmp_path: Path) -> None:
    async with serving(tmp_path) as (ring, keeper):
        keeper.store.database.path.unlink()
        with pytest.raises(Busy, match="data directory"):
            await ring.add([Wish("b", "B")])
        assert names(keeper) == ["A"]
