"""The composition of the pool: settings and the data directory in, a source of credentials out.

It is open for as long as the application serves. Meanwhile the pool is kept in step with the store
(``lending.keeping``), and keys that were refused are checked again (``lending.errands``).
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path

from aiohttp import web
from yarl import URL

from gemproxy.access.door import Door
from gemproxy.access.keys import AccessKeys
from gemproxy.config.operators import key_of, mode_of, operators_keys, with_stored
from gemproxy.config.settings import Settings
from gemproxy.config.starting import SHARED, access_keys
from gemproxy.lending.checking import Checker
from gemproxy.lending.errands import Errands
from gemproxy.lending.keeping import Keeper, projects_of
from gemproxy.lending.ring import Ring, Wish
from gemproxy.lending.source import PoolSource
from gemproxy.owners.binding import Binding
from gemproxy.owners.lists import PageTokens
from gemproxy.owners.registry import Registry
from gemproxy.pool.key import Key, Project
from gemproxy.pool.pool import Pool
from gemproxy.relay.leases import CredentialSource
from gemproxy.relay.sessions import UploadSessions
from gemproxy.relay.upstream import Upstream
from gemproxy.routes.parts import AVAILABLE_KEYS, DOOR, POOLED, PRESENT, UPLOADS, USERS, Pooled
from gemproxy.store.store import Store, stored_projects
from gemproxy.store.unusable import Unusable
from gemproxy.web.greeting import KEYS
from gemproxy.web.tuning import TUNER
from gemproxy.web.users import check_users, open_users

POOL = web.AppKey("pool", Pool)
"""The pool while it serves; only there if there is one."""

RING = web.AppKey("ring", Ring)
"""What changes its keys; there with it."""


def needs_pool(settings: Settings) -> bool:
    """Return whether clients may call with access keys. Blocks; raises Unusable."""
    server = settings.server
    if settings.pool.mode:
        return settings.pool.mode != "passthrough"
    if mode_of(settings, stored=False) != "passthrough":
        return True
    return bool(stored_projects(server.data_dir, server.secret_key))


def prepare(settings: Settings) -> None:
    """Make the data directory and its secret, if a pool needs them and they are missing.

    Several processes that start after this find the same ones. Blocks; raises Unusable, also if a
    stored key is an access key or the operator's secret, or the stored access keys cannot be used.
    """
    if not needs_pool(settings):
        return
    store = _open_store(settings)
    try:
        _keep_apart(settings, store.pool.keys())
        check_users(settings, store.vault)
    finally:
        store.database.close()


def _keep_apart(settings: Settings, stored: Iterable[Key]) -> None:
    """Raise Unusable if clients or the operator have a key of the pool as their own secret."""
    given = access_keys(settings.access.keys, settings.access.password)
    for key in stored:
        for name, secret in given.items():
            if key.secret == secret:
                path = "access.password" if name == SHARED else "access.keys"
                why = f"the key of {name!r} is the stored key {key.name} of the pool too"
                raise Unusable(path, f"{why}; clients must not know those")
        if key.secret == settings.admin.secret:
            raise Unusable("admin.secret", f"it is the stored key {key.name} of the pool too")


@contextlib.asynccontextmanager
async def open_pool(
    settings: Settings, upstream: Upstream, base: URL, app: web.Application
) -> AsyncIterator[CredentialSource]:
    """Yield the pool's source for the upstream at ``base``, and hand ``app`` what routes need.

    Raises Unusable for a data directory that cannot be used.
    """
    store = _open_store(settings)
    try:
        pool = _pool(settings, store)
        keeper = Keeper(pool, store, lambda stored: _projects(app[TUNER].settings, stored))
        keeper.load()
        errands = Errands(upstream, base, pool, keeper.save)
        unowned = partial(_allows_unowned, settings.pool.unowned, app[DOOR].keys)
        binding = Binding(Registry(store.owners), errands, unowned, _hosts(settings, base))
        app[POOL] = pool
        known = partial(_is_known, app[DOOR])
        app[RING] = Ring(keeper, _read, known, Checker(upstream, base))
        app[AVAILABLE_KEYS] = lambda: pool.available(time.time())
        app[KEYS] = [key for project in pool.projects for key in project.keys]
        app[UPLOADS] = UploadSessions(key=_subkey(store, "uploads"))
        app[POOLED] = Pooled(binding, PageTokens(_subkey(store, "pages")))
        source = PoolSource(
            base,
            pool,
            binding,
            learnt=keeper.save,
            located=store.pool.located,
            waits=lambda exchange: app[PRESENT].live.repair.is_wanted(exchange.headers),
        )
        _bound(source, settings)
        app[TUNER].projects = lambda: [project.name for project in pool.projects]
        app[TUNER].takers.append(partial(_adopt, pool, source))
        async with (
            _running(keeper, errands),
            open_users(settings, store.vault, app[DOOR].keys) as app[USERS],
        ):
            yield source
        keeper.save()
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _running(keeper: Keeper, errands: Errands) -> AsyncIterator[None]:
    """Run what goes on in the background while entered."""
    tasks = [asyncio.create_task(keeper.keep()), asyncio.create_task(errands.keep_checking())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _open_store(settings: Settings) -> Store:
    return Store.open(Path(settings.server.data_dir), settings.server.secret_key)


def _subkey(store: Store, purpose: str) -> bytes:
    """Return a key for one purpose, which all processes have and which outlives a restart."""
    return base64.urlsafe_b64encode(store.vault.subkey(purpose))


def _pool(settings: Settings, store: Store) -> Pool:
    pool, workers = settings.pool, settings.server.workers
    return Pool(_projects(settings, store.pool.keys()), pool.strategy, pool.limits, workers)


def _bound(source: PoolSource, settings: Settings) -> None:
    """Give what lends the keys its bounds."""
    source.longest_wait = settings.repair.retry_after_limit_seconds
    source.most = max(settings.repair.max_resumes, 1)


def _adopt(pool: Pool, source: PoolSource, settings: Settings) -> None:
    """Have the pool and what lends its keys take other settings."""
    pool.adopt(settings.pool.strategy, settings.pool.limits, settings.pool.weights)
    _bound(source, settings)


def _projects(settings: Settings, stored: Iterable[Key]) -> list[Project]:
    """Return the projects of the keys in the settings and of those in the data directory.

    A start with a stored key that is an access key, or the operator's secret, is refused; one that
    comes later is left out.
    """
    given = access_keys(settings.access.keys, settings.access.password).values()
    others = {*given, settings.admin.secret}
    usable = (key for key in stored if key.secret not in others)
    keys = with_stored(operators_keys(settings), usable, settings.pool.proxies)
    return projects_of(keys, settings.pool.weights)


def _read(wish: Wish) -> Key:
    """Return the key that an operator wants to add. Raises ValueError."""
    return key_of(wish.secret, wish.project, wish.proxy)


def _is_known(door: Door, secret: str) -> bool:
    """Return whether a text is an access key, or the operator's secret."""
    known = door.keys.find(secret, time.time()) is not None
    return known or (door.operator is not None and door.operator.is_among([secret]))


def _allows_unowned(choice: str, keys: AccessKeys) -> bool:
    """Return whether a name that nobody made through the proxy may be used.

    Without a ``choice`` it may as long as there is one access key, which may be one of the store.
    """
    return choice == "allow" if choice else keys.count <= 1


def _hosts(settings: Settings, base: URL) -> frozenset[str]:
    """Return the hosts whose URIs are names of ours: the upstream's, and that of clients."""
    urls = [base, *([URL(settings.server.public_url)] if settings.server.public_url else [])]
    return frozenset(url.authority.lower() for url in urls)
