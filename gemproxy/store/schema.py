"""The tables of the database, and their versions.

``user_version`` of the file is the number of steps that were taken. A row's ``serial`` is the
number of the transaction that wrote it, so a process finds what is new since it last looked.
"""

import sqlite3

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
        """CREATE TABLE keys (fingerprint TEXT PRIMARY KEY, project TEXT NOT NULL,
           sealed BLOB NOT NULL, added REAL NOT NULL)""",
        """CREATE TABLE rests (project TEXT NOT NULL, model TEXT NOT NULL, until REAL NOT NULL,
           why TEXT NOT NULL, at REAL NOT NULL, times INTEGER NOT NULL, probed REAL NOT NULL,
           serial INTEGER NOT NULL, PRIMARY KEY (project, model)) WITHOUT ROWID""",
        """CREATE TABLE sicknesses (key TEXT PRIMARY KEY, why TEXT, at REAL NOT NULL,
           again_at REAL NOT NULL, times INTEGER NOT NULL, serial INTEGER NOT NULL)
           WITHOUT ROWID""",
        """CREATE TABLE spent (project TEXT NOT NULL, model TEXT NOT NULL, day TEXT NOT NULL,
           requests INTEGER NOT NULL, serial INTEGER NOT NULL,
           PRIMARY KEY (project, model, day)) WITHOUT ROWID""",
        """CREATE TABLE homes (opening BLOB PRIMARY KEY, project TEXT NOT NULL, at REAL NOT NULL,
           serial INTEGER NOT NULL) WITHOUT ROWID""",
        "CREATE TABLE locations (key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
        "CREATE INDEX rests_by_serial ON rests (serial)",
        "CREATE INDEX spent_by_serial ON spent (serial)",
        "CREATE INDEX homes_by_serial ON homes (serial)",
        "CREATE INDEX homes_by_time ON homes (at)",
        """CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
           collection TEXT NOT NULL, project TEXT NOT NULL, caller TEXT NOT NULL,
           until REAL NOT NULL)""",
        "CREATE INDEX owners_by_caller ON owners (caller, collection)",
        "CREATE INDEX owners_by_time ON owners (until)",
    ),
    (
        """CREATE TABLE switches (key TEXT PRIMARY KEY, enabled INTEGER NOT NULL, at REAL NOT NULL,
           serial INTEGER NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE uses (key TEXT PRIMARY KEY, result TEXT NOT NULL, at REAL NOT NULL,
           serial INTEGER NOT NULL) WITHOUT ROWID""",
    ),
)
"""The statements of each step; a new version of the schema adds a step and changes none."""


class Newer(sqlite3.DatabaseError):
    """The file has more steps than this code knows; ``args`` are both numbers."""


class Foreign(sqlite3.DatabaseError):
    """The file is a database of something else."""


def steps_taken(connection: sqlite3.Connection) -> int:
    """Return how many steps a database has; raise Newer or Foreign."""
    (taken,) = connection.execute("PRAGMA user_version").fetchone()
    if taken > len(STEPS):
        raise Newer(taken, len(STEPS))
    if not taken and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise Foreign
    return int(taken)


def take_steps(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest version, in the transaction that is open."""
    for statements in STEPS[steps_taken(connection) :]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def get_meta(connection: sqlite3.Connection, name: str) -> int | bytes | None:
    """Return a value of the table ``meta``."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def set_meta(connection: sqlite3.Connection, name: str, value: int | bytes) -> None:
    """Set a value of the table ``meta``."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def next_serial(connection: sqlite3.Connection) -> int:
    """Return the number of the transaction that is open."""
    serial = int(get_meta(connection, "serial") or 0) + 1
    set_meta(connection, "serial", serial)
    return serial
