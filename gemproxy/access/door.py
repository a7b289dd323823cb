"""The door: whether a request comes in, and whether its own Gemini key or the pool's goes up.

*passthrough*: the client's own key goes up. *pool*: a client needs an access key. *both*: an access
key leads to the pool; without one the client needs a credential of Google's, which has a known
form. A credential that is an access key, or begins with ``gp-`` and so was meant to be one, never
goes up; where it would, the request is refused.

A request may bring several credentials, because SDKs and users put them in several places. Any
valid access key among them counts.

Two kinds of requests come without an access key although the pool serves them: those with a token
that Gemini issued through us (``minted`` says for whom), and those to an upload URL of ours
(``vouch`` knows them). They come in as long as their maker's access key does.
"""

import enum
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime

import attrs

from gemproxy.access.keys import AccessKeys
from gemproxy.access.models import require
from gemproxy.access.operator import Operator
from gemproxy.access.secret import PREFIX, id_in
from gemproxy.accounts.user import OWN, User
from gemproxy.core.errors import Unauthenticated
from gemproxy.exchange.credential import TAKEN_HEADERS, brought, in_path, is_googles
from gemproxy.exchange.exchange import Exchange

OPEN = "open"
"""The name of every caller without an access key, where the pool is open."""

_OPEN = User(OPEN, OPEN)

_LONG = 16
"""Characters of an access key at least."""

_WHERE = (
    "Send it as x-goog-api-key, as ?key= or as Authorization: Bearer, in the place of a Gemini key"
)
_MISSING = f"This proxy needs an access key, and the request has none. {_WHERE}."
_WRONG = f"The access key is not valid. {_WHERE}."
_REVOKED = "The access key was revoked."
_GONE = "The access key that this was made with is not valid any more."
_NOT_HERE = (
    "This proxy passes the clients' own Gemini keys on, and the request has an access key, which"
    " is never passed on. Send a Gemini key."
)
_FOREIGN = (
    "Programs of this machine may use this proxy without an access key. A page in a browser may if"
    " server.cors_origins names its origin."
)
_OPERATORS = (
    "The request has the operator's secret, which opens the admin API and nothing else; it is never"
    " passed on."
)
_STRAY = f"The request has an access key in a place that Gemini would see. {_WHERE}, only there."


class UnknownKey(Unauthenticated):
    """A key of the form of stored ones, which may have been stored a moment ago."""


class Mode(enum.Enum):
    """Who brings the Gemini key."""

    PASSTHROUGH = "passthrough"
    POOL = "pool"
    BOTH = "both"


Vouch = Callable[[Exchange], str | None]
"""Returns who made the upload URL that a request has: the name of an access key, empty
for a client with its own Gemini key, None for nobody."""


def _nobody(_: Exchange) -> str | None:
    return None


@attrs.frozen(eq=False)
class Door:
    """Lets requests in by the credentials that they bring.

    ``open`` lets every program of this machine use the pool, under one name. A browser of this
    machine sends requests of any page that it shows, so of the pages only those of ``origins`` may.
    A request with the secret of the ``operator`` comes in nowhere: it would take the secret along.
    ``now`` gives the Unix time in seconds.
    """

    mode: Mode = Mode.PASSTHROUGH
    keys: AccessKeys = attrs.field(factory=AccessKeys)
    open: bool = False
    vouch: Vouch = _nobody
    origins: Collection[str] = ()
    now: Callable[[], float] = time.time
    operator: Operator | None = None

    def admit(self, exchange: Exchange, minted: str = "") -> User:
        """Return the user of the caller's access key; OWN for a client with its own Gemini key.

        ``minted`` is the access key that had the token of the request made, by name. Raises
        Unauthenticated, Forbidden for a model in the path that the user may not call, and
        BadRequest for a target that cannot be forwarded.
        """
        if self.operator is not None and self.operator.is_in(exchange):
            raise Unauthenticated(_OPERATORS)
        taken, passed = brought(exchange.headers, exchange.raw_query)
        if self._go_up(exchange, passed):
            raise Unauthenticated(_STRAY)
        if self.mode is Mode.PASSTHROUGH:
            for key in taken:
                if key.startswith(PREFIX) or self.keys.find(key, 0.0) is not None:
                    raise Unauthenticated(_NOT_HERE)
            return OWN
        now = self.now()
        user = self.keys.find_any(taken, now)
        if user is None:
            user = self._maker(minted) if minted else self._without_a_key(exchange, taken)
        if user.expires is not None and now >= user.expires:
            raise Unauthenticated(_expired(user, user.expires))
        if user.models and exchange.model:
            require(user, exchange.model)
        return user

    def _without_a_key(self, exchange: Exchange, taken: list[str]) -> User:
        """Return who a caller is that has no access key."""
        if any(key.startswith(PREFIX) for key in taken):
            if any(map(self.keys.is_revoked, taken)):
                raise Unauthenticated(_REVOKED)
            raise UnknownKey(_WRONG) if any(map(id_in, taken)) else Unauthenticated(_WRONG)
        vouched = self.vouch(exchange)
        if vouched:
            return self._maker(vouched)
        if vouched == "" and self.mode is Mode.BOTH:
            return OWN
        if self.mode is Mode.BOTH and self._is_own(exchange, taken):
            return OWN
        if self.open:
            self._refuse_foreign_page(exchange)
            return _OPEN
        raise Unauthenticated(_WRONG if taken else _MISSING)

    def _maker(self, name: str) -> User:
        """Return the user of a name that a token or an upload URL has."""
        if name == OPEN and self.open:
            return _OPEN
        user = self.keys.named(name)
        if user is None:
            raise Unauthenticated(_GONE)
        return user

    def _refuse_foreign_page(self, exchange: Exchange) -> None:
        origin = exchange.headers.get("Origin", "").lower()
        if origin and not {origin, "*"}.intersection(self.origins):
            raise Unauthenticated(_FOREIGN)

    def _is_own(self, exchange: Exchange, taken: list[str]) -> bool:
        """Return whether the client brings a credential of Google's, or asks what needs none.

        That is OPTIONS, with which a browser asks before it sends any credential.
        """
        if not taken:
            return exchange.method == "OPTIONS"
        own = exchange.caller
        return own is not None and is_googles(own.value.rpartition(" ")[2])

    def _go_up(self, exchange: Exchange, passed: list[str]) -> bool:
        """Return whether an access key would go up in the query, a header or the path.

        Short values there and names in the path may begin with ``gp-`` for another reason. The form
        of stored keys is enough: one that is revoked or not known yet does not go up either.
        """
        for key in passed:
            if len(key) >= _LONG and key.startswith(PREFIX):
                return True
        lengths = self.keys.lengths
        if not lengths:
            return False
        in_headers = [
            value
            for name, value in exchange.headers.items()
            if len(value) in lengths and name.lower() not in TAKEN_HEADERS
        ]
        found = (*passed, *in_headers, *in_path(exchange.path))
        if lengths.isdisjoint(map(len, found)):
            return False
        return any(map(id_in, found)) or self.keys.find_any(found, self.now()) is not None


def _expired(user: User, expires: float) -> str:
    ended = datetime.fromtimestamp(expires, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
    return f"The access key of {user.name} expired at {ended} UTC."
