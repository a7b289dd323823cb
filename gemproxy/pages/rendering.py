"""Draws pages: the environment of the templates, and how values are written for people.

Every value is escaped by the engine. The templates hold no script and no style, and the policy in
``pages.answers`` would stop one.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web
from jinja2.runtime import Context

from gemproxy.pages.files import address
from gemproxy.pages.page import ROOT, linked
from gemproxy.pages.words import said

_KIB = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def set_up(app: web.Application) -> None:
    """Give ``app`` the environment of the templates."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("gemproxy.pages"),
        extensions=["jinja2.ext.i18n"],
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension's
        _gettext, _ngettext, newstyle=True
    )
    environment.filters |= FILTERS
    environment.globals["link"] = _link
    environment.globals["file"] = _file


def draw(request: web.Request, template: str, values: Mapping[str, Any]) -> str:
    """Return a page."""
    return aiohttp_jinja2.render_string(template, request, values)


@jinja2.pass_context
def _gettext(context: Context, text: str) -> str:
    return said(context["language"], text)


@jinja2.pass_context
def _ngettext(context: Context, one: str, many: str, count: int) -> str:
    return said(context["language"], one if count == 1 else many)


@jinja2.pass_context
def _link(context: Context, path: str) -> str:
    return linked(context["path"], path)


@jinja2.pass_context
def _file(context: Context, name: str) -> str:
    return linked(context["path"], ROOT + address(name))


def number(value: float | None) -> str:
    """Return a number with separated thousands; a dash for none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def money(value: str | None) -> str:
    """Return dollars for people: cents, or what is there of a smaller sum; a dash for none."""
    if value is None:
        return "–"
    amount = float(value)
    return f"${amount:,.2f}" if amount == 0 or abs(amount) >= 1 else f"${amount:.4g}"


def seconds(value: float | None) -> str:
    """Return a span in the unit that people would use; a dash for none."""
    if value is None:
        return "–"
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"  # noqa: PLR2004 (digits)


def milliseconds(value: float | None) -> str:
    """Return a span that is given in milliseconds."""
    return seconds(None if value is None else value / 1000)


def octets(value: float | None) -> str:
    """Return a number of bytes."""
    if value is None:
        return "–"
    for unit in ("B", "KiB", "MiB"):
        if value < _KIB:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KIB
    return f"{value:.1f} GiB"


@jinja2.pass_context
def moment(context: Context, value: dt.datetime | None) -> str:
    """Return a time in the reader's zone, which the page names; a dash for none."""
    return "–" if value is None else clocked(value, context["zone"])


def clocked(value: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a time in a zone."""
    return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


FILTERS = {
    "number": number,
    "money": money,
    "seconds": seconds,
    "milliseconds": milliseconds,
    "octets": octets,
    "moment": moment,
}
