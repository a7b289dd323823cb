"""Keeps the pool and the store in step: what one process learns, all know within a second.

What this process has learnt is handed to the store at once when a key was at fault, else each half
second. Each half second it asks the store what other processes have learnt, and whether the command
``gemproxy keys`` has changed the keys.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import attrs

from gemproxy.observe.background import repeat
from gemproxy.pool.key import Key, Project
from gemproxy.pool.pool import Pool
from gemproxy.store.store import Store

EACH_SECONDS = 0.5
PRUNE_SECONDS = 600.0


def projects_of(keys: Iterable[Key], weights: Mapping[str, float]) -> list[Project]:
    """Return the projects of keys; a key that comes twice counts once, by its first place."""
    first: dict[str, Key] = {}
    for key in keys:
        first.setdefault(key.secret, key)
    grouped: dict[str, list[Key]] = {}
    for key in first.values():
        grouped.setdefault(key.project or key.name, []).append(key)
    return [Project(name, tuple(of_it), weights.get(name, 1.0)) for name, of_it in grouped.items()]


@attrs.define(eq=False)
class Keeper:
    """Keeps ``pool`` and ``store`` in step.

    ``projects`` makes projects of the keys in the store, with those of the settings. ``clock`` is
    the Unix clock, in seconds.
    """

    pool: Pool
    store: Store
    projects: Callable[[Iterable[Key]], Iterable[Project]]
    clock: Callable[[], float] = time.time

    def load(self) -> None:
        """Take in what was known before this process. Blocks; raises Unusable."""
        self.pool.apply(self.store.pool.load(), self.clock())

    def save(self) -> None:
        """Hand what was learnt to the store."""
        changes = self.pool.changes()
        if changes:
            self.store.pool.save(changes)

    async def step(self) -> None:
        """Hand over what was learnt here, and take in what was learnt elsewhere."""
        self.save()
        news = await self.store.pool.poll()
        if news.keys is not None:
            self.pool.replace(self.projects(news.keys))
        if news.changes:
            self.pool.apply(news.changes, self.clock())

    async def keep(self) -> None:
        """Do so until cancelled, and have the store forget what no longer matters."""
        pruned = self.clock()

        async def step() -> None:
            nonlocal pruned
            await self.step()
            if self.clock() - pruned >= PRUNE_SECONDS:
                pruned = self.clock()
                await self.store.prune(pruned)

        await repeat(step, lambda: EACH_SECONDS)

    async def close(self) -> None:
        """Save what is left, and close the store."""
        self.save()
        await self.store.close()
