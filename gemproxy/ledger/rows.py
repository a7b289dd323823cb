"""Writes rows of generations: what is put under a serial, whole.

Each statement is compiled once for its database, and goes to the driver with tuples, as one call
for all rows of a transaction. A row that is there already gets what a generation learns while it
runs; its user and its start never change. So a transaction whose commit is unknown can be repeated.

A row that started in an hour that is folded already (``rollups``) has its hour folded again
(``refolds``). Only past hours are folded, so rows of the hour that runs need no look at that.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs
from sqlalchemy import Dialect, Table, select
from sqlalchemy.dialects.postgresql import insert as insert_in_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_in_sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.buckets import bucket_of
from gemproxy.ledger.row import Row
from gemproxy.ledger.tables import (
    ATTEMPTS,
    ENDINGS,
    GENERATIONS,
    META,
    NAMES,
    NO_NAME,
    REFOLDS,
)

LONGEST = 200
"""Characters of a name, or of a request's id, that are kept."""

_AT_ONCE = 500
_HOUR = 3600
_HOUR_MS = 3_600_000
_MOST_KNOWN = 20_000
_FIXED = frozenset({"serial", "request_id", "started", "user"})

Values = tuple[int | str | None, ...]


@attrs.define(eq=False)
class Rows:
    """The statements of a database, and the numbers of names that are known to be committed."""

    dialect: Dialect
    _known: dict[str, int] = attrs.field(factory=lambda: {"": NO_NAME})
    _put: str = attrs.field(init=False)
    _put_attempts: str = attrs.field(init=False)
    _put_name: str = attrs.field(init=False)
    _put_refold: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        changing = {column.name for column in GENERATIONS.c} - _FIXED
        self._put = upsert(self.dialect, GENERATIONS, changing)
        self._put_attempts = upsert(self.dialect, ATTEMPTS, {column.name for column in ATTEMPTS.c})
        self._put_name = upsert(self.dialect, NAMES, (), ["name"])
        self._put_refold = upsert(self.dialect, REFOLDS, ())

    async def put(
        self, connection: AsyncConnection, process: int, rows: Sequence[Row], now: float
    ) -> Mapping[str, int]:
        """Write rows of a process in the open transaction; return the names that are new to us.

        They are to be learnt when the transaction is committed.
        """
        new = await self._number(connection, {text for row in rows for text in _names(row)})
        numbers = {**self._known, **new} if new else self._known
        await connection.exec_driver_sql(
            self._put, [_values(row, numbers, process) for row in rows]
        )
        attempts = [values for row in rows for values in _attempts(row, numbers)]
        if attempts:
            await connection.exec_driver_sql(self._put_attempts, attempts)
        await self.refold(connection, (row.started for row in rows), now)
        return new

    def learn(self, names: Mapping[str, int]) -> None:
        """Remember committed names."""
        if len(self._known) + len(names) > _MOST_KNOWN:
            self.forget()
        self._known.update(names)

    def forget(self) -> None:
        """Forget all names: the database is another one."""
        self._known = {"": NO_NAME}

    async def refold(self, connection: AsyncConnection, starts: Iterable[int], now: float) -> None:
        """Have hours folded again that have rows with these starts, if they are folded."""
        hours = {start // _HOUR_MS * _HOUR for start in starts}
        current = int(now) // _HOUR * _HOUR
        past = {hour for hour in hours if hour < current}
        if not past:
            return
        watermark = select(META.c.number).where(META.c.name == "folded").with_for_update(read=True)
        folded = (await connection.execute(watermark)).scalar_one()
        late = [(hour,) for hour in past if hour < folded]
        if late:
            await connection.exec_driver_sql(self._put_refold, late)

    async def _number(self, connection: AsyncConnection, texts: set[str]) -> dict[str, int]:
        """Return the numbers of the texts that are not known; give them one if they have none."""
        unknown = {text: cleaned(text) for text in texts - self._known.keys()}
        names = sorted(set(unknown.values()))  # in one order, or two processes wait for each other
        if not names:
            return {}
        await connection.exec_driver_sql(self._put_name, [(name,) for name in names])
        found: dict[str, int] = {}
        for begin in range(0, len(names), _AT_ONCE):
            part = NAMES.c.name.in_(names[begin : begin + _AT_ONCE])
            pairs = await connection.execute(select(NAMES.c.name, NAMES.c.id).where(part))
            found.update(pairs.all())
        return {text: found[name] for text, name in unknown.items()}


def upsert(
    dialect: Dialect, table: Table, changing: Iterable[str], unique: Sequence[str] = ()
) -> str:
    """Return the statement that inserts a row, or sets its ``changing`` columns if it is there.

    The values are those of all columns in their order, or of the ``unique`` ones if there are any.
    """
    make = insert_in_postgresql if dialect.name == "postgresql" else insert_in_sqlite
    columns = list(unique) or [column.name for column in table.c]
    statement = make(table).inline().values(dict.fromkeys(columns))
    keys = [column.name for column in table.primary_key]
    replaced = {name: statement.excluded[name] for name in changing if name not in keys}
    if replaced:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=replaced)
    else:
        statement = statement.on_conflict_do_nothing()
    return str(statement.compile(dialect=dialect, column_keys=columns))


def cleaned(text: str) -> str:
    """Return a text that every database holds, and not too long for an index."""
    if len(text) <= LONGEST and text.isascii() and "\0" not in text:
        return text
    kept = text[:LONGEST].replace("\0", "\ufffd")
    return kept.encode("utf-8", "replace").decode("utf-8")


def _names(row: Row) -> Iterable[str]:
    yield from (row.user, row.model, row.route, row.dialect, row.project, row.key)
    for one in row.tries:
        yield from (one.key, one.cause, one.form, one.joint, one.project, one.how)


def _values(row: Row, numbers: Mapping[str, int], process: int) -> Values:
    """Return the values of a row in the order of the columns."""
    return (
        row.serial,
        cleaned(row.request_id),
        row.started,
        numbers[row.user],
        numbers[row.model],
        numbers[row.route],
        numbers[row.dialect],
        process,
        None if row.ending is None else ENDINGS[row.ending],
        row.status,
        numbers[row.project],
        numbers[row.key],
        row.attempts,
        row.repairs,
        row.characters,
        row.input_tokens,
        row.cached_tokens,
        row.output_tokens,
        row.thought_tokens,
        row.extra_input_tokens,
        row.extra_output_tokens,
        row.cost_nano_usd,
        row.operator_cost_nano_usd,
        int(row.estimated),
        row.first_byte_ms,
        row.duration_ms,
        row.seam_ms,
        int(row.injected),
        row.calls,
        None if row.first_byte_ms is None else bucket_of(row.first_byte_ms),
    )


def _attempts(row: Row, numbers: Mapping[str, int]) -> Iterable[Values]:
    """Yield the values of the attempts that are kept."""
    for number, attempt in enumerate(row.tries, 1):
        yield (
            row.serial,
            number,
            numbers[attempt.key],
            attempt.status,
            numbers[attempt.cause],
            numbers[attempt.form],
            numbers[attempt.joint],
            attempt.milliseconds,
            attempt.bytes,
            attempt.prompt_tokens,
            attempt.output_tokens,
            attempt.thought_tokens,
            numbers[attempt.project],
            numbers[attempt.how],
            attempt.anchor,
            attempt.characters,
            attempt.dropped,
            attempt.swallowed,
            attempt.seam_ms,
            attempt.began_ms,
            attempt.answered_ms,
        )
