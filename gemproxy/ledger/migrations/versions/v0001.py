"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _whole(*names: str, null: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, _WHOLE, nullable=null) for name in names]


def _small(*names: str, null: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=null) for name in names]


_SUMS = (
    "attempts",
    "repairs",
    "characters",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "thought_tokens",
    "extra_input_tokens",
    "extra_output_tokens",
)
_PARTIAL = (
    ("generations_troubled", ["ending", "serial"], "ending > 1"),
    ("generations_interrupted", ["serial"], "attempts > calls"),
    ("generations_unfinished", ["process"], "ending IS NULL"),
)
_META = ("users", "settings", "folded", "days", "months", "pruned")
_AUDITED = ("actor", "address", "action", "target", "detail")
_MONEY = ("cost_nano_usd", "operator_cost_nano_usd")


def upgrade() -> None:
    """Make them."""
    _make_names()
    _make_rows()
    _make_rollups()
    _make_users()
    _make_changes()
    _make_rest()


def _make_names() -> None:
    names = op.create_table(
        "names",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
    )
    op.bulk_insert(names, [{"id": 0, "name": ""}])


def _make_rows() -> None:
    op.create_table(
        "generations",
        sa.Column("serial", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("request_id", sa.Text, nullable=False),
        *_whole("started"),
        *_small("user", "model", "route", "dialect", "process"),
        *_small("ending", null=True),
        *_small("status", "project", "key"),
        *_whole(*_SUMS),
        *_whole(*_MONEY, null=True),
        *_small("estimated"),
        *_whole("first_byte_ms", "duration_ms", null=True),
        *_whole("seam_ms"),
        *_small("injected"),
        *_whole("calls"),
        *_small("bucket", null=True),
    )
    op.create_index("generations_by_user", "generations", ["user", "serial"])
    op.create_index("generations_by_start", "generations", ["started"])
    op.create_index("generations_by_request", "generations", ["request_id"])
    for name, columns, condition in _PARTIAL:
        where = sa.text(condition)
        op.create_index(name, "generations", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "attempts",
        *_whole("serial"),
        *_small("number", "key"),
        *_small("status", null=True),
        *_small("cause", "form", "joint"),
        *_whole("milliseconds", "bytes", "prompt_tokens", "output_tokens", "thought_tokens"),
        *_small("project", "how"),
        *_whole("anchor", "characters", "dropped", "swallowed", "seam_ms", "began_ms"),
        *_whole("answered_ms", null=True),
        sa.PrimaryKeyConstraint("serial", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("attempts_by_cause", "attempts", ["cause", "serial"])


def _make_rollups() -> None:
    endings = ("done", "failed", "client_left", "shutdown", "lost")
    counts = ("requests", *endings, "estimated", "unpriced", "retries")
    times = ("first_bytes", "first_byte_ms", "duration_ms", "seam_ms")
    _make_one("rollups", (), _whole(*counts, *_SUMS, *_MONEY, *times))
    buckets = [f"bucket_{number}" for number in range(53)]
    _make_one("spreads", (), _small(*buckets, null=True))
    _make_one("interruptions", ("cause", "ending"), _whole("attempts"))
    op.create_table("refolds", sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False))


def _make_one(name: str, apart: tuple[str, ...], figures: list[sa.Column[int]]) -> None:
    keys = ("level", "shape", "start", "user", "model", "project", "key", *apart)
    primary = sa.PrimaryKeyConstraint(*keys)
    op.create_table(name, *_small(*keys), *figures, primary, sqlite_with_rowid=False)


def _make_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("old_hash", sa.LargeBinary),
        *_whole("old_until", null=True),
        *_whole("made"),
        *_whole("expires", "revoked", null=True),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("limits", sa.Text, nullable=False),
        *_whole("change"),
    )
    op.create_index("users_by_change", "users", ["change"])


def _make_changes() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        *_whole("at"),
        *(sa.Column(name, sa.Text, nullable=False) for name in _AUDITED),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "settings",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        *_whole("change", "at"),
    )


def _make_rest() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        *_small("pid"),
        *_whole("started", "beat"),
        sqlite_autoincrement=True,
    )
    meta = op.create_table(
        "meta",
        sa.Column("name", sa.Text, primary_key=True),
        *_whole("number"),
        sa.Column("words", sa.Text),
    )
    op.bulk_insert(meta, [{"name": name, "number": 0} for name in _META])
