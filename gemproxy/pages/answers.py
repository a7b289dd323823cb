"""What the pages answer: a drawn page, a redirect, a file; with the headers of each.

The policy allows our own scripts and styles and nothing in a page itself, so text that found its
way into one as markup would do nothing. Redirects are relative, so that a reverse proxy may have
the proxy under a prefix.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import attrs
from aiohttp import web

from gemproxy.admin.route import Text
from gemproxy.core.errors import Unrouted, WrongMethod
from gemproxy.pages.files import files
from gemproxy.pages.page import Change, Page, Visit
from gemproxy.pages.rendering import draw
from gemproxy.pages.session import Session

READS = ("GET", "HEAD")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With "no-referrer" browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept, Accept-Language, Cookie",
}
_OF_A_FILE = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "public, max-age=31536000, immutable",
}
_NOTICE = "gemproxy_notice"
_LONGEST_NOTICE = 500


@attrs.frozen(eq=False)
class Scene:
    """What stands around a page's own values: who reads it, and the row that it is of."""

    visit: Visit
    session: Session | None = None
    row: Page | Change | None = None
    menu: Sequence[Page] = ()


def drawn(
    request: web.Request, scene: Scene, template: str, values: Mapping[str, Any], status: int = 200
) -> web.Response:
    """Return a page; a notice that waits for its reader stands in it, once."""
    visit, session = scene.visit, scene.session
    notice = unquote(request.cookies.get(_NOTICE, ""))
    around: dict[str, Any] = {
        "path": visit.path,
        "here": request.rel_url.raw_path_qs,
        "row": scene.row,
        "menu": scene.menu if session is not None else (),
        "language": visit.reader.language,
        "theme": visit.reader.theme,
        "zone": visit.zone,
        "form_token": session.form_token if session is not None else "",
        "notice": notice,
    }
    body = draw(request, template, {**around, **values})
    response = web.Response(text=body, status=status, content_type="text/html", headers=_HEADERS)
    if notice:
        response.del_cookie(_NOTICE, path="/", samesite="Strict")
    return response


def sent_to(location: str, notice: str = "") -> web.Response:
    """Return a redirect to a page, which shows the ``notice``."""
    response = web.Response(status=303, headers={"Location": location, **_HEADERS})
    if notice:
        words = quote(notice[:_LONGEST_NOTICE])
        response.set_cookie(_NOTICE, words, httponly=True, samesite="Strict", path="/")
    return response


def text_answer(text: Text) -> web.Response:
    """Return a text in another form than a page, such as a table to be kept."""
    headers = {"Content-Type": text.media, **_HEADERS}
    if text.name:
        headers["Content-Disposition"] = f'attachment; filename="{text.name}"'
    return web.Response(body=text.body, headers=headers)


def file_answer(request: web.Request, name: str) -> web.Response:
    """Return a file of the pages. Raises Unrouted, WrongMethod."""
    file = files().get(name)
    if file is None:
        raise Unrouted("The pages have no such file.")
    if request.method not in READS:
        raise WrongMethod("A file is read only.", *READS)
    return web.Response(body=file.body, headers={"Content-Type": file.media, **_OF_A_FILE})
