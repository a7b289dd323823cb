"""The actions of ``gemproxy db``."""

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.calendar import Calendar
from gemproxy.config.arguments import Misused
from gemproxy.ledger.backup import Refused, back_up, open_existing, restore
from gemproxy.ledger.check import check
from gemproxy.ledger.engine import Place, place_of, words_of
from gemproxy.ledger.upkeep import clean_up
from gemproxy.store.unusable import Unusable
from gemproxy.usage.db_options import Options

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


@attrs.frozen
class Command:
    """One call of ``gemproxy db``.

    ``write`` takes a line of output. The actions return the exit code, and raise Refused, Unusable
    and what the database raises.
    """

    options: Options
    place: Place
    calendar: Calendar
    now: float
    write: Callable[[str], object]

    def run(self) -> int:
        """Do what the options say; return the exit code."""
        return asyncio.run(_ACTIONS[self.options.action](self))

    async def cleanup(self) -> int:
        """Fold what is over, and delete the rows that are too old; half of the time is others'."""
        engines = await open_existing(self.place)
        try:
            cleaned = await clean_up(engines, self.calendar, self.now, self.options.days)
        finally:
            await engines.close()
        since, deleted = cleaned.kept_since, cleaned.deleted
        kept = dt.datetime.fromtimestamp(since, dt.UTC).isoformat() if since else None
        self._show(
            {"deleted": deleted, "kept_since": kept},
            f"deleted {deleted} requests; their sums stay",
        )
        return OK

    async def backup(self) -> int:
        """Write a backup."""
        count = await back_up(self.place, self.options.file)
        file = str(self.options.file)
        self._show(
            {"file": file, "requests": count}, f"wrote a backup of {count} requests to '{file}'"
        )
        return OK

    async def restore(self) -> int:
        """Replace the ledger by a backup."""
        count = await restore(self.place, self.options.file)
        self._show({"requests": count}, f"restored {count} requests to {self.place.words}")
        return OK

    async def check(self) -> int:
        """Check the database."""
        engines = await open_existing(self.place)
        try:
            report = await check(engines)
        finally:
            await engines.close()
        self._show(
            {"ok": not report.problems, **attrs.asdict(report)},
            "\n".join(report.problems)
            or f"all is well: {report.requests} requests, {report.unfinished} of them unfinished; "
            f"the sums of {report.hours} hours are those of their requests",
        )
        return FAILED if report.problems else OK

    def _show(self, document: Mapping[str, object], words: str) -> None:
        self.write(json.dumps(document, indent=2) if self.options.json else words)


_ACTIONS: Mapping[str, Callable[[Command], Coroutine[None, None, int]]] = {
    "cleanup": Command.cleanup,
    "backup": Command.backup,
    "restore": Command.restore,
    "check": Command.check,
}


def run(options: Options, database_url: str, data_dir: Path, zone: dt.tzinfo) -> int:
    """Do what the options say on the terminal; return the exit code.

    0: done; 1: a failure, or a check that found a problem; 2: a wrong command line or wrong
    settings; 130: interrupted.
    """
    try:
        place = place_of(database_url, data_dir)
        return Command(options, place, Calendar(zone), time.time(), _line).run()
    except Refused as refusal:
        return _complain(str(refusal), FAILED)
    except (Misused, Unusable) as error:
        return _complain(str(error), USAGE)
    except (SQLAlchemyError, OSError) as error:
        return _complain(f"the database fails: {words_of(error)}", FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(words: str, code: int) -> int:
    sys.stderr.write(f"gemproxy db: {words}\n")
    return code
