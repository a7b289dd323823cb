"""The tables of what the pool has learnt: rests, sicknesses, switches, uses, counts and homes.

Of two rows about the same thing the one with the later ``at`` stays; but a rest does not cut short
a longer one that its process did not know of, unless it is what a probe learnt. Counts are added
up, whichever process they come from. What ended stays as a row for a while, because running
processes learn of an end by its row.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import attrs

from gemproxy.pool.state import Change, Home, Rest, Result, Sickness, Spent, Switch, Use, Why
from gemproxy.store.schema import get_meta, next_serial

MOST_HOMES = 50_000
"""Most conversations whose home is remembered."""

OVER_SECONDS = 2 * 24 * 3600
"""Seconds for which a rest that is over, the end of a sickness, or an enabling is kept."""

_LATER = 0.001
_SPENT_SECONDS = 3 * 24 * 3600
_SICK_SECONDS = 30 * 24 * 3600
_USED_SECONDS = 365 * 24 * 3600

_WHYS = {why.value for why in Why}
_RESULTS = {result.value for result in Result}
"""The causes and results that this code knows; a later version may know more."""

_PUT_REST = """INSERT INTO rests VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (project, model) DO UPDATE SET until = excluded.until, why = excluded.why,
    at = excluded.at, times = excluded.times, probed = excluded.probed, serial = excluded.serial
    WHERE excluded.at >= at AND NOT (excluded.until > excluded.at AND excluded.until < until
    AND excluded.probed < excluded.at)"""
_PUT_SICKNESS = """INSERT INTO sicknesses VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET why = excluded.why, at = excluded.at,
    again_at = excluded.again_at, times = excluded.times, serial = excluded.serial
    WHERE excluded.at >= at"""
_PUT_SWITCH = """INSERT INTO switches VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET enabled = excluded.enabled, at = excluded.at,
    serial = excluded.serial WHERE excluded.at >= at"""
_PUT_USE = """INSERT INTO uses VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET result = excluded.result, at = excluded.at,
    serial = excluded.serial WHERE excluded.at >= at"""
_PUT_SPENT = """INSERT INTO spent VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (project, model, day) DO UPDATE SET requests = requests + excluded.requests,
    serial = excluded.serial"""
_PUT_HOME = """INSERT INTO homes VALUES (?, ?, ?, ?)
    ON CONFLICT (opening) DO UPDATE SET project = excluded.project, at = excluded.at,
    serial = excluded.serial WHERE excluded.at >= at"""


@attrs.frozen
class Location:
    """Whether Google refuses the location from which the requests of a key (by fingerprint) come.

    The pool learns nothing from it, because it is not the key's fault; the operator wants to know.
    """

    key: str
    refused: bool
    at: float


def put(connection: sqlite3.Connection, changes: Iterable[Change | Location]) -> int:
    """Write changes; return the serial number that their rows have."""
    serial = next_serial(connection)
    for change in changes:
        _put(connection, change, serial)
    return serial


def _put(connection: sqlite3.Connection, change: Change | Location, serial: int) -> None:
    match change:
        case Rest(project, model, until, why, at, times, probed):
            row = (_text(project), _text(model), until, why.value, at, times, probed, serial)
            connection.execute(_PUT_REST, row)
        case Sickness(key, reason, at, again_at, times):
            named = reason.value if reason else None
            connection.execute(_PUT_SICKNESS, (key, named, at, again_at, times, serial))
        case Switch(key, enabled, at):
            connection.execute(_PUT_SWITCH, (key, enabled, at, serial))
        case Use(key, result, at):
            connection.execute(_PUT_USE, (key, result.value, at, serial))
        case Spent(project, model, day, requests):
            row_spent = (_text(project), _text(model), day, requests, serial)
            connection.execute(_PUT_SPENT, row_spent)
        case Home(opening, project, at):
            connection.execute(_PUT_HOME, (opening, _text(project), at, serial))
        case Location(key, refused=True, at=at):
            connection.execute("INSERT OR REPLACE INTO locations VALUES (?, ?)", (key, at))
        case Location(key):
            connection.execute("DELETE FROM locations WHERE key = ?", (key,))


def since(connection: sqlite3.Connection, serial: int) -> list[Change]:
    """Return the changes in rows that were written after a serial number; 0: all."""
    return [
        *_rests(connection, serial),
        *_sicknesses(connection, serial),
        *_switches(connection, serial),
        *_uses(connection, serial),
        *_others(connection, serial),
    ]


def refused_locations(connection: sqlite3.Connection) -> dict[str, float]:
    """Return when the location of a key (by fingerprint) was refused, of those that still are."""
    return dict(connection.execute("SELECT key, at FROM locations"))


def last_serial(connection: sqlite3.Connection) -> int:
    """Return the serial number of the last transaction."""
    return int(get_meta(connection, "serial") or 0)


def _rests(connection: sqlite3.Connection, serial: int) -> Iterator[Change]:
    query = "SELECT project, model, until, why, at, times, probed FROM rests WHERE serial > ?"
    for project, model, until, why, at, times, probed in connection.execute(query, (serial,)):
        if why in _WHYS:
            yield Rest(project, model, until, Why(why), at, times, probed)


def _sicknesses(connection: sqlite3.Connection, serial: int) -> Iterator[Change]:
    query = "SELECT key, why, at, again_at, times FROM sicknesses WHERE serial > ?"
    for key, why, at, again_at, times in connection.execute(query, (serial,)):
        if why is None or why in _WHYS:
            yield Sickness(key, None if why is None else Why(why), at, again_at, times)


def _switches(connection: sqlite3.Connection, serial: int) -> Iterator[Switch]:
    query = "SELECT key, enabled, at FROM switches WHERE serial > ?"
    for key, enabled, at in connection.execute(query, (serial,)):
        yield Switch(key, bool(enabled), at)


def _uses(connection: sqlite3.Connection, serial: int) -> Iterator[Change]:
    query = "SELECT key, result, at FROM uses WHERE serial > ?"
    for key, result, at in connection.execute(query, (serial,)):
        if result in _RESULTS:
            yield Use(key, Result(result), at)


def _others(connection: sqlite3.Connection, serial: int) -> Iterator[Change]:
    query = "SELECT project, model, day, requests FROM spent WHERE serial > ?"
    for row in connection.execute(query, (serial,)):
        yield Spent(*row)
    query = "SELECT opening, project, at FROM homes WHERE serial > ?"
    for row in connection.execute(query, (serial,)):
        yield Home(*row)


def clear(
    connection: sqlite3.Connection, projects: Sequence[str], keys: Sequence[str], now: float
) -> int:
    """End the rests of projects and the sicknesses of keys; return how many there were.

    A process takes in only what is later than all that it knows, so an end is.
    """
    before = [*_rests(connection, 0), *_sicknesses(connection, 0)]
    ends: list[Change] = [
        Rest(change.project, change.model, now, change.why, max(now, change.at + _LATER))
        for change in before
        if isinstance(change, Rest) and change.until > now and change.project in projects
    ]
    ends += [
        Sickness(change.key, None, max(now, change.at + _LATER))
        for change in before
        if isinstance(change, Sickness) and change.why and change.key in keys
    ]
    if ends:
        put(connection, ends)
    return len(ends)


def disabled(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the keys (fingerprints) that are disabled."""
    query = "SELECT key FROM switches WHERE NOT enabled"
    return frozenset(key for (key,) in connection.execute(query))


def switch(
    connection: sqlite3.Connection, keys: Iterable[str], now: float, *, enabled: bool
) -> list[str]:
    """Enable or disable keys (fingerprints); return those that were in the other state."""
    known = {change.key: change for change in _switches(connection, 0)}
    fresh = Switch("", enabled=True, at=0.0)
    changed = [key for key in keys if known.get(key, fresh).enabled != enabled]
    if changed:
        ends = {key: max(now, known.get(key, fresh).at + _LATER) for key in changed}
        put(connection, [Switch(key, enabled, at) for key, at in ends.items()])
    return changed


def prune(connection: sqlite3.Connection, now: float) -> None:
    """Forget what no longer matters at ``now``."""
    over = now - OVER_SECONDS
    connection.execute("DELETE FROM rests WHERE max(until, at) < ?", (over,))
    query = "DELETE FROM sicknesses WHERE at < iif(why IS NULL, ?, ?)"
    connection.execute(query, (over, now - _SICK_SECONDS))
    connection.execute("DELETE FROM switches WHERE enabled AND at < ?", (over,))
    connection.execute("DELETE FROM uses WHERE at < ?", (now - _USED_SECONDS,))
    query = "DELETE FROM spent WHERE day < date(?, 'unixepoch')"
    connection.execute(query, (now - _SPENT_SECONDS,))
    query = """DELETE FROM homes WHERE at <=
        (SELECT at FROM homes ORDER BY at DESC LIMIT 1 OFFSET ?)"""
    connection.execute(query, (MOST_HOMES,))


def _text(name: str) -> str:
    """Return a name that SQLite can hold; a client may write one that is no Unicode."""
    return name.encode("utf-8", "backslashreplace").decode()
