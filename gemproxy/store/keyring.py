"""The table of keys: the operator's keys that are kept in the data directory, encrypted.

A row names its key by the fingerprint. The key and its outbound proxy are one encrypted text. The
vault whose secret encrypted them is remembered by a value that is derived from it, so a wrong
secret is told from damage.
"""

import enum
import hmac
import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
from yarl import URL

from gemproxy.pool.key import Key
from gemproxy.store.schema import get_meta, next_serial, set_meta
from gemproxy.store.unusable import DATA_DIR, SECRET_KEY, Unusable
from gemproxy.store.vault import KEY_FILE, Sealed, Vault

ORIGIN = "store"
"""The origin of a key from the data directory."""

_CHANGED = "keys"
_VAULT = "vault"

_log = logging.getLogger(__name__)


class Added(enum.Enum):
    """What became of a key that was to be added."""

    NEW = "added"
    KNOWN = "known"
    TWIN = "twin"
    """Another key has the same fingerprint, so this one could not be named."""


def any_sealed(connection: sqlite3.Connection) -> bool:
    """Return whether there are keys."""
    return connection.execute("SELECT 1 FROM keys LIMIT 1").fetchone() is not None


def projects(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of the projects that have keys."""
    return frozenset(name for (name,) in connection.execute("SELECT DISTINCT project FROM keys"))


def project_of(connection: sqlite3.Connection, name: str) -> str:
    """Return the project of a key that is stored, by its fingerprint."""
    query = "SELECT project FROM keys WHERE fingerprint = ?"
    return str(connection.execute(query, (name,)).fetchone()[0])


def changed(connection: sqlite3.Connection) -> int:
    """Return a number that grows when keys are added or removed."""
    return int(get_meta(connection, _CHANGED) or 0)


@attrs.define(eq=False)
class Keyring:
    """Reads and writes the keys of a database with the vault that encrypts them."""

    vault: Vault
    _opened: dict[bytes, tuple[str, URL | None]] = attrs.field(factory=dict, repr=False)

    def check(self, connection: sqlite3.Connection, folder: Path) -> None:
        """Raise Unusable if the keys were encrypted with another secret."""
        if not any_sealed(connection) or self._made(connection):
            return
        if self.vault.setting == DATA_DIR:
            why = f"'{folder / KEY_FILE}' is not the one that encrypted the stored keys"
            raise Unusable(DATA_DIR, f"{why}: put that one back, or set {SECRET_KEY}")
        why = f"{SECRET_KEY} is not the one that the stored keys were encrypted with"
        if _would_open(connection, folder):
            why = f"{why} ('{folder / KEY_FILE}' is: leave {SECRET_KEY} empty)"
        raise Unusable(SECRET_KEY, why)

    def _made(self, connection: sqlite3.Connection) -> bool:
        """Return whether the keys were encrypted by this vault."""
        known = get_meta(connection, _VAULT)
        return isinstance(known, bytes) and hmac.compare_digest(known, self.vault.subkey("check"))

    def keys(self, connection: sqlite3.Connection) -> list[Key]:
        """Return all keys in the order in which they were added.

        A damaged one is left out, and the log names its fingerprint.
        """
        found: list[Key] = []
        opened: dict[bytes, tuple[str, URL | None]] = {}
        rows = connection.execute("SELECT fingerprint, project, sealed FROM keys ORDER BY rowid")
        for fingerprint, project, sealed in rows:
            try:
                opened[sealed] = self._opened.get(sealed) or self._open(sealed)
            except Sealed:
                _log.error("the stored key %s is damaged: add it again", fingerprint)
                continue
            secret, proxy = opened[sealed]
            found.append(Key(secret, project, ORIGIN, proxy))
        self._opened = opened
        return found

    def _open(self, sealed: bytes) -> tuple[str, URL | None]:
        try:
            secret, proxy = json.loads(self.vault.unseal(sealed))
        except ValueError:
            raise Sealed from None
        return secret, URL(proxy) if proxy else None

    def add(self, connection: sqlite3.Connection, keys: Iterable[Key], now: float) -> list[Added]:
        """Add keys; return what became of each, in their order. A known key is not changed."""
        if not any_sealed(connection):
            set_meta(connection, _VAULT, self.vault.subkey("check"))
        elif not self._made(connection):
            raise Unusable(self.vault.setting, "another process has encrypted keys otherwise")
        done = [self._add(connection, key, now) for key in keys]
        if Added.NEW in done:
            set_meta(connection, _CHANGED, next_serial(connection))
        return done

    def place(
        self, connection: sqlite3.Connection, keys: Sequence[Key], now: float
    ) -> list[tuple[Added, str]]:
        """Add keys; return what became of each, and the project of its fingerprint."""
        became = self.add(connection, keys, now)
        return list(zip(became, [project_of(connection, key.name) for key in keys], strict=True))

    def _add(self, connection: sqlite3.Connection, key: Key, now: float) -> Added:
        query = "SELECT sealed FROM keys WHERE fingerprint = ?"
        row = connection.execute(query, (key.name,)).fetchone()
        if row is not None:
            return Added.KNOWN if self._is(key, row[0]) else Added.TWIN
        sealed = self.vault.seal(json.dumps([key.secret, str(key.proxy) if key.proxy else ""]))
        row = (key.name, key.project or key.name, sealed, now)
        connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", row)
        return Added.NEW

    def _is(self, key: Key, sealed: bytes) -> bool:
        try:
            return self._open(sealed)[0] == key.secret
        except Sealed:
            return False

    def remove(self, connection: sqlite3.Connection, names: Sequence[str]) -> int:
        """Remove keys by their fingerprints, and what was learnt of them.

        Returns how many there were.
        """
        query = "DELETE FROM keys WHERE fingerprint = ?"
        count = sum(connection.execute(query, (name,)).rowcount for name in names)
        if count:
            for table in ("sicknesses", "uses"):
                query = f"DELETE FROM {table} WHERE key = ?"  # noqa: S608 (a constant)
                connection.executemany(query, [(name,) for name in names])
            set_meta(connection, _CHANGED, next_serial(connection))
        return count


def _would_open(connection: sqlite3.Connection, folder: Path) -> bool:
    """Return whether the key file is the one that encrypted the keys."""
    try:
        other = Vault.open(folder, make=False)
    except Unusable:
        return False
    return Keyring(other)._made(connection)  # noqa: SLF001 (the same class)
