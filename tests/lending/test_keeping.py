"""The pool and the store in step: over processes, over a restart, and with the command's keys."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from gemproxy.lending.keeping import Keeper, projects_of
from gemproxy.pool.key import Key, Project
from gemproxy.pool.pool import Nobody, Outcome, Pick, Pool, Wish
from gemproxy.store.store import Store

NOW = 1_790_000_000.0
QUOTA = {
    "code": 429,
    "status": "RESOURCE_EXHAUSTED",
    "message": "quota",
    "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "60s"}],
}
OF_SETTINGS = Key("a", "A")


@contextlib.asynccontextmanager
async def keeping(folder: Path) -> AsyncIterator[Keeper]:
    """Yield the keeper of one process, with what was known before it."""
    store = Store.open(folder)

    def projects(stored: object) -> list[Project]:
        return projects_of((OF_SETTINGS, *stored), {})  # type: ignore[misc]  # keys

    keeper = Keeper(Pool(projects(store.pool.keys())), store, projects, lambda: NOW)
    keeper.load()
    try:
        yield keeper
    finally:
        await keeper.close()


def refuse(keeper: Keeper) -> None:
    """Have the key of a pick meet a quota."""
    pick = keeper.pool.pick(Wish("m"), NOW)
    assert isinstance(pick, Pick)
    keeper.pool.over(pick, Outcome(429, QUOTA), NOW)


def rests(keeper: Keeper) -> bool:
    return isinstance(keeper.pool.pick(Wish("m", tried=frozenset({"x"})), NOW), Nobody)


async def test_what_one_process_learns_the_others_know_at_their_next_step(tmp_path: Path) -> None:
    async with keeping(tmp_path) as one, keeping(tmp_path) as other:
        refuse(one)
        await one.step()
        async with asyncio.timeout(10):
            while not rests(other):
                await other.step()
                await asyncio.sleep(0)


async def test_what_was_learnt_is_known_after_a_restart(tmp_path: Path) -> None:
    async with keeping(tmp_path) as before:
        refuse(before)
    async with keeping(tmp_path) as after:
        assert rests(after)


async def test_keys_that_the_command_adds_and_removes_come_and_go(tmp_path: Path) -> None:
    async with keeping(tmp_path) as running, keeping(tmp_path) as command:
        added = Key("b", "B")
        ring, database = command.store.ring, command.store.database
        database.write(lambda it: ring.add(it, [added], NOW)).result()
        await running.step()
        assert [project.name for project in running.pool.projects] == ["A", "B"]

        database.write(lambda it: ring.remove(it, [added.name])).result()
        await running.step()
        assert [project.name for project in running.pool.projects] == ["A"]


def test_keys_are_grouped_by_project_and_count_once() -> None:
    keys = [Key("a", "A"), Key("b", ""), Key("c", "A"), Key("a", "B")]

    made = projects_of(keys, {"A": 2.0})

    assert [(p.name, [k.secret for k in p.keys], p.weight) for p in made] == [
        ("A", ["a", "c"], 2.0),
        (Key("b", "").name, ["b"], 1.0),
    ]
