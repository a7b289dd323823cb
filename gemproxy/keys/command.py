"""The actions of ``gemproxy keys``."""

import asyncio
import getpass
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import attrs

from gemproxy.config.arguments import Misused, aligned
from gemproxy.keys import reading
from gemproxy.keys.checking import changes_of, check
from gemproxy.keys.listing import table, views
from gemproxy.keys.options import Options
from gemproxy.keys.site import Holdings, Site
from gemproxy.lending.checking import Finding
from gemproxy.pool.key import Key
from gemproxy.store import learnt
from gemproxy.store.keyring import Added
from gemproxy.store.unusable import Unusable

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_MOST_TOLD = 20


@attrs.frozen
class Command:
    """One call of ``gemproxy keys``.

    ``write`` takes a line of output and ``complain`` a line about it; ``read`` gives the input.
    """

    options: Options
    site: Site
    read: Callable[[], str]
    write: Callable[[str], object]
    complain: Callable[[str], object]

    def run(self) -> int:
        """Do what the options say; return the exit code. Raises Misused, Unusable."""
        return _ACTIONS[self.options.action](self)

    def add(self) -> int:
        """Add the keys on standard input."""
        keys = reading.keys_in_input(self.read(), self.options.project, self.options.proxy)
        results = self._added(keys)
        for key, (became, project) in zip(keys, results, strict=True):
            document = {"fingerprint": key.name, "project": project, "result": became.value}
            words = _ADDED[became].format(key.name, project)
            self.write(json.dumps(document) if self.options.json else words)
        self._tell_of_settings({key.name for key in keys}, "it counts as it is there")
        return FAILED if Added.TWIN in [became for became, _ in results] else OK

    def import_(self) -> int:
        """Add the keys in a file."""
        found = reading.keys_in_file(self._file())
        unique: dict[str, Key] = {}
        twice = [key.name for key in found if unique.setdefault(key.secret, key) is not key]
        keys = list(unique.values())
        became = self._added(keys)
        parts = {
            result: [key.name for key, (one, _) in zip(keys, became, strict=True) if one is result]
            for result in Added
        }
        known, twins = parts[Added.KNOWN], parts[Added.TWIN]
        if self.options.json:
            document = {"added": parts[Added.NEW], "known": known, "twice": twice, "twins": twins}
            self.write(json.dumps(document))
        else:
            self.write(f"added {len(parts[Added.NEW])}")
            self._tell("known already", known)
            self._tell("twice in the file", twice)
            self._tell("not added, because another key has the same fingerprint", twins)
        return FAILED if twins else OK

    def list(self) -> int:
        """Show all keys."""
        shown = views(Holdings.of(self.site), time.time())
        if self.options.json:
            self.write(json.dumps([view.document() for view in shown], indent=2))
        elif shown:
            self.write(aligned(table(shown)))
        else:
            self.write("there are no keys: gemproxy keys add reads one from standard input")
        return OK

    def check(self) -> int:
        """Check keys, and record what was found."""
        holdings = Holdings.of(self.site)
        keys = self._meant(holdings) if self.options.name else holdings.keys
        findings = asyncio.run(check(self.site, keys, self._found))
        now = time.time()
        changes = changes_of(findings, holdings.changes, now)
        places = [
            learnt.Location(finding.key.name, refused=finding.elsewhere, at=now)
            for finding in findings
            if finding.elsewhere or (finding.well and finding.key.name in holdings.elsewhere)
        ]
        if changes or places:
            with self.site.store() as store:
                store.database.write(lambda it: learnt.put(it, [*changes, *places])).result()
        off = holdings.disabled
        return OK if all(one.well or one.key.name in off for one in findings) else FAILED

    def _found(self, finding: Finding) -> None:
        key, state = finding.key, finding.state
        if self.options.json:
            why = finding.why.value if finding.why else None
            document = {"fingerprint": key.name, "project": key.project, "state": state}
            document |= {"result": finding.result.value, "words": finding.words}
            self.write(json.dumps({**document, "why": why}))
            return
        why = f" ({finding.why.value})" if finding.why else ""
        words = f": {finding.words}" if finding.words else ""
        self.write(f"{key.name} of {key.project} is {state}{why}{words}")

    def clear(self) -> int:
        """End rests and sicknesses."""
        holdings = Holdings.of(self.site)
        keys = self._meant(holdings)
        projects = list({key.project for key in keys})
        names = [key.name for key in keys]
        count = 0
        if self.site.has_store:
            with self.site.store() as store:
                now = time.time()
                count = store.database.write(
                    lambda it: learnt.clear(it, projects, names, now)
                ).result()
        self.write(f"{count} changed")
        return OK

    def remove(self) -> int:
        """Remove keys from the data directory."""
        holdings = Holdings.of(self.site)
        names = [key.name for key in self._meant(holdings)]
        gone = set(names).difference(key.name for key in self.site.keys)
        count = 0
        if self.site.has_store:
            with self.site.store() as store:

                def remove(connection: sqlite3.Connection) -> int:
                    learnt.switch(connection, gone, time.time(), enabled=True)
                    return store.ring.remove(connection, names)

                count = store.database.write(remove).result()
        self.write(f"{count} removed")
        stay = self._tell_of_settings(set(names), "remove it there")
        return FAILED if stay and not count else OK

    def disable(self) -> int:
        """Have keys serve nothing new."""
        return self._switch(enabled=False)

    def enable(self) -> int:
        """Have disabled keys serve again."""
        return self._switch(enabled=True)

    def _switch(self, *, enabled: bool) -> int:
        names = [key.name for key in self._meant(Holdings.of(self.site))]
        with self.site.store() as store:
            now = time.time()
            changed = store.database.write(
                lambda it: learnt.switch(it, names, now, enabled=enabled)
            ).result()
        self.write(f"{len(changed)} {'enabled' if enabled else 'disabled'}")
        return OK

    def export(self) -> int:
        """Print the keys of the data directory."""
        if not self.options.yes:
            raise Misused("export prints the keys themselves, which nothing else does: add --yes")
        keys: list[Key] = []
        if self.site.has_store:
            with self.site.store() as store:
                keys = store.pool.keys()
        self.write(json.dumps([reading.written(key) for key in keys], indent=2))
        return OK

    def _added(self, keys: Sequence[Key]) -> Sequence[tuple[Added, str]]:
        """Add keys; return what became of each, and the project that it has in the store.

        Raises Misused for an access key: clients know it, and as a key of the pool it would go up.
        """
        known = sorted({key.name for key in keys if key.secret in self.site.access})
        if known:
            raise Misused(f"nothing was added: {', '.join(known)} is an access key of the settings")
        if self.site.admin in [key.secret for key in keys]:
            raise Misused("nothing was added: one of the keys is the operator's admin.secret")
        with self.site.store() as store:
            now = time.time()
            return store.database.write(lambda it: store.ring.place(it, keys, now)).result()

    def _tell_of_settings(self, names: Collection[str], advice: str) -> bool:
        """Tell of keys that the settings have; return whether there are any."""
        stay = [key for key in self.site.keys if key.name in names]
        for key in stay[:_MOST_TOLD]:
            self.complain(f"{key.name} is in the settings ({key.origin}): {advice}")
        return bool(stay)

    def _meant(self, holdings: Holdings) -> tuple[Key, ...]:
        keys = holdings.named(self.options.name)
        if not keys:
            raise Misused("no key and no project has that name; gemproxy keys list shows them")
        return keys

    def _file(self) -> str:
        if self.options.file == "-":
            return self.read()
        try:
            return Path(self.options.file).read_text("utf-8")
        except OSError as error:
            raise Misused(f"the file cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise Misused("the file is not text in UTF-8") from None

    def _tell(self, what: str, names: Sequence[str]) -> None:
        if names:
            shown = ", ".join(names[:_MOST_TOLD])
            more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
            self.write(f"{what}: {len(names)} ({shown}{more})")


_ADDED = {
    Added.NEW: "{0} added to project {1}",
    Added.KNOWN: "{0} is there already, nothing changed",
    Added.TWIN: "{0} not added: another key has the same fingerprint",
}

_ACTIONS: Mapping[str, Callable[[Command], int]] = {
    "add": Command.add,
    "list": Command.list,
    "check": Command.check,
    "clear": Command.clear,
    "disable": Command.disable,
    "enable": Command.enable,
    "remove": Command.remove,
    "import": Command.import_,
    "export": Command.export,
}


def run(options: Options, site: Site) -> int:
    """Do what the options say on the terminal; return the exit code.

    0: done; 1: a failure, or a key that is not well; 2: a wrong command line or wrong settings;
    130: interrupted.
    """
    typed = options.action == "add" and sys.stdin.isatty()
    command = Command(options, site, _typed if typed else _standard_input, _line, _complain)
    try:
        return command.run()
    except (Misused, Unusable) as error:
        _complain(str(error))
        return USAGE
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except sqlite3.Error as error:
        _complain(f"the data directory fails: {error}")
        return FAILED


def _typed() -> str:
    """Return a key that is typed or pasted, which the terminal does not show."""
    return getpass.getpass("key: ")


def _standard_input() -> str:
    raw = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Misused("the input is not text in UTF-8") from None


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(words: str) -> None:
    sys.stderr.write(f"gemproxy keys: {words}\n")
