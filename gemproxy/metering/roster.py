"""Makes access keys, and changes what they may use: for the command and for the admin API.

A key is shown once, to the operator who makes it; what is stored is its hash.
"""

import contextlib
from collections.abc import Collection, Sequence

import attrs

from gemproxy.access.secret import hashed, new_id, new_key
from gemproxy.accounts.user import User
from gemproxy.ledger.users import Changed, Missing, Revoked, Taken, Users
from gemproxy.metering.permits import Amount, Unfit, limits_of
from gemproxy.observe.names import is_name


class Refused(Exception):
    """What is stored does not allow a change; the message is for people."""


@attrs.frozen
class Wish:
    """What a user shall be allowed; None leaves the models as they are.

    ``expires`` is a Unix time, None for never; it counts if ``expiring``.
    """

    limits: Sequence[Amount] = ()
    models: tuple[str, ...] | None = None
    expires: float | None = None
    expiring: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return not self.limits and self.models is None and not self.expiring


@attrs.frozen
class Made:
    """A user and the new access key, which is nowhere else."""

    user: User
    key: str = attrs.field(repr=False)


@attrs.frozen(eq=False)
class Roster:
    """The stored users, whose keys are hashed with ``pepper``.

    ``taken`` are the names that no new user may have: those of the keys in the settings, and of
    other callers. ``workers`` are the processes, each of which would count limits alone. Raises
    SQLAlchemyError and OSError when the database fails.
    """

    users: Users
    pepper: bytes = attrs.field(repr=False)
    taken: Collection[str] = ()
    workers: int = 1

    async def add(self, name: str, wish: Wish, now: float) -> Made:
        """Make a user of a name with an access key. Raises Unfit, Refused, Unusable."""
        self._check(name)
        user = self._changed(User(new_id(), name), wish)
        with contextlib.suppress(Missing):
            if (await self.users.find(name)).user.id == name:
                raise Refused(f"{name!r} is the id of a user: use another name")
        key = new_key(user.id)
        try:
            await self.users.add(user, hashed(key, self.pepper), now)
        except Taken:
            raise Refused(
                f"there is a user called {name!r} already, or there was: names are never used "
                "again, because files and budgets hang on them"
            ) from None
        return Made(user, key)

    async def change(self, user: User, wish: Wish) -> User:
        """Change what a user may use; return the user. Raises Refused, Unusable."""
        user = self._changed(user, wish)
        await self.users.change(user)
        return user

    async def rotate(self, user: User, until: float | None, known: int | None = None) -> Made:
        """Make another key for a user; the present one stays good until then, if at all.

        ``known`` is the last change of the user that the caller knows of, None if that does not
        matter. Raises Refused for a revoked key and after another change, Unusable.
        """
        key = new_key(user.id)
        try:
            await self.users.rotate(user.id, hashed(key, self.pepper), until, known)
        except Changed:
            raise Refused(f"{user.name!r} was changed meanwhile: look at it again") from None
        except Revoked:
            why = f"the key of {user.name!r} is revoked, for good: add another user"
            raise Refused(why) from None
        return Made(user, key)

    def _check(self, name: str) -> None:
        if not is_name(name):
            raise Unfit("a name is up to 64 letters, digits, '.', '-', '_', '@' or blanks")
        if name in self.taken:
            raise Refused(f"{name!r} names an access key of the settings: use another name")

    def _changed(self, user: User, wish: Wish) -> User:
        if self.workers > 1 and any(change.amount is not None for change in wish.limits):
            raise Refused(
                f"server.workers is {self.workers}, and each of them would count the limits alone: "
                "set it to 1, or leave the limits out"
            )
        user = attrs.evolve(user, limits=tuple(limits_of(user.limits, wish.limits)))
        if wish.models is not None:
            user = attrs.evolve(user, models=wish.models)
        return attrs.evolve(user, expires=wish.expires) if wish.expiring else user
