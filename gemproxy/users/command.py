"""The actions of ``gemproxy users``."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Coroutine, Mapping

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.access.secret import PREFIX, PURPOSE, id_in
from gemproxy.accounts.user import User
from gemproxy.config.arguments import Misused, aligned
from gemproxy.config.kinds import seconds_in
from gemproxy.config.starting import OPEN, SHARED
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.users import Entry, Missing, Users
from gemproxy.metering.permits import Unfit
from gemproxy.metering.roster import Made, Refused, Roster, Wish
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
    code, and raise Misused, Unfit, Refused, Unusable, and what the database raises.
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
        wish, vault = self._wish(), self.site.vault()
        async with self.site.users(vault) as users:
            made = await self._roster(users, vault).add(self.options.name, wish, self.now)
        user = made.user
        self._warn(user)
        said = f"added {user.name} ({user.id}): {may_use(user, self.site.zone)}"
        self._show(made, said)
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
        wish, vault = self._wish(), self._vault()
        async with self.site.users(vault) as users:
            entry = await self._meant(users)
            user = await self._roster(users, vault).change(entry.user, wish)
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
            until = self.now + grace if grace else None
            made = await self._roster(users, vault).rotate(user, until)
        old = f"stays good for {grace:g} s" if grace else "is refused from now on"
        self._show(made, f"rotated {user.name} ({user.id}): the old key {old}")
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

    def _roster(self, users: Users, vault: Vault) -> Roster:
        site = self.site
        taken = {*site.taken, SHARED, OPEN}
        return Roster(users, vault.subkey(PURPOSE), taken, site.workers)

    def _wish(self) -> Wish:
        """Return what the options give. Raises Misused."""
        options = self.options
        changes = values.amounts(options.limits.items(), shadow=options.shadow)
        if options.shadow and not changes:
            raise Misused("--shadow is about the limits beside it, and there are none")
        models = None if options.models is None else values.models_of(options.models)
        if options.expires is None:
            return Wish(changes, models)
        expires = values.expiry(options.expires, self.site.zone)
        return Wish(changes, models, expires, expiring=True)

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

    def _show(self, made: Made, done: str) -> None:
        user, key = made.user, made.key
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
    except (Misused, Unfit, Refused, Unusable) as error:
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
