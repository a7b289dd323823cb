"""What a page is: a row of its topic's ``PAGES``, and the visit that it is drawn for.

A view asks the handlers of the admin API, in this process and with their own forms, so a page and
the API cannot say different things. It returns the values of its template. A change is a form that
is sent by POST; it asks a handler too, and the reader is sent to a page with a notice.
"""

import datetime as dt
import posixpath
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
from multidict import MultiDictProxy, MultiMapping

from gemproxy.admin.desk import Desk
from gemproxy.admin.reading import query_of
from gemproxy.admin.route import NOTHING, Call, Form
from gemproxy.pages.reader import Reader
from gemproxy.pages.words import said

ROOT = "/admin"
"""The path of the pages."""


@attrs.frozen(eq=False, kw_only=True)
class Visit:
    """One request for a page: whose parts it asks, what the reader wants, and how they read.

    ``names`` are the parts of the path, ``form`` the fields of a form that was sent. ``zone`` is
    the one that times are shown in: the reader's choice, or that of the proxy's days.
    """

    desk: Desk
    path: str
    names: Mapping[str, str]
    query: MultiDictProxy[str]
    form: MultiMapping[str]
    reader: Reader
    zone: dt.tzinfo
    actor: str
    address: str

    async def ask(
        self,
        handler: Callable[[Call[Any, Any]], Awaitable[Any]],
        query: Form = NOTHING,
        body: Form = NOTHING,
        **names: str,
    ) -> Any:  # noqa: ANN401 (the answer's form is the handler's)
        """Return what a handler of the API answers. Raises GemproxyError."""
        call = Call(self.desk, names or self.names, query, body, self.actor, self.address)
        return await handler(call)

    def wanted(self, form: type[Form], *names: str) -> Any:  # noqa: ANN401 (an instance of ``form``)
        """Return a query of the API with the fields ``names`` as the page's URL has them.

        A field that is empty in the URL, as forms send it, counts as absent. Raises BadField.
        """
        given = self.query.copy()
        for name in set(given):
            if name not in names or not given[name]:
                del given[name]
        return query_of(form, given)

    def say(self, text: str, **values: object) -> str:
        """Return a text in the reader's language."""
        return said(self.reader.language, text, **values)

    def link(self, path: str) -> str:
        """Return the relative URL of a path below ``ROOT``, wherever a reverse proxy has us."""
        return linked(self.path, path)


def linked(here: str, path: str) -> str:
    """Return the relative URL from the page ``here`` to ``path``, both below ``ROOT``.

    It begins with a dot, by which ``static/live.js`` knows a link of ours.
    """
    bare, mark, query = path.partition("?")
    folder, name = posixpath.split(bare)
    way = posixpath.relpath(folder, posixpath.dirname(here))
    way = way if way.startswith(".") else f"./{way}"
    return posixpath.join(way, name) + mark + query


def queried(path: str, fields: Mapping[str, str | None]) -> str:
    """Return ``path`` with the fields that are not empty as its query."""
    query = urlencode({name: value for name, value in fields.items() if value})
    return f"{path}?{query}" if query else path


@attrs.frozen
class Notice:
    """Where a change sends its reader, and the sentence that they find there."""

    path: str
    text: str = ""


View = Callable[[Visit], Awaitable[Any]]


@attrs.frozen(eq=False)
class Page:
    """A page: its path below ``ROOT`` with parts as ``{name}``, its template, and its view.

    A view returns the template's values, or a ``Text`` that is sent as it is. ``title`` is English.
    ``in_menu``: it is an entry of the menu. ``live`` returns what has changed, every ``every``
    seconds, as ``static/live.js`` reads it; None: the page stands still. Readers of one URL share
    what ``live`` returns.
    """

    path: str
    title: str
    template: str
    view: View
    in_menu: bool = False
    live: Callable[[Visit], Awaitable[Mapping[str, Any]]] | None = None
    every: float = 2.0


@attrs.frozen(eq=False)
class Change:
    """A form that changes something: its path below ``ROOT``, and what is done with its fields.

    It returns a ``Notice``, or, as a view does, the values of ``template``: for a key that is shown
    once.
    """

    path: str
    act: View
    template: str = ""
    title: str = ""
