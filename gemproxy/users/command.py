"""The actions of ``gemproxy users``."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Coroutine, Mapping

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.access.secret import PREFIX, PURPOSE, hashed, id_in, new_id, new_key
from gemproxy.accounts.user import User
from gemproxy.config.arguments import Misused, aligned
from gemproxy.config.keyring import is_name
from gemproxy.config.kinds import seconds_in
from gemproxy.config.starting import OPEN, SHARED
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.users import Entry, Missing, Revoked, Taken, Users
from gemproxy.store.unusable import Unusable
from gemproxy.store.vault import Vault
from gemproxy.users import values
from gemproxy.users.listing import document, may_use, table
from gemproxy.users.options import Options
from gemproxy.users.site import Site

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_ONCE = (
    "This key is shown only now. Clients send it in place of a Gemini key: as x-goog-api-key, as "
    "?key= or as Authorization: Bearer."
)


@attrs.frozen
class Command:
    """One call of ``gemproxy users``.

    ``write`` takes a line of output and ``complain`` a line about it. The actions return the exit
    code, and raise Misused, Unusable, and what the database raises.
    """

    options: Options
    site: Site
    now: float
    write: Callable[[str], object]
    complain: Callable[[str], object]

    def run(self) -> int:
        """Do what the options say; return the exit code."""
        return asyncio.run(_ACTIONS[self.options.action](self))

    async def add(self) -> int:
        """Make an access key."""
        name = self.options.name
        self._check_name(name)
        user = self._changed(User(new_id(), name))
        vault = self.site.vault()
        key = new_key(user.id)
        async with self.site.users(vault) as users:
            await self._check_no_id(users)
            try:
                await users.add(user, hashed(key, vault.subkey(PURPOSE)), self.now)
            except Taken:
                raise Misused(
                    f"there is a user called {name!r} already, or there was: names are never used "
                    "again, because files and budgets hang on them"
                ) from None
        self._warn(user)
        self._show(user, key, f"added {name} ({user.id}): {may_use(user, self.site.zone)}")
        return OK

    async def list(self) -> int:
        """Show all users."""
        entries: list[Entry] = []
        if not self.site.is_new:
            async with self.site.users(self.site.vault()) as users:
                entries = await users.all()
        if self.options.json:
            self.write(json.dumps([document(entry) for entry in entries], indent=2))
        elif entries:
            self.write(aligned(table(entries, self.now, self.site.zone)))
        else:
            self.write("there are no users: gemproxy users add NAME makes one")
        return OK

    async def set(self) -> int:
        """Change what a user may use."""
        if not (self.options.limits or self.options.models or self.options.expires):
            raise Misused("nothing to change is given: see gemproxy users set --help")
        async with self.site.users(self._vault()) as users:
            entry = await self._meant(users)
            user = self._changed(entry.user)
            await users.change(user)
        self._warn(user)
        if self.options.json:
            self.write(json.dumps(document(attrs.evolve(entry, user=user))))
        else:
            self.write(f"{user.name} may use: {may_use(user, self.site.zone)}")
        return OK

    async def rotate(self) -> int:
        """Make another key for a user."""
        grace = values.seconds(self.options.grace, seconds_in)
        vault = self._vault()
        async with self.site.users(vault) as users:
            user = (await self._meant(users)).user
            key = new_key(user.id)
            until = self.now + grace if grace else None
            try:
                await users.rotate(user.id, hashed(key, vault.subkey(PURPOSE)), until)
            except Revoked:
                why = f"the key of {user.name!r} is revoked, for good: add another user"
                raise Misused(why) from None
        old = f"stays good for {grace:g} s" if grace else "is refused from now on"
        self._show(user, key, f"rotated {user.name} ({user.id}): the old key {old}")
        return OK

    async def revoke(self) -> int:
        """Refuse a user's key from now on."""
        async with self.site.users(self._vault()) as users:
            user = (await self._meant(users)).user
            was_good = await users.revoke(user.id, self.now)
        if self.options.json:
            self.write(json.dumps({"id": user.id, "name": user.name, "revoked": was_good}))
        else:
            self.write(f"revoked {user.name}" if was_good else f"{user.name} was revoked already")
        return OK

    def _changed(self, user: User) -> User:
        """Return a user with what the options give. Raises Misused."""
        options, site = self.options, self.site
        changes = values.amounts(options.limits.items())
        if options.shadow and not changes:
            raise Misused("--shadow is about the limits beside it, and there are none")
        user = attrs.evolve(
            user, limits=tuple(values.limits_of(user.limits, changes, shadow=options.shadow))
        )
        if options.models is not None:
            user = attrs.evolve(user, models=values.models_of(options.models))
        if options.expires is not None:
            user = attrs.evolve(user, expires=values.expiry(options.expires, site.zone))
        if site.workers > 1 and any(change.amount is not None for change in changes):
            raise Misused(
                f"server.workers is {site.workers}, and each of them would count the limits alone: "
                "set it to 1, or leave the limits out"
            )
        return user

    def _check_name(self, name: str) -> None:
        if not is_name(name):
            raise Misused("a name is up to 64 letters, digits, '.', '-', '_', '@' or blanks")
        if name in {*self.site.taken, SHARED, OPEN}:
            raise Misused(f"{name!r} names an access key of the settings: use another name")

    async def _check_no_id(self, users: Users) -> None:
        """Raise Misused where the name is the id of a user, who could not be named by it then."""
        name = self.options.name
        with contextlib.suppress(Missing):
            if (await users.find(name)).user.id == name:
                raise Misused(f"{name!r} is the id of a user: use another name")

    def _warn(self, user: User) -> None:
        if user.expires is not None and user.expires <= self.now:
            self.complain("--expires is past, so the key is refused from the start")
        if not self.site.pooled:
            self.complain(
                "there is no pool yet, so the key opens nothing: add a Gemini key with gemproxy "
                "keys add"
            )

    def _vault(self) -> Vault:
        """Return the vault for a change of a user. Raises Misused where there is no user."""
        if self.site.is_new:
            raise self._nobody()
        return self.site.vault()

    async def _meant(self, users: Users) -> Entry:
        """Return the user that the options name, by the name, the id or a whole key."""
        name = id_in(self.options.name) or self.options.name
        for each in (name, name.removeprefix(PREFIX)):
            with contextlib.suppress(Missing):
                return await users.find(each)
        raise self._nobody()

    def _nobody(self) -> Misused:
        return Misused("no user has that name or id; gemproxy users list shows them")

    def _show(self, user: User, key: str, done: str) -> None:
        if self.options.json:
            self.write(json.dumps({"id": user.id, "name": user.name, "key": key}))
        else:
            self.write(f"{done}\n\n  {key}\n\n{_ONCE}")


_ACTIONS: Mapping[str, Callable[[Command], Coroutine[None, None, int]]] = {
    "add": Command.add,
    "list": Command.list,
    "set": Command.set,
    "rotate": Command.rotate,
    "revoke": Command.revoke,
}


def run(options: Options, site: Site) -> int:
    """Do what the options say on the terminal; return the exit code.

    0: done; 1: a failure; 2: a wrong command line or wrong settings; 130: interrupted.
    """
    try:
        return Command(options, site, time.time(), _line, _complain).run()
    except (Misused, Unusable) as error:
        _complain(str(error))
        return USAGE
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except (SQLAlchemyError, OSError) as error:
        _complain(f"the database fails: {words_of(error)}")
        return FAILED


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(words: str) -> None:
    sys.stderr.write(f"gemproxy users: {words}\n")
