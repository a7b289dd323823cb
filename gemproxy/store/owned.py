"""The table of owners: which project a name is bound to, and which access key made it."""

import json
import sqlite3
from collections.abc import Collection, Iterable

from gemproxy.owners.owner import Owner

MOST_OWNERS = 500_000
"""Most names whose owner is remembered; the oldest go first."""

_AT_ONCE = 10_000

_PUT = """INSERT INTO owners (name, collection, project, caller, until) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET project = excluded.project, caller = excluded.caller,
    until = excluded.until WHERE caller = '' OR until <= ?"""
_PROLONG = """UPDATE owners SET until = max(until, ?) WHERE name = ? AND project = ?
    AND (caller = ? OR ? = '')"""


def collection_of(name: str) -> str:
    """Return the collection of a name: ``files`` of ``files/abc``.

    ``operations`` is that of ``models/m/operations/o``.
    """
    collection = name.rpartition("/")[0]
    return "operations" if collection.endswith("/operations") else collection


def fits(name: str) -> bool:
    """Return whether SQLite can hold a name; a client may write one that is no Unicode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def put(connection: sqlite3.Connection, owners: Iterable[Owner], now: float) -> None:
    """Write owners. A name with a maker keeps its owner, until its time is over."""
    for owner in owners:
        name, project, caller, until = owner.name, owner.project, owner.caller, owner.until
        row = (name, collection_of(name), project, caller, until, now)
        connection.execute(_PUT, row)
        connection.execute(_PROLONG, (until, name, project, caller, caller))


def find(connection: sqlite3.Connection, names: Collection[str], now: float) -> list[Owner]:
    """Return the owners of names that are not over."""
    query = """SELECT name, project, caller, until FROM owners
        WHERE name IN (SELECT value FROM json_each(?)) AND until > ?"""
    rows = connection.execute(query, (json.dumps(list(names)), now))
    return [Owner(*row) for row in rows]


def made_by(
    connection: sqlite3.Connection, caller: str, collection: str, now: float
) -> list[Owner]:
    """Return what a caller owns in a collection, the oldest first."""
    query = """SELECT name, project, caller, until FROM owners
        WHERE caller = ? AND collection = ? AND until > ? ORDER BY id"""
    return [Owner(*row) for row in connection.execute(query, (caller, collection, now))]


def forget(connection: sqlite3.Connection, names: Collection[str]) -> None:
    """Forget names."""
    query = "DELETE FROM owners WHERE name IN (SELECT value FROM json_each(?))"
    connection.execute(query, (json.dumps(list(names)),))


def prune(connection: sqlite3.Connection, now: float) -> int:
    """Forget what is over, and the oldest beyond the limit; return how many that were at most.

    One call forgets a limited number, so that it holds the lock for a short time.
    """
    query = """DELETE FROM owners WHERE id IN
        (SELECT id FROM owners WHERE until <= ? ORDER BY until LIMIT ?)"""
    over = connection.execute(query, (now, _AT_ONCE)).rowcount
    (count,) = connection.execute("SELECT count(*) FROM owners").fetchone()
    query = "DELETE FROM owners WHERE id IN (SELECT id FROM owners ORDER BY id LIMIT ?)"
    surplus = min(max(count - MOST_OWNERS, 0), _AT_ONCE)
    return over + connection.execute(query, (surplus,)).rowcount
