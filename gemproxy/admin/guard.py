"""The guard of all that only the operator may ask: the secret, attempts, hosts, other pages.

The secret comes as ``Authorization: Bearer`` or as ``x-admin-secret``, never in a URL. A browser
sends neither by itself, so a page of another site gains nothing by sending its reader's browser
here. What is open without the secret, to programs of this machine, a page could reach by a host
name of its own that leads to this machine (DNS rebinding). So a request must name a host that
nobody else can own: an address, a name without a dot, or one that the settings have. And a change
that a page asks for must come from a page of the same host.

Wrong secrets are counted by the client's address. At the limit the address is refused unheard, the
right secret included: else the limit would be none.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import attrs
from aiohttp import web

from gemproxy.access.keys import AccessKeys
from gemproxy.access.operator import Operator
from gemproxy.accounts.addresses import Proxies, subscriber
from gemproxy.accounts.window import Window
from gemproxy.core.errors import Forbidden, LimitReached, Misdirected, Unauthenticated
from gemproxy.exchange.credential import brought

SECRET_HEADER = "x-admin-secret"  # noqa: S105 (the name of a header)
ATTEMPTS = 10
"""Wrong secrets of an address in a minute."""

ANY = "*"
"""Among the hosts: every name."""

_MOST_ADDRESSES = 10_000
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_SITES = frozenset({"cross-site", "same-site"})
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")

_OFF = (
    "The admin API is off: set admin.secret (GEMPROXY_ADMIN_SECRET) to a secret of the operator's."
)
_HOW = "Send the operator's secret as Authorization: Bearer or as x-admin-secret"
_MISSING = f"This needs the operator's secret, and the request has none. {_HOW}."
_WRONG = f"The operator's secret is wrong. {_HOW}."
_USER = "An access key does not open this, only the operator's secret does (admin.secret)."
_FOREIGN_HOST = (
    "This host name is not known as one of the proxy's. Name it in admin.hosts, or use the address."
)
_FOREIGN_PAGE = "Pages of other sites may change nothing here."


@attrs.define(eq=False)
class Attempts:
    """Counts wrong secrets by address; it forgets the addresses that were quiet for longest."""

    most: int = ATTEMPTS
    _windows: OrderedDict[str, Window] = attrs.field(factory=OrderedDict)

    def check(self, address: str, now: float) -> None:
        """Raise LimitReached for an address that has used its attempts up."""
        window = self._windows.get(subscriber(address))
        if window is None or window.total(now) < self.most:
            return
        wait = max(window.less(1, now) - now, 1.0)
        why = f"Too many wrong secrets came from this address. Try again in {math.ceil(wait)} s."
        raise LimitReached(why, wait)

    def failed(self, address: str, now: float) -> None:
        """Count a wrong secret."""
        place = subscriber(address)
        self._windows.setdefault(place, Window()).add(1, now)
        self._windows.move_to_end(place)
        if len(self._windows) > _MOST_ADDRESSES:
            self._windows.popitem(last=False)


@attrs.define(eq=False)
class Guard:
    """Lets the operator pass; ``operator`` is None where no secret is set.

    ``keys`` are the access keys, which open nothing here. ``hosts`` are the names of hosts that the
    settings have, in lower case. ``clock`` gives seconds.
    """

    operator: Operator | None = None
    keys: AccessKeys = attrs.field(factory=AccessKeys)
    hosts: frozenset[str] = frozenset()
    proxies: Proxies = attrs.field(factory=Proxies)
    attempts: Attempts = attrs.field(factory=Attempts)
    clock: Callable[[], float] = time.time

    def require(self, request: web.Request) -> None:
        """Let a request pass that has the secret in a header; see ``judge``."""
        self.judge(request, _secrets(request))

    def judge(self, request: web.Request, given: Sequence[str]) -> None:
        """Return if the secret is among the texts that a request has ``given`` as it.

        Raises Forbidden without a setting, for an access key and for another site's page;
        Misdirected for another's host name; LimitReached; Unauthenticated.
        """
        operator = self.operator
        if operator is None:
            raise Forbidden(_OFF)
        self.check_page(request)
        address, now = self.address(request), self.clock()
        self.attempts.check(address, now)
        if operator.is_among(given):
            return
        taken, _ = brought(request.headers, request.rel_url.raw_query_string)
        if self.keys.find_any((*given, *taken), now) is not None:
            raise Forbidden(_USER)
        if not given:
            raise Unauthenticated(_MISSING)
        self.attempts.failed(address, now)
        raise Unauthenticated(_WRONG)

    def require_unless_local(self, request: web.Request) -> None:
        """Let a program of this machine pass without the secret, all others as ``require`` does."""
        if not self.is_local(request):
            self.require(request)

    def is_local(self, request: web.Request) -> bool:
        """Return whether a program of this machine asks, directly.

        A reverse proxy of this machine asks for others, and says so by its headers. A page under a
        host name of its own is somebody else's.
        """
        if any(name in request.headers for name in _FORWARDED):
            return False
        try:
            local = ipaddress.ip_address(request.remote or "").is_loopback
        except ValueError:
            return False
        return local and self._knows(_host(request.host)) and not _of_another_site(request)

    def check_page(self, request: web.Request) -> None:
        """Raise Misdirected for another's host name, Forbidden for another site's change."""
        if not self._knows(_host(request.host)):
            raise Misdirected(_FOREIGN_HOST)
        if request.method in _READS:
            return
        origin = request.headers.get("Origin")
        if _of_another_site(request) or (origin is not None and not self._is_own(origin, request)):
            raise Forbidden(_FOREIGN_PAGE)

    def address(self, request: web.Request) -> str:
        """Return the client's address, as trusted proxies say it."""
        forwarded = request.headers.getall("X-Forwarded-For", ())
        return self.proxies.client(request.remote or "", forwarded)

    def _is_own(self, origin: str, request: web.Request) -> bool:
        """Return whether a page's origin is the host that it asks, or one of the settings."""
        try:
            page = urlsplit(origin.lower())
            named = page.hostname or ""
        except ValueError:
            return False
        if page.netloc == request.host.lower():
            return True
        # The name of a machine behind which others serve, too, at other ports, proves nothing.
        return "." in named and not _is_address(named) and named in self.hosts

    def _knows(self, host: str) -> bool:
        if not host or "." not in host or host.endswith(".localhost"):
            return True
        return _is_address(host) or host in self.hosts or ANY in self.hosts


GUARD = web.AppKey("guard", Guard)


def require(request: web.Request) -> None:
    """Let the operator pass; see ``Guard.require``."""
    request.app[GUARD].require(request)


def require_unless_local(request: web.Request) -> None:
    """Let programs of this machine and the operator pass; see ``Guard``."""
    request.app[GUARD].require_unless_local(request)


def _secrets(request: web.Request) -> list[str]:
    """Return the texts of a request that stand where the secret belongs."""
    found = [value.strip() for value in request.headers.getall(SECRET_HEADER, ())]
    for value in request.headers.getall("Authorization", ()):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            found.append(token.strip())
    return [text for text in found if text]


def _of_another_site(request: web.Request) -> bool:
    return request.headers.get("Sec-Fetch-Site", "").strip().lower() in _OTHER_SITES


def _host(host: str) -> str:
    """Return the name in a Host header, in lower case, without brackets, port and last dot."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
