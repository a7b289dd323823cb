"""The place that the command works on: the settings' keys, the data directory, the way up."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
from yarl import URL

from gemproxy.config.operators import with_stored
from gemproxy.pool.key import Key
from gemproxy.pool.state import Change, Switch
from gemproxy.store import learnt
from gemproxy.store.database import FILE
from gemproxy.store.store import Store


@attrs.frozen
class Site:
    """What the settings say; ``keys`` are those of the settings, with their origins.

    ``access`` holds the access keys and ``admin`` the operator's secret: no keys of the pool.
    """

    data_dir: Path
    secret_key: str = attrs.field(repr=False)
    keys: tuple[Key, ...]
    proxies: Mapping[str, str] = attrs.field(repr=False)
    base: URL
    proxy: URL | None = attrs.field(repr=False)
    connect_seconds: float
    access: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    admin: str = attrs.field(default="", repr=False)

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store, which is made if there is none. Raises Unusable."""
        store = Store.open(self.data_dir, self.secret_key)
        try:
            yield store
        finally:
            store.database.close()

    @property
    def has_store(self) -> bool:
        """Whether there is a store."""
        return (self.data_dir / FILE).exists()


@attrs.frozen
class Holdings:
    """All keys of the operator, and what is known of them.

    ``elsewhere`` has the times at which Google refused the location that a key was used from.
    """

    keys: tuple[Key, ...]
    changes: tuple[Change, ...] = ()
    elsewhere: Mapping[str, float] = attrs.field(factory=dict)

    @classmethod
    def of(cls, site: Site) -> "Holdings":
        """Read them; a key that the settings have counts with what they say. Raises Unusable."""
        keys = site.keys
        changes: list[Change] = []
        elsewhere: dict[str, float] = {}
        if site.has_store:
            with site.store() as store:
                changes = store.pool.load()
                elsewhere = store.database.read(learnt.refused_locations).result()
                keys = with_stored(site.keys, store.pool.keys(), site.proxies)
        return cls(keys, tuple(changes), elsewhere)

    @property
    def disabled(self) -> frozenset[str]:
        """The fingerprints of the keys that are disabled."""
        switches = (change for change in self.changes if isinstance(change, Switch))
        return frozenset(switch.key for switch in switches if not switch.enabled)

    def named(self, name: str) -> tuple[Key, ...]:
        """Return the keys that an ID means: of a project, or the one with the fingerprint."""
        of_project = tuple(key for key in self.keys if key.project == name)
        return of_project or tuple(key for key in self.keys if key.name == name.lower())
