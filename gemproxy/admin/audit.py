"""What operators changed: ``note`` writes it, and one route reads it.

A handler that has changed something calls ``note``. A change that is itself in the ledger's
database writes its entry in its own transaction instead (``ledger.audit.Audit.add``).
"""

import datetime as dt
import json
import logging
from typing import Annotated, Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.calendar import Calendar
from gemproxy.admin.periods import From, To, moment_of
from gemproxy.admin.route import Call, Form, Route
from gemproxy.admin.texts import Number
from gemproxy.core.errors import BadField, Unrouted
from gemproxy.ledger.audit import MOST, Deed, Entry, Wanted
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.pieces import SECOND_MS

_log = logging.getLogger(__name__)
_UTC = Calendar(dt.UTC)
"""The clock of times without an offset."""

_MOST_DIGITS = 18
_NO_LEDGER = (
    "This proxy keeps no ledger, and so no audit log: set ledger.enabled to true and start it again"
)


class AuditQuery(Form, frozen=True, rename={"begin": "from", "end": "to"}):
    """Which entries are wanted, and how many."""

    action: Annotated[str | None, msgspec.Meta(description="Only entries of this action")] = None
    target: Annotated[str | None, msgspec.Meta(description="Only entries about this")] = None
    begin: From = None
    end: To = None
    cursor: Annotated[Number, msgspec.Meta(description="`next` of the page before")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST, description="Most entries")] = 100


class AuditEntry(Form, frozen=True):
    """One change: who asked for it from which address, and what it was."""

    number: Annotated[int, msgspec.Meta(description="The entry's number; later ones are greater")]
    time: Annotated[dt.datetime, msgspec.Meta(description="When it was")]
    actor: Annotated[str, msgspec.Meta(description="Who asked for it")]
    address: Annotated[str, msgspec.Meta(description="The address from which it was asked for")]
    action: Annotated[str, msgspec.Meta(description="What was done, such as settings.change")]
    target: Annotated[str, msgspec.Meta(description="What it was done to")]
    detail: Annotated[
        dict[str, Any], msgspec.Meta(description="What has changed, without secrets and content")
    ]


class AuditPage(Form, frozen=True):
    """Entries, newest first; ``next`` is the cursor of the page behind, or null."""

    entries: Annotated[list[AuditEntry], msgspec.Meta(description="The entries of the page")]
    next: Annotated[
        str | None, msgspec.Meta(description="The cursor of the page behind, null at the end")
    ]


async def note(
    call: Call[Any, Any], action: str, target: str = "", detail: dict[str, object] | None = None
) -> None:
    """Write an entry about what a call has changed; ``detail`` has no secret and no content.

    The change is made already. So a log that cannot be written is an error in the proxy's own log,
    with the entry, and no failure of the call. Without a ledger the entry is a line of that log.
    """
    deed = deed_of(call, action, target, detail)
    words = (action, target, json.dumps(dict(deed.detail)), deed.actor, deed.address)
    if call.desk.audit is None:
        _log.info("%s %s %s by %s from %s", *words)
        return
    try:
        await call.desk.audit.note(deed)
    except (SQLAlchemyError, OSError) as error:
        why = words_of(error)
        _log.error("the audit log lacks %s %s %s by %s from %s: %s", *words, why)


def deed_of(
    call: Call[Any, Any], action: str, target: str = "", detail: dict[str, object] | None = None
) -> Deed:
    """Return what a call does, for the log."""
    return Deed(call.actor, call.address, action, target, detail or {})


async def audit(call: Call[AuditQuery, Any]) -> AuditPage:
    """Return a page of the log. Raises Unrouted without a ledger, BadRequest."""
    if call.desk.audit is None:
        raise Unrouted(_NO_LEDGER)
    query = call.query
    since = None if query.begin is None else _seconds(moment_of("from", query.begin, _UTC).at)
    until = None if query.end is None else _seconds(moment_of("to", query.end, _UTC).end)
    wanted = Wanted(query.action, query.target, since, until, _before(query.cursor))
    found = await call.desk.audit.read(query.limit, wanted)
    more = len(found) == query.limit
    return AuditPage(entries=list(map(_shown, found)), next=str(found[-1].number) if more else None)


def _before(cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > _MOST_DIGITS:
        raise BadField("cursor", "is not the `next` of a page of this list")
    return int(cursor)


def _seconds(milliseconds: int) -> float:
    return milliseconds / SECOND_MS


def _shown(entry: Entry) -> AuditEntry:
    deed = entry.deed
    return AuditEntry(
        number=entry.number,
        time=dt.datetime.fromtimestamp(entry.at, dt.UTC),
        actor=deed.actor,
        address=deed.address,
        action=deed.action,
        target=deed.target,
        detail=dict(deed.detail),
    )


ROUTES = (
    Route(
        "GET",
        "/audit",
        audit,
        "List what operators changed, newest first.",
        AuditPage,
        query=AuditQuery,
        tag="audit",
    ),
)
