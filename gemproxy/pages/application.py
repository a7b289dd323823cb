"""The application of the pages: which page a path is, and what a form does.

A reader signs in with the operator's secret and gets a session in a cookie, which opens the pages
and nothing else: the API takes the secret only as a header. A form needs the token of its session
beside the cookie, and its page must be of this host (``admin.guard``). A browser gets errors as
pages.

``administer`` answers every request that means the admin API or its pages.
"""

import datetime as dt
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import attrs
from aiohttp import hdrs, web
from multidict import MultiDict

from gemproxy.admin import application as api
from gemproxy.admin.desk import Desk
from gemproxy.admin.guard import Guard
from gemproxy.admin.paths import BASE
from gemproxy.admin.route import Text
from gemproxy.core.errors import Forbidden, GemproxyError, Unauthenticated, Unrouted, WrongMethod
from gemproxy.observe.logs import request_id_var, unsaid
from gemproxy.pages.answers import READS, Scene, drawn, file_answer, sent_to, text_answer
from gemproxy.pages.entrance import Entrance
from gemproxy.pages.files import FOLDER
from gemproxy.pages.forms import Forms
from gemproxy.pages.live import Live
from gemproxy.pages.page import ROOT, Change, Notice, Page, Visit, linked
from gemproxy.pages.reader import Reader, keep
from gemproxy.pages.session import Session

SIGN_IN, SIGN_OUT, PREFERENCES = f"{ROOT}/sign-in", f"{ROOT}/sign-out", f"{ROOT}/preferences"
TOKEN = "form_token"  # noqa: S105 (the name of a field)

_FILE = re.compile(rf"{ROOT}/{FOLDER}/([\w.-]+)")
_PART = re.compile(r"\\\{(\w+)\\\}")
_STREAM = "text/event-stream"
_HOME = f"{ROOT}/"
_OFF = "The pages are off: set admin.secret (GEMPROXY_ADMIN_SECRET) to a secret of the operator's."
_OVER = "The session is over. Sign in and send the form again."
_STALE = "The form is not of this session. Load its page again and send it from there."


_log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class Places:
    """Rows by the patterns of their paths; one that is spelt out goes before one with parts."""

    rows: Sequence[tuple[re.Pattern[str], Any]]

    @classmethod
    def of(cls, rows: Sequence[Page | Change]) -> "Places":
        """Return the places of rows."""
        found = [(row.path, row) for row in rows]
        ordered = sorted(found, key=lambda pair: pair[0].count("{"))
        return cls([(_pattern(ROOT + path), row) for path, row in ordered])

    def has(self, raw_path: str) -> bool:
        """Return whether there is a row at a path."""
        return any(pattern.fullmatch(raw_path) for pattern, _ in self.rows)

    def find(self, raw_path: str) -> tuple[Any, Mapping[str, str]]:
        """Return the row at a path, and the parts of the path by name. Raises Unrouted."""
        for pattern, row in self.rows:
            found = pattern.fullmatch(raw_path)
            if found is not None:
                return row, {name: unquote(part) for name, part in found.groupdict().items()}
        raise Unrouted("There is no page at this address.")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_PART.sub(r"(?P<\1>[^/]+)", re.escape(path)))


@attrs.frozen(eq=False, kw_only=True)
class Pages:
    """Answers the requests at the paths of the pages; ``entrance`` is None without a secret."""

    guard: Guard
    desk: Desk
    entrance: Entrance | None
    live: Live
    pages: Places
    changes: Places
    menu: Sequence[Page]
    forms: Forms

    def serves(self, request: web.Request) -> bool:
        """Return whether a request is for a page, and not for the API beside them."""
        path = request.rel_url.raw_path
        if path.startswith(BASE):
            return False
        own = path in {ROOT, *self._ways} or _FILE.fullmatch(path) is not None
        named = own or self.pages.has(path) or self.changes.has(path)
        return named or (request.method in READS and _reads(request))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Return the answer; a browser gets an error as a page. Raises GemproxyError to others."""
        try:
            return await self._answer(request)
        except GemproxyError as error:
            if not _reads(request):
                raise
            return self._refused(request, error)
        except Exception as error:
            if not _reads(request):
                raise
            _log.error("unexpected error in a page", exc_info=unsaid(error))
            return self._refused(request, GemproxyError("The proxy failed unexpectedly."))

    @property
    def _ways(self) -> Mapping[str, Callable[[web.Request, Entrance], Awaitable[web.Response]]]:
        return {SIGN_IN: self._sign_in, SIGN_OUT: self._sign_out, PREFERENCES: self._prefer}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        entrance, path = self.entrance, request.rel_url.raw_path
        if entrance is None:
            raise Forbidden(_OFF)
        self.guard.check_page(request)
        file = _FILE.fullmatch(path)
        if file is not None:
            return file_answer(request, file[1])
        if path == ROOT:
            return sent_to(linked(ROOT, _HOME))
        if path in self._ways:
            return await self._ways[path](request, entrance)
        session = entrance.session(request)
        if request.method == hdrs.METH_POST:
            return await self._change(request, session)
        if request.method not in READS:
            raise WrongMethod("This path takes GET and POST.", *READS, "POST")
        return self._unknown(request) if session is None else await self._show(request, session)

    def _unknown(self, request: web.Request) -> web.Response:
        """Send a browser to where it signs in, and refuse all others."""
        if not _reads(request):
            self.guard.require(request)
            raise Unauthenticated("The pages need a session: sign in with a browser.")
        url = request.rel_url
        after = quote(url.raw_path_qs, safe="")
        return sent_to(linked(url.raw_path, f"{SIGN_IN}?next={after}"))

    async def _show(self, request: web.Request, session: Session) -> web.StreamResponse:
        page, names = self.pages.find(request.rel_url.raw_path)
        visit = self._visit(request, names)
        if _STREAM in request.headers.get("Accept", ""):
            return await self._stream(request, page, visit)
        values = await page.view(visit)
        if isinstance(values, Text):
            return text_answer(values)
        return drawn(request, Scene(visit, session, page, self.menu), page.template, values)

    async def _stream(self, request: web.Request, page: Page, visit: Visit) -> web.StreamResponse:
        alive, entrance = page.live, self.entrance
        if alive is None or entrance is None:
            raise Unrouted("This page has nothing that changes by itself.")

        async def read() -> Mapping[str, Any]:
            try:
                return await alive(visit)
            except GemproxyError as error:
                return {"error": error.message}

        key = (request.rel_url.raw_path_qs, visit.reader)
        known = lambda: entrance.session(request) is not None  # noqa: E731 (asked again and again)
        return await self.live.stream(request, key, read, page.every, known)

    async def _change(self, request: web.Request, session: Session | None) -> web.Response:
        if session is None:
            raise Unauthenticated(_OVER)
        form = await self._own_form(request, session)
        change, names = self.changes.find(request.rel_url.raw_path)
        visit = self._visit(request, names, form)
        outcome = await change.act(visit)
        if isinstance(outcome, Notice):
            return sent_to(visit.link(ROOT + outcome.path), outcome.text)
        return drawn(request, Scene(visit, session, change, self.menu), change.template, outcome)

    async def _own_form(self, request: web.Request, session: Session) -> MultiDict[str]:
        """Return the fields of a form of this session. Raises GemproxyError."""
        form = await self.forms.read(request)
        if not session.owns(form.get(TOKEN, "")):
            raise Forbidden(_STALE)
        return form

    async def _sign_in(self, request: web.Request, entrance: Entrance) -> web.Response:
        visit = self._visit(request)
        if request.method in READS:
            if entrance.session(request) is not None:
                return sent_to(self._after(request))
            return drawn(request, Scene(visit), "sign_in.html", {"error": ""})
        _takes_post(request)
        form = await self.forms.read(request)
        response = sent_to(self._after(request))
        try:
            await entrance.sign_in(request, form.get("secret", "").strip(), response)
        except GemproxyError as error:
            wrong = visit.say("This is not the operator’s secret.")
            why = wrong if isinstance(error, Unauthenticated) else error.message
            return drawn(request, Scene(visit), "sign_in.html", {"error": why}, error.status)
        return response

    async def _sign_out(self, request: web.Request, entrance: Entrance) -> web.Response:
        _takes_post(request)
        session = entrance.session(request)
        response = sent_to(linked(SIGN_OUT, SIGN_IN))
        if session is not None:
            await self._own_form(request, session)
            await entrance.sign_out(request, session, response)
        return response

    async def _prefer(self, request: web.Request, _: Entrance) -> web.Response:
        _takes_post(request)
        form = await self.forms.read(request)
        response = sent_to(linked(PREFERENCES, self._known(form.get("page", ""))))
        keep(response, form)
        return response

    def _after(self, request: web.Request) -> str:
        """Return where a reader goes who has signed in: to the page that they asked for."""
        return linked(SIGN_IN, self._known(request.rel_url.query.get("next", "")))

    def _known(self, target: str) -> str:
        """Return ``target`` if it is one of the pages or where one signs in, else the first one."""
        path = target.partition("?")[0]
        is_ours = self.pages.has(path) or path == SIGN_IN
        return target if is_ours and target.isprintable() else _HOME

    def _visit(
        self,
        request: web.Request,
        names: Mapping[str, str] | None = None,
        form: MultiDict[str] | None = None,
    ) -> Visit:
        reader = Reader.of(request)
        return Visit(
            desk=self.desk,
            path=request.rel_url.raw_path,
            names=names or {},
            query=request.rel_url.query,
            form=MultiDict() if form is None else form,
            reader=reader,
            zone=reader.zone or self._own_zone(),
            actor=api.ACTOR,
            address=self.guard.address(request),
        )

    def _own_zone(self) -> dt.tzinfo:
        """Return the zone of the proxy's own days."""
        figures = self.desk.figures
        return dt.UTC if figures is None else figures.queries.calendar.zone

    def _refused(self, request: web.Request, error: GemproxyError) -> web.Response:
        values = {
            "status": error.status,
            "message": error.message,
            "request_id": request_id_var.get(),
        }
        session = None if self.entrance is None else self.entrance.session(request)
        scene = Scene(self._visit(request), session, None, self.menu)
        response = drawn(request, scene, "error.html", values, error.status)
        response.headers.update(error.headers(1))
        return response


PAGES = web.AppKey("pages", Pages)


async def administer(request: web.Request) -> web.StreamResponse:
    """Answer a request that means the admin API or its pages."""
    pages = request.app.get(PAGES)
    if pages is not None and pages.serves(request):
        return await pages.handle(request)
    return await api.administer(request)


def _reads(request: web.Request) -> bool:
    """Return whether a browser asks, for somebody who wants to read."""
    return "text/html" in request.headers.get("Accept", "")


def _takes_post(request: web.Request) -> None:
    if request.method != hdrs.METH_POST:
        raise WrongMethod("This path takes POST.", "POST")
