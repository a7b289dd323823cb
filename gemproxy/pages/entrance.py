"""How an operator gets into the pages and out again: the cookie of a session.

The secret is judged by the guard of the admin API, with its limit on attempts. The cookie is for
this host alone, no script reads it, and no other site's page can have it sent. Over https its name
has the prefix that makes browsers see to that themselves (RFC 6265bis, 4.1.3.2).
"""

import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

import attrs
from aiohttp import web

from gemproxy.admin.application import ACTOR
from gemproxy.admin.audit import note
from gemproxy.admin.desk import Desk
from gemproxy.admin.guard import Guard
from gemproxy.admin.route import NOTHING, Call
from gemproxy.pages.session import Session, Sessions

ENDED = "session-ended"
"""The question to the other workers that tells them of a session that was signed out."""

_COOKIE = "gemproxy_session"


@attrs.frozen(eq=False)
class Entrance:
    """Lets the operator in; ``clock`` gives the Unix time."""

    guard: Guard
    desk: Desk
    sessions: Sessions
    clock: Callable[[], float] = time.time

    def session(self, request: web.Request) -> Session | None:
        """Return the session of a request, if it has one that is still good."""
        token = request.cookies.get(_name(secure=_is_secure(request)), "")
        return self.sessions.find(token, self.clock())

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Return whether the cookies of a request have a session that is still good."""
        try:
            cookies = SimpleCookie(headers.get("Cookie", ""))
        except CookieError:
            return False
        tokens = (cookies.get(_name(secure=secure)) for secure in (False, True))
        now = self.clock()
        return any(token and self.sessions.find(token.value, now) for token in tokens)

    async def sign_in(self, request: web.Request, secret: str, response: web.Response) -> None:
        """Give ``response`` the cookie of a new session. Raises as ``Guard.judge`` does."""
        self.guard.judge(request, [secret])
        now, secure = self.clock(), _is_secure(request)
        token, session = self.sessions.begin(now)
        response.set_cookie(
            _name(secure=secure),
            token,
            max_age=int(session.ends - now),
            httponly=True,
            samesite="Strict",
            secure=secure,
            path="/",
        )
        await note(self._call(request), "pages.sign_in")

    async def sign_out(
        self, request: web.Request, session: Session, response: web.Response
    ) -> None:
        """End a session, here and in the other workers, and have the browser forget its cookie."""
        self.sessions.end(session.id, session.ends, self.clock())
        await self.desk.neighbours.ask(ENDED, {"id": session.id, "ends": session.ends})
        secure = _is_secure(request)
        name = _name(secure=secure)
        response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Strict")
        await note(self._call(request), "pages.sign_out")

    async def heard(self, document: Any) -> bool:  # noqa: ANN401 (JSON of another worker)
        """End a session that was signed out at another worker."""
        self.sessions.end(str(document["id"]), int(document["ends"]), self.clock())
        return True

    def _call(self, request: web.Request) -> Call[Any, Any]:
        return Call(self.desk, {}, NOTHING, NOTHING, ACTOR, self.guard.address(request))


def _is_secure(request: web.Request) -> bool:
    """Return whether the browser came by https, as far as is known.

    Any client may send the header: it changes only the name and the flag of that client's cookie.
    """
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return request.secure or forwarded == "https"


def _name(*, secure: bool) -> str:
    return f"__Host-{_COOKIE}" if secure else _COOKIE
