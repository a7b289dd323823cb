"""The actions of ``gemproxy usage``: reads the ledger, and changes nothing.

A database that nobody has written to yet is an empty one; it is not made.
"""

import asyncio
import contextlib
import datetime as dt
import json
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.calendar import Calendar
from gemproxy.config.arguments import Misused, aligned
from gemproxy.ledger.engine import Engines, Place, place_of, words_of
from gemproxy.ledger.pieces import Span
from gemproxy.ledger.queries import Group, Queries, TooManyGroups
from gemproxy.ledger.requests import MOST, Wanted
from gemproxy.ledger.row import Row
from gemproxy.ledger.schema import Foreign, Newer, prepare, version_of
from gemproxy.ledger.sums import Sums
from gemproxy.store.unusable import Unusable
from gemproxy.usage.listing import (
    document_of_group,
    document_of_request,
    document_of_sums,
    table_of_groups,
    table_of_requests,
    table_of_total,
)
from gemproxy.usage.options import Options
from gemproxy.usage.times import span_of

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_NOTHING = "there are no requests"


@attrs.frozen
class Command:
    """One call of ``gemproxy usage``; ``write`` takes the output."""

    options: Options
    place: Place
    calendar: Calendar
    write: Callable[[str], object]

    async def run(self) -> None:
        """Show what is wanted.

        Raises Misused, Unusable, TooManyGroups, SQLAlchemyError, OSError.
        """
        span = span_of(self.options.since, self.options.until, self.calendar)
        if self.place.file is not None and not self.place.file.exists():
            self._show_nothing()
            return
        engines = Engines.of(self.place)
        try:
            if await _has_tables(engines):
                await self._show(Queries(engines, self.calendar), span)
            else:
                self._show_nothing()
        finally:
            await engines.close()

    async def _show(self, queries: Queries, span: Span) -> None:
        only = self.options.only
        if self.options.requests:
            self._show_requests(await self._newest(queries, span))
        elif self.options.by:
            self._show_groups(await queries.usage(self.options.by, span, only))
        else:
            self._show_total(await queries.total(span, only))

    def _show_nothing(self) -> None:
        if self.options.requests:
            self._show_requests([])
        elif self.options.by:
            self._show_groups([])
        else:
            self._show_total(Sums())

    async def _newest(self, queries: Queries, span: Span) -> list[Row]:
        rows: list[Row] = []
        wanted = Wanted(self.options.only, span=span)
        while len(rows) < self.options.last:
            page = await queries.requests(self.options.last - len(rows), wanted)
            rows += page
            if len(page) < MOST:
                break
            wanted = attrs.evolve(wanted, before=page[-1].serial)
        return rows

    def _show_requests(self, rows: list[Row]) -> None:
        if self.options.json:
            self._show_json([document_of_request(row) for row in rows])
        else:
            self.write(aligned(table_of_requests(rows, self.calendar)) if rows else _NOTHING)

    def _show_groups(self, groups: list[Group]) -> None:
        by = self.options.by
        if self.options.json:
            self._show_json([document_of_group(by, group) for group in groups])
        else:
            self.write(aligned(table_of_groups(by, groups)) if groups else _NOTHING)

    def _show_total(self, sums: Sums) -> None:
        if self.options.json:
            self._show_json(document_of_sums(sums))
        else:
            self.write(aligned(table_of_total(sums)) if sums.requests else _NOTHING)

    def _show_json(self, document: object) -> None:
        self.write(json.dumps(document, indent=2))


async def _has_tables(engines: Engines) -> bool:
    """Return whether a database has our tables. Raises Unusable if they are those of others."""
    with contextlib.suppress(Newer, Foreign):  # prepare says so in words
        if not await version_of(engines):
            return False
    await prepare(engines)
    return True


def run(options: Options, database_url: str, data_dir: Path, zone: dt.tzinfo) -> int:
    """Do what the options say on the terminal; return the exit code.

    0: done; 1: a failure; 2: a wrong command line or wrong settings; 130: interrupted.
    """
    try:
        place = place_of(database_url, data_dir)
        asyncio.run(Command(options, place, Calendar(zone), _line).run())
    except (Misused, Unusable, TooManyGroups) as error:
        return _complain(str(error), USAGE)
    except (SQLAlchemyError, OSError) as error:
        return _complain(f"the ledger cannot be read: {words_of(error)}", FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return OK


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(words: str, code: int) -> int:
    sys.stderr.write(f"gemproxy usage: {words}\n")
    return code
