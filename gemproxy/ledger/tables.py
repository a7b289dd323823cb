"""The tables of the ledger, the same in SQLite and in PostgreSQL.

Times are Unix times in milliseconds, money is nano-dollars. A row of ``generations`` is a
``ledger.row.Row``; it must be small, because there are millions of them. So it has numbers for
texts that repeat (``names``) and for its ending, and its attempts are in a table of their own, only
where one broke off or there were several. In SQLite ``serial`` is the row's own number (INTEGER
PRIMARY KEY), so each index has it as its last column: one over ``user`` finds the newest rows of a
user.

PostgreSQL sums BIGINT as NUMERIC: cast a sum to ``WHOLE`` before it is read.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal_column,
    text,
)

from gemproxy.ledger.levels import DIMENSIONS
from gemproxy.ledger.row import Ending
from gemproxy.ledger.sums import COUNTED, SUMMED

WHOLE = BigInteger().with_variant(Integer, "sqlite")
"""A whole number of 64 bits; SQLite takes as many bytes as it needs."""

ENDINGS: Mapping[Ending, int] = {
    Ending.DONE: 1,
    Ending.FAILED: 2,
    Ending.CLIENT_LEFT: 3,
    Ending.SHUTDOWN: 4,
    Ending.LOST: 5,
}
"""The number of each ending; the row of a generation that runs has NULL."""

METADATA = MetaData()


def _number(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, WHOLE, nullable=null)


NAMES = Table(
    "names",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
"""Texts that repeat: of users, models, projects, keys, routes, dialects, causes. 0 is the empty
one."""

NO_NAME = 0

GENERATIONS = Table(
    "generations",
    METADATA,
    Column("serial", WHOLE, primary_key=True, autoincrement=False),
    Column("request_id", Text, nullable=False),
    _number("started"),
    Column("user", Integer, nullable=False),
    Column("model", Integer, nullable=False),
    Column("route", Integer, nullable=False),
    Column("dialect", Integer, nullable=False),
    Column("process", Integer, nullable=False),
    Column("ending", Integer),
    Column("status", Integer, nullable=False),
    Column("project", Integer, nullable=False),
    Column("key", Integer, nullable=False),
    _number("attempts"),
    _number("repairs"),
    _number("characters"),
    _number("input_tokens"),
    _number("cached_tokens"),
    _number("output_tokens"),
    _number("thought_tokens"),
    _number("extra_input_tokens"),
    _number("extra_output_tokens"),
    _number("cost_nano_usd", null=True),
    _number("operator_cost_nano_usd", null=True),
    Column("estimated", Integer, nullable=False),
    _number("first_byte_ms", null=True),
    _number("duration_ms", null=True),
    _number("seam_ms"),
    Column("injected", Integer, nullable=False),
    _number("calls"),
    Column("bucket", Integer),
)
"""``user``, ``model``, ``route``, ``dialect``, ``project`` and ``key`` are numbers of ``names``;
``process`` is one of ``processes``. ``bucket`` is that of ``first_byte_ms``
(``ledger.buckets``)."""

Index("generations_by_user", GENERATIONS.c.user, GENERATIONS.c.serial)
Index("generations_by_start", GENERATIONS.c.started)
Index("generations_by_request", GENERATIONS.c.request_id)
TROUBLED = GENERATIONS.c.ending > literal_column("1")
INTERRUPTED = GENERATIONS.c.attempts > GENERATIONS.c.calls
"""Conditions that have indexes. SQLite uses one only where the words are the same, with no value
bound: so the number is written out."""

Index(
    "generations_troubled",
    GENERATIONS.c.ending,
    GENERATIONS.c.serial,
    sqlite_where=text("ending > 1"),
    postgresql_where=text("ending > 1"),
)
Index(
    "generations_interrupted",
    GENERATIONS.c.serial,
    sqlite_where=text("attempts > calls"),
    postgresql_where=text("attempts > calls"),
)
Index(
    "generations_unfinished",
    GENERATIONS.c.process,
    sqlite_where=text("ending IS NULL"),
    postgresql_where=text("ending IS NULL"),
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    _number("serial"),
    Column("number", Integer, nullable=False),
    Column("key", Integer, nullable=False),
    Column("status", Integer),
    Column("cause", Integer, nullable=False),
    Column("form", Integer, nullable=False),
    Column("joint", Integer, nullable=False),
    _number("milliseconds"),
    _number("bytes"),
    _number("prompt_tokens"),
    _number("output_tokens"),
    _number("thought_tokens"),
    Column("project", Integer, nullable=False),
    Column("how", Integer, nullable=False),
    _number("anchor"),
    _number("characters"),
    _number("dropped"),
    _number("swallowed"),
    _number("seam_ms"),
    _number("began_ms"),
    _number("answered_ms", null=True),
    PrimaryKeyConstraint("serial", "number"),
    sqlite_with_rowid=False,
)
"""The attempts of a generation, counted from 1, if one broke off or there were several; ``key``,
``cause``, ``form``, ``joint``, ``project`` and ``how`` are numbers of ``names``."""

Index("attempts_by_cause", ATTEMPTS.c.cause, ATTEMPTS.c.serial)

_PLACE = ("level", "shape", "start", *DIMENSIONS)


def _rollups(name: str, apart: Sequence[str], *figures: Column[int]) -> Table:
    """Return a table of roll-ups that keeps more names ``apart`` than its shape says."""
    keys = (*_PLACE, *apart)
    return Table(
        name,
        METADATA,
        *(Column(key, Integer, nullable=False) for key in keys),
        *figures,
        PrimaryKeyConstraint(*keys),
        sqlite_with_rowid=False,
    )


ROLLUPS = _rollups("rollups", (), *(_number(name) for name in SUMMED))
"""Sums of ``generations``, as ``ledger.rollup`` folds them. ``level`` is a quarter of an hour, an
hour, a day or a month. ``shape`` says which of user, model, project and key are kept apart; the
others are 0. ``start`` is when that time begins, in Unix seconds."""

SPREADS = _rollups("spreads", (), *(Column(name, Integer) for name in COUNTED))
"""How the times to the first byte are spread: how many are in each bucket; NULL is none."""

INTERRUPTIONS = _rollups("interruptions", ("cause", "ending"), _number("attempts"))
"""How many attempts were interrupted by a cause, in requests with an ending; 0 if these run.
``cause`` is a number of ``names``."""

REFOLDS = Table("refolds", METADATA, Column("hour", Integer, primary_key=True, autoincrement=False))
"""Hours below the watermark of ``rollups`` that got a row later, as Unix seconds: they are folded
again."""

USERS = Table(
    "users",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
    Column("old_hash", LargeBinary),
    _number("old_until", null=True),
    _number("made"),
    _number("expires", null=True),
    _number("revoked", null=True),
    Column("models", Text, nullable=False),
    Column("limits", Text, nullable=False),
    _number("change"),
)
"""Access keys. ``id`` has the public characters of the key; the hashes are keyed ones. ``old_hash``
is good until ``old_until``. ``models`` and ``limits`` are JSON. ``change`` is the number of the
change that wrote the row (``meta``, ``users``), so a process finds what is new since it last
looked."""

Index("users_by_change", USERS.c.change)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    _number("at"),
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Changes by operators, as ``ledger.audit`` writes them; ``detail`` is JSON."""

SETTINGS = Table(
    "settings",
    METADATA,
    Column("path", Text, primary_key=True),
    Column("value", Text, nullable=False),
    _number("change"),
    _number("at"),
)
"""Values of settings that were changed while the proxy ran, as ``ledger.settings`` keeps them;
``value`` is JSON, and ``change`` the number of the change that wrote it (``meta``,
``settings``)."""

PROCESSES = Table(
    "processes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    _number("started"),
    _number("beat"),
    sqlite_autoincrement=True,
)
"""The processes that write rows; ``beat`` is when one was last known to live."""

META = Table(
    "meta",
    METADATA,
    Column("name", Text, primary_key=True),
    _number("number"),
    Column("words", Text),
)
"""Single values, which are there from the beginning. ``users`` counts the changes of users, and
``settings`` those of settings; the others are watermarks of ``ledger.rollup`` in Unix seconds:
``folded``, ``days``, ``months``, and ``pruned``.

In PostgreSQL a transaction that folds locks the row ``folded`` FOR UPDATE before it reads rows, and
one that writes a row of a past hour locks it FOR SHARE. In SQLite each transaction has the lock.
"""
