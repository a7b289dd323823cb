"""The statements on the table of users: access keys with what they may use.

Each change of a user takes the next number of the row ``users`` in ``meta``, which a transaction
keeps locked until it is committed. So changes become visible in the order of their numbers, and a
process finds what is new by the number that it saw last. A user is never deleted: names own files
and budgets, so a name stays taken when its key is revoked.

The hashes need the secret of the vault that made them. A value that is derived from it is kept in
``meta`` (``pepper``), so another secret is refused in words instead of making all keys invalid.
"""

import asyncio
import hmac
import json
from collections.abc import Sequence
from pathlib import Path

import attrs
from sqlalchemy import Row as Record
from sqlalchemy import and_, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare, unusable
from gemproxy.ledger.tables import META, USERS
from gemproxy.store.unusable import SECRET_KEY, Unusable
from gemproxy.store.vault import KEY_FILE

CHECK = "access keys check"
"""The purpose of the vault's key from which ``check`` is."""

_CHANGES = "users"
_PEPPER = "pepper"
_NEXT = text(
    "INSERT INTO meta (name, number) VALUES ('users', 1)"
    " ON CONFLICT (name) DO UPDATE SET number = meta.number + 1 RETURNING number"
)


class Taken(Exception):
    """There is a user of that name already, perhaps a revoked one."""


class Missing(Exception):
    """There is no user of that name or id."""


class Revoked(Exception):
    """The user's key is revoked, for good."""


class Changed(Exception):
    """The user was changed after the change that the caller knows of."""


def good_users(database_url: str, data_dir: Path) -> list[User]:
    """Return the users whose keys are not revoked. Blocks; for the start. Raises Unusable."""
    place = place_of(database_url, data_dir)
    if place.file is not None and not place.file.exists():
        return []

    async def read() -> list[User]:
        engines = Engines.of(place)
        try:
            await prepare(engines)
            async with engines.reading() as connection:
                entries = await entries_where(connection, USERS.c.revoked.is_(None))
            return [entry.user for entry in entries]
        finally:
            await engines.close()

    try:
        return asyncio.run(read())
    except (SQLAlchemyError, OSError) as error:
        raise unusable(place, error) from None


@attrs.frozen
class Entry:
    """A stored user with the hash of the access key; times are Unix times in seconds.

    ``old_hash`` is that of the key before a rotation, good until ``old_until``. ``change`` is the
    number of the change that wrote it.
    """

    user: User
    hash: bytes = attrs.field(repr=False)
    made: float
    old_hash: bytes | None = attrs.field(default=None, repr=False)
    old_until: float | None = None
    revoked: float | None = None
    change: int = 0


@attrs.frozen
class News:
    """The users that changed, and the number of the last change."""

    change: int
    entries: Sequence[Entry] = ()


@attrs.frozen(eq=False)
class Users:
    """The users of a database, whose hashes were made with the secret that ``check`` is from.

    Raises SQLAlchemyError and OSError when the database fails.
    """

    engines: Engines
    check: bytes = attrs.field(repr=False)

    async def add(self, user: User, hashed: bytes, now: float) -> None:
        """Add a user. Raises Taken, Unusable."""
        try:
            async with self.engines.writing() as connection:
                change = await self._begin(connection)
                if await entries_where(connection, USERS.c.name == user.name):
                    raise Taken
                values = {**_allowed(user), "id": user.id, "name": user.name, "hash": hashed}
                values |= {"made": _ms(now), "change": change}
                await connection.execute(insert(USERS).values(values))
        except IntegrityError:  # another process added the same one
            raise Taken from None

    async def change(self, user: User) -> None:
        """Store other limits, models and another expiry of a user, who is found by the id."""
        async with self.engines.writing() as connection:
            change = await self._begin(connection)
            statement = update(USERS).where(USERS.c.id == user.id)
            await connection.execute(statement.values(change=change, **_allowed(user)))

    async def rotate(
        self, user_id: str, hashed: bytes, old_until: float | None, known: int | None = None
    ) -> None:
        """Replace the key of a user. The present one stays good until ``old_until``, if given.

        ``known`` is the last change of the user that the caller knows of, None if that does not
        matter. Raises Revoked, Changed, Unusable.
        """
        async with self.engines.writing() as connection:
            change = await self._begin(connection)
            present = select(USERS.c.change).where(USERS.c.id == user_id)
            if known not in {None, await connection.scalar(present)}:
                raise Changed
            statement = update(USERS).where(USERS.c.id == user_id, USERS.c.revoked.is_(None))
            until = None if old_until is None else _ms(old_until)
            before = USERS.c.hash if old_until is not None else None
            done = await connection.execute(
                statement.values(hash=hashed, old_hash=before, old_until=until, change=change)
            )
            if not done.rowcount:
                raise Revoked

    async def revoke(self, user_id: str, now: float) -> bool:
        """Revoke the key of a user; return whether it was good."""
        async with self.engines.writing() as connection:
            change = await self._begin(connection)
            statement = update(USERS).where(USERS.c.id == user_id, USERS.c.revoked.is_(None))
            values = {"revoked": _ms(now), "old_hash": None, "old_until": None, "change": change}
            done = await connection.execute(statement.values(values))
            return bool(done.rowcount)

    async def find(self, name: str) -> Entry:
        """Return the user of a name, or else of an id. Raises Missing."""
        async with self.engines.reading() as connection:
            condition = or_(USERS.c.name == name, USERS.c.id == name)
            found = await entries_where(connection, condition)
        if not found:
            raise Missing
        return next((entry for entry in found if entry.user.name == name), found[0])

    async def all(self) -> list[Entry]:
        """Return all users in the order in which they were made."""
        async with self.engines.reading() as connection:
            return await entries_where(connection)

    async def since(self, change: int) -> News:
        """Return the users that changed after a number; all of them after 0. Raises Unusable.

        An earlier number than the last one means that a backup was restored: then all come, too.
        """
        async with self.engines.reading() as connection:
            statement = select(META.c.number).where(META.c.name == _CHANGES)
            last = int((await connection.execute(statement)).scalar() or 0)
            if last == change:
                return News(change)
            await self._same_secret(connection)
            entries = await entries_where(
                connection, USERS.c.change > (change if last > change else 0)
            )
        return News(last, entries)

    async def _begin(self, connection: AsyncConnection) -> int:
        """Begin a change; return its number. Raises Unusable."""
        change = int((await connection.execute(_NEXT)).scalar_one())
        if not await self._same_secret(connection):
            row = {"name": _PEPPER, "number": 0, "words": self.check.hex()}
            await connection.execute(META.delete().where(META.c.name == _PEPPER))
            await connection.execute(insert(META).values(row))
        return change

    async def _same_secret(self, connection: AsyncConnection) -> bool:
        """Return whether the users' hashes are of this secret, False if there are none.

        Raises Unusable.
        """
        statement = select(META.c.words).where(META.c.name == _PEPPER)
        known = (await connection.execute(statement)).scalar()
        if known is not None and hmac.compare_digest(str(known), self.check.hex()):
            return True
        good = select(func.count()).select_from(USERS).where(USERS.c.revoked.is_(None))
        if (await connection.execute(good)).scalar():
            raise Unusable(
                SECRET_KEY,
                f"the access keys in {self.engines.place.words} were made with another secret: "
                f"give all machines the same {SECRET_KEY}, or put the file {KEY_FILE} back",
            )
        return False


async def entries_where(connection: AsyncConnection, *conditions: object) -> list[Entry]:
    """Return the users that meet ``conditions``, in the order in which they were made."""
    statement = select(USERS).where(and_(True, *conditions)).order_by(USERS.c.made, USERS.c.id)  # type: ignore[arg-type]
    return [_entry(row) for row in await connection.execute(statement)]


def _entry(row: "Record[tuple[object, ...]]") -> Entry:
    user = User(
        row.id,
        row.name,
        tuple(_limit(*fields) for fields in json.loads(row.limits)),
        tuple(json.loads(row.models)),
        _seconds(row.expires),
    )
    revoked, until = _seconds(row.revoked), _seconds(row.old_until)
    return Entry(user, row.hash, row.made / 1000, row.old_hash, until, revoked, row.change)


def _allowed(user: User) -> dict[str, object]:
    """Return the columns of what a user may use."""
    limits = [[limit.kind.value, limit.amount, limit.model, limit.shadow] for limit in user.limits]
    return {
        "limits": json.dumps(limits),
        "models": json.dumps(user.models),
        "expires": None if user.expires is None else _ms(user.expires),
    }


def _limit(kind: str, amount: int, model: str, shadow: bool) -> Limit:  # noqa: FBT001 (a column)
    return Limit(Kind(kind), amount, model, shadow)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
