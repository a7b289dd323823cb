"""How somebody reads the pages: language, theme and time zone, kept in cookies of their browser.

Nobody needs a session to choose them: the page where one signs in has them, too.
"""

from collections.abc import Mapping
from typing import Self
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs
from aiohttp import web

from gemproxy.pages.words import LANGUAGES, language_of

THEMES = ("auto", "light", "dark")

_LANGUAGE, _THEME, _ZONE = "gemproxy_language", "gemproxy_theme", "gemproxy_zone"
_YEAR = 365 * 24 * 60 * 60


@attrs.frozen
class Reader:
    """One reader's choices; ``zone`` is None for the zone of the proxy's days."""

    language: str
    theme: str = THEMES[0]
    zone: ZoneInfo | None = None

    @classmethod
    def of(cls, request: web.Request) -> Self:
        """Return the choices in a request's cookies, or what its browser says of itself."""
        cookies, accepted = request.cookies, request.headers.get("Accept-Language", "")
        theme = cookies.get(_THEME, "")
        return cls(
            language_of(cookies.get(_LANGUAGE, ""), accepted),
            theme if theme in THEMES else THEMES[0],
            _zone(unquote(cookies.get(_ZONE, ""))),
        )


def keep(response: web.Response, form: Mapping[str, str]) -> None:
    """Have the browser keep what a form chooses; a choice that there is not changes nothing."""
    language, theme, zone = (form.get(name, "") for name in ("language", "theme", "zone"))
    zone = zone.strip()
    if language in LANGUAGES:
        _set(response, _LANGUAGE, language)
    if theme in THEMES:
        _set(response, _THEME, theme)
    if not zone:
        response.del_cookie(_ZONE, path="/", samesite="Lax")
    elif _zone(zone) is not None:
        _set(response, _ZONE, quote(zone))


def _set(response: web.Response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=_YEAR, httponly=True, samesite="Lax", path="/")


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
