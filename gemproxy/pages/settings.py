"""The pages of settings: what each is and where it comes from, changing one, giving it back.

A value is sent as text, as in a variable, and read by the kind of its setting; lists and tables are
sent as such. What was typed stays in the form when it is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gemproxy.admin.audit import AuditQuery, audit
from gemproxy.admin.settings import Known, NewValue, Setting, listed, put, reset
from gemproxy.admin.settings import shown as one
from gemproxy.core.errors import BadField, GemproxyError, Unrouted
from gemproxy.pages.forms import items_of, rows_of
from gemproxy.pages.page import Change, Notice, Page, Visit

VALUE = "value"
"""The field of a form with the new value; in a table without columns that of each name."""

_BLANK_ROWS = 3
_ENTRIES = 10
_PATH = "/settings/%s"


async def settings(visit: Visit) -> Mapping[str, Any]:
    """Return the settings by section; only those that change while the proxy runs, or all."""
    page = await visit.ask(listed)
    search = visit.query.get("search", "").strip()
    every = "all" in visit.query
    fitting = [one for one in page.settings if _is_wanted(one, search, every=every)]
    sections: dict[str, list[Setting]] = {}
    for setting in fitting:
        sections.setdefault(setting.path.partition(".")[0], []).append(setting)
    return {
        "sections": sections,
        "count": len(fitting),
        "of_all": len(page.settings),
        "every": every,
        "search": search,
        "has_live": any(one.live for one in page.settings),
    }


async def setting(visit: Visit) -> Mapping[str, Any]:
    """Return one setting with the form that changes it, and its last changes."""
    return await _page(visit)


async def change(visit: Visit) -> Any:  # noqa: ANN401 (a notice, or the values of the form)
    """Change a setting, or say beside its field what is wrong."""
    found = await visit.ask(one)
    try:
        body = NewValue(value=_sent(visit, found), change=_known(visit))
        await visit.ask(put, body=body)
    except GemproxyError as error:
        return await _page(visit, error.message)
    said = visit.say("%(setting)s is changed; it acts on the next request.", setting=found.path)
    return Notice(_PATH % found.path, said)


async def give_back(visit: Visit) -> Notice:
    """Give a setting the value of the files, variables or the default back."""
    found = await visit.ask(reset, Known(change=_known(visit)))
    said = visit.say("%(setting)s has its own value again.", setting=found.path)
    return Notice(_PATH % found.path, said)


async def _page(visit: Visit, problem: str = "") -> Mapping[str, Any]:
    """Return the values of a setting's page; with a problem, what was typed stays in its form."""
    found = await visit.ask(one)
    page = await visit.ask(listed)
    typed = _typed(visit) if problem else _present(found)
    blank = dict.fromkeys(("name", *(found.columns or [VALUE])), "")
    rows = _typed_rows(visit) if problem else _rows(found)
    return {
        "setting": found,
        "change": page.change,
        "problem": problem,
        "typed": typed,
        "columns": found.columns or [VALUE],
        "rows": [{**blank, **row} for row in (*rows, *[blank] * _BLANK_ROWS)],
        "entries": await _entries(visit, found.path),
    }


def _is_wanted(setting: Setting, search: str, *, every: bool) -> bool:
    text = search.casefold()
    is_found = text in setting.path.casefold() or text in setting.description.casefold()
    return is_found and (every or setting.live or setting.pinned)


def _sent(visit: Visit, setting: Setting) -> object:
    """Return the value that a form has for a setting. Raises BadField."""
    match setting.shape:
        case "table":
            return _table(visit, setting)
        case "list":
            return items_of(visit.form.get(VALUE, ""))
        case _:
            return _typed(visit)


def _table(visit: Visit, setting: Setting) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for row in _typed_rows(visit):
        name = row.pop("name", "")
        if name in table:
            raise BadField(VALUE, visit.say("has a name in two rows"))
        cells = {column: cell for column, cell in row.items() if cell}
        table[name] = cells if setting.columns else cells.get(VALUE, "")
    return table


def _typed(visit: Visit) -> str:
    return visit.form.get(VALUE, "")


def _typed_rows(visit: Visit) -> list[dict[str, str]]:
    return rows_of(visit.form, VALUE)


def _present(setting: Setting) -> str:
    """Return the present value as it can be typed; nothing of a secret."""
    if setting.secret:
        return ""
    return "\n".join(setting.value) if setting.shape == "list" else setting.text


def _rows(setting: Setting) -> Sequence[Mapping[str, str]]:
    """Return the rows of a table as they can be typed."""
    if setting.shape != "table" or not isinstance(setting.value, Mapping):
        return ()
    return [{"name": name, **_cells(item)} for name, item in setting.value.items()]


def _cells(item: object) -> Mapping[str, str]:
    cells = item if isinstance(item, Mapping) else {VALUE: item}
    return {column: _cell(cell) for column, cell in cells.items()}


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _known(visit: Visit) -> int | None:
    number = visit.form.get("change", "")
    return int(number) if number.isascii() and number.isdecimal() else None


async def _entries(visit: Visit, path: str) -> Sequence[Any]:
    """Return the last changes of a setting; none without a ledger."""
    try:
        page = await visit.ask(audit, AuditQuery(target=path, limit=_ENTRIES))
    except Unrouted:
        return ()
    entries: Sequence[Any] = page.entries
    return entries


PAGES = (
    Page("/settings", "Settings", "settings.html", settings, in_menu=True),
    Page("/settings/{path}", "Setting", "setting.html", setting),
)
CHANGES = (
    Change("/settings/{path}", change, "setting.html", "Setting"),
    Change("/settings/{path}/reset", give_back),
)
