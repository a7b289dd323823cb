"""The page of the API at ``/docs``: a viewer whose files ship in ``swagger-ui-bundle``.

Page, script, style and document are open where a secret is set, because a browser that opens a page
sends no header; none of them holds a secret. The reader gives the secret in the page's Authorize
box, and the page sends it with the requests that it tries.

No other host is asked, and no script or style stands in the page itself, so the policy names our
own files only. The viewer paints some of its icons from ``data:`` URLs in its style sheet, which
the policy allows for pictures. A file is served by its name in a table, never by a path.
"""

import functools
from collections.abc import Mapping
from importlib import resources

import attrs
from aiohttp import web

from gemproxy.admin.guard import Guard
from gemproxy.core.errors import Forbidden, Unrouted, WrongMethod

DOCS = "/docs"
FAMILY = "docs"
"""The family of these routes in the access log."""

_BUNDLE = "swagger_ui_bundle"
_SCRIPT, _STYLE, _DATA, _ICON = (
    "text/javascript; charset=utf-8",
    "text/css; charset=utf-8",
    "application/json",
    "image/png",
)
_PAGE = b"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gemproxy admin API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/viewer.css">
</head>
<body>
<div id="viewer"></div>
<script src="docs/viewer.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = b"""\
"use strict";
SwaggerUIBundle({
  url: new URL("docs/openapi.json", document.baseURI).href,
  dom_id: "#viewer",
  deepLinking: false,
  validatorUrl: null,
  persistAuthorization: false,
});
"""
_OF_BUNDLE = {
    "viewer.js": ("swagger-ui-bundle.js", _SCRIPT),
    "viewer.css": ("swagger-ui.css", _STYLE),
    "favicon.png": ("favicon-32x32.png", _ICON),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OFF = "The page of the admin API is off: set admin.secret (GEMPROXY_ADMIN_SECRET)."


@attrs.frozen(eq=False)
class Page:
    """Serves the page; ``document`` is the API's document in the form that the viewer reads."""

    guard: Guard
    document: bytes

    async def handle(self, request: web.Request) -> web.Response:
        """Return the page or one of its files. Raises GemproxyError."""
        if self.guard.operator is None:
            raise Forbidden(_OFF)
        self.guard.check_page(request)
        if request.method not in {"GET", "HEAD"}:
            raise WrongMethod("The page is read only.", "GET", "HEAD")
        name = request.rel_url.raw_path.removeprefix(DOCS).removeprefix("/")
        found = self._file(name)
        if found is None:
            raise Unrouted("The page of the admin API has no such file.")
        body, media = found
        headers = {
            "Content-Type": media,
            "Content-Security-Policy": _POLICY,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }
        return web.Response(body=body, headers=headers)

    def _file(self, name: str) -> tuple[bytes, str] | None:
        own: Mapping[str, tuple[bytes, str]] = {
            "": (_PAGE, "text/html; charset=utf-8"),
            "start.js": (_START, _SCRIPT),
            "openapi.json": (self.document, _DATA),
        }
        if name in own:
            return own[name]
        if name not in _OF_BUNDLE:
            return None
        file, media = _OF_BUNDLE[name]
        return _bundled(file), media


PAGE = web.AppKey("page", Page)


async def show(request: web.Request) -> web.Response:
    """Answer a request for the page, or say that this port has none."""
    page = request.app.get(PAGE)
    if page is None:
        raise Unrouted("The page of the admin API is not on this port.")
    return await page.handle(request)


@functools.cache
def _bundled(name: str) -> bytes:
    """Return a file of the viewer, whichever release of it is installed."""
    vendor = resources.files(_BUNDLE) / "vendor"
    found = next(folder for folder in vendor.iterdir() if folder.name.startswith("swagger-ui"))
    return (found / name).read_bytes()
