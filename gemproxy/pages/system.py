"""The pages of the system: processes, database, backups, cleanup, the doctor, the audit log."""

from collections.abc import Mapping
from typing import Any

import msgspec
from multidict import MultiDict

from gemproxy.admin.audit import AuditQuery, audit
from gemproxy.admin.database import (
    CleanupOrder,
    CleanupQuery,
    backup,
    backups,
    check,
    cleanup,
    database,
    forecast,
)
from gemproxy.admin.reading import body_of, query_of
from gemproxy.admin.system import Examination, doctor, system
from gemproxy.core.errors import BadField, Unrouted
from gemproxy.pages.page import Change, Notice, Page, Visit
from gemproxy.pages.rendering import number, octets, seconds

_HOME = "/system"
_DAYS = 90
"""Days of requests that a cleanup would keep, until somebody says otherwise."""
_ENTRIES = 50


async def shown(visit: Visit) -> Mapping[str, Any]:
    """Return the processes, the database and its backups."""
    state = await visit.ask(system)
    try:
        held, kept = await visit.ask(database), await visit.ask(backups)
    except Unrouted as error:
        return {"system": state, "database": None, "backups": None, "missing": error.message}
    values = {"system": state, "database": held, "backups": kept, "missing": ""}
    return {**values, "days": _DAYS}


async def shown_now(visit: Visit) -> Mapping[str, Any]:
    """Return what has changed of the processes."""
    state = await visit.ask(system)
    return {
        "texts": {
            "uptime": seconds(state.uptime_seconds),
            "memory": octets(state.memory_bytes),
            "running": number(state.running_requests),
        }
    }


async def back_up(visit: Visit) -> Notice:
    """Write a backup."""
    made = await visit.ask(backup)
    values = {"name": made.name, "requests": number(made.requests), "size": octets(made.bytes)}
    words = visit.say("The backup %(name)s has %(requests)s requests in %(size)s.", **values)
    return Notice(_HOME, words)


async def checked(visit: Visit) -> Mapping[str, Any]:
    """Check the database; return what was found."""
    return {"report": await visit.ask(check)}


async def asked(visit: Visit) -> Mapping[str, Any]:
    """Return how many rows a cleanup would delete."""
    given = MultiDict({"days": visit.query.get("days") or str(_DAYS)})
    try:
        found = await visit.ask(forecast, query_of(CleanupQuery, given))
    except BadField as error:
        return {"forecast": None, "days": given["days"], "problem": error.message}
    return {"forecast": found, "days": given["days"], "problem": ""}


async def clean(visit: Visit) -> Notice:
    """Delete the rows of old requests."""
    days = visit.form.get("days", "")
    given = int(days) if days.isascii() and days.isdecimal() else days
    body = body_of(CleanupOrder, msgspec.json.encode({"days": given}))
    done = await visit.ask(cleanup, body=body)
    count = number(done.deleted)
    return Notice(
        _HOME, visit.say("%(count)s requests were deleted; their sums stay.", count=count)
    )


async def examined(visit: Visit) -> Mapping[str, Any]:
    """Run the checks of the doctor; return the findings."""
    network = "network" in visit.form
    return {"found": await visit.ask(doctor, body=Examination(network=network)), "network": network}


async def log(visit: Visit) -> Mapping[str, Any]:
    """Return a page of the audit log."""
    query = visit.wanted(AuditQuery, "action", "target", "from", "to", "cursor")
    page = await visit.ask(audit, msgspec.structs.replace(query, limit=_ENTRIES))
    wanted = {name: visit.query.get(name, "") for name in ("action", "target", "from", "to")}
    return {"page": page, "wanted": wanted, "is_first": not query.cursor}


PAGES = (
    Page(_HOME, "System", "system.html", shown, in_menu=True, live=shown_now, every=5.0),
    Page(f"{_HOME}/cleanup", "Cleanup", "system_cleanup.html", asked),
    Page(f"{_HOME}/audit", "Audit log", "system_audit.html", log),
)
CHANGES = (
    Change(f"{_HOME}/backup", back_up),
    Change(f"{_HOME}/check", checked, "system_check.html", "Check of the database"),
    Change(f"{_HOME}/cleanup", clean),
    Change(f"{_HOME}/doctor", examined, "system_doctor.html", "What the doctor finds"),
)
