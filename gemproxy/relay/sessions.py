"""Upload sessions: the upstream URL and the key of a resumable upload, sealed into a URL.

Google answers the start of an upload with a URL on its own host, and the SDKs send the rest of the
file there, google-genai without any credential. To receive the rest, the proxy gives the client a
URL of its own, in which ``upload_id`` is a session: Google's URL and the client's credential,
encrypted and authenticated. A session cannot be guessed, read, or changed to lead elsewhere.

An upload that began with a key of the pool has the *name* of that key in place of a credential,
its project, and the access key of its client by name. The pieces are let in by that (``maker_of``),
go up with a key of that project, and the file is the access key's.

A session is a token and not an entry of a table, so every worker with the key can continue an
upload that another one began, and no table has to be limited or cleaned. The format is Fernet:
AES-128-CBC and HMAC-SHA256 with the time of sealing inside, a recipe without a nonce or a mode to
choose wrongly. The key is made at every start, so a restart ends the current uploads.

The token is in the query, which is never logged.
"""

import json
from urllib.parse import unquote

import attrs
from cryptography.fernet import Fernet, InvalidToken
from multidict import CIMultiDict
from yarl import URL

from gemproxy.exchange.credential import Credential, without_credential
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.leases import Lease
from gemproxy.relay.redirects import belongs_to, resolved

LIFETIME = 48 * 3600
"""Seconds for which a session is valid: as long as Gemini keeps a file."""

UPLOAD_ID = "upload_id"
UPLOAD_HEADERS = ("X-Goog-Upload-URL", "X-Goog-Upload-Control-URL", "Location")
"""The headers of an answer that may contain the URL of the rest of an upload."""

_MARK = "gemproxy-"


class UnknownSession(Exception):
    """The id is not a session, or one that expired or was sealed before the last start."""


@attrs.frozen
class UploadSession:
    """The upstream URL of an upload, and whose key it goes on with.

    ``credential`` is that of a client with its own Gemini key. ``access`` is the name of the access
    key of any other one, ``key`` and ``project`` name the key of the pool that began the upload.
    """

    url: URL = attrs.field(repr=False)
    credential: Credential | None = None
    access: str = ""
    key: str = ""
    project: str = ""


@attrs.frozen(eq=False)
class UploadSessions:
    """Seals sessions into tokens and opens them again; ``key`` comes from ``new_key``."""

    _fernet: Fernet = attrs.field(alias="key", converter=Fernet, repr=False)

    def seal(self, session: UploadSession) -> str:
        """Return ``session`` sealed as an ``upload_id``."""
        sent = session.credential
        credential = None if sent is None else (sent.header, sent.value)
        parts = [str(session.url), credential, session.access, session.key, session.project]
        token = self._fernet.encrypt(json.dumps(parts).encode()).decode("ascii")
        return _MARK + token.rstrip("=")

    def open(self, upload_id: str) -> UploadSession:
        """Return the session in ``upload_id``; raise UnknownSession."""
        token = upload_id.removeprefix(_MARK)
        try:
            opened = self._fernet.decrypt(token + "=" * (-len(token) % 4), ttl=LIFETIME)
        except (InvalidToken, ValueError):
            raise UnknownSession from None
        url, sent, *names = json.loads(opened)
        return UploadSession(URL(url, encoded=True), Credential(*sent) if sent else None, *names)

    def maker_of(self, exchange: Exchange) -> str | None:
        """Return the access key that began the upload to whose URL a request goes, by name.

        Empty for a client with its own Gemini key, None for no session of ours.
        """
        if "/upload/" not in exchange.path:
            return None
        try:
            return self.open(upload_id_in(exchange.raw_query)).access
        except UnknownSession:
            return None

    def translate(
        self, headers: CIMultiDict[str], *, asked: URL, lease: Lease, access: str, client_url: str
    ) -> None:
        """Replace the URLs of an upload in the headers of an answer.

        ``asked`` is the requested URL, ``lease`` that of the request, and ``access`` the access key
        of its client, by name. ``client_url`` is the client's URL without its query. A URL of
        another host only loses its credential.
        """
        for name in UPLOAD_HEADERS:
            location = headers.get(name)
            if location is None:
                continue
            url = resolved(asked, location)
            if url is None or not belongs_to(lease.base, url):
                headers[name] = without_credential(location)
                continue
            goal = URL(without_credential(str(url)), encoded=True)
            session = _session(goal, lease, access)
            headers[name] = f"{client_url}?{_with_upload_id(goal, self.seal(session))}"


def _session(goal: URL, lease: Lease, access: str) -> UploadSession:
    """Return the session for the rest of an upload; only the upstream's origin gets a key."""
    own = goal.origin() == lease.base.origin()
    if access:
        return UploadSession(goal, None, access, lease.key if own else "", lease.project)
    return UploadSession(goal, lease.credential if own else None)


def upload_id_in(raw_query: str) -> str:
    """Return the upload_id in a query as it came; empty if there is none."""
    pairs = (pair.partition("=") for pair in raw_query.split("&"))
    return next((unquote(value) for name, _, value in pairs if unquote(name) == UPLOAD_ID), "")


def new_key() -> bytes:
    """Return a key for UploadSessions."""
    return Fernet.generate_key()


def is_session(upload_id: str) -> bool:
    """Return whether an id is one of our sessions and not one of Google's own."""
    return upload_id.startswith(_MARK)


def _with_upload_id(url: URL, token: str) -> str:
    """Return the query of ``url`` with another upload_id, which comes first."""
    pairs = [pair for pair in url.raw_query_string.split("&") if pair]
    others = [pair for pair in pairs if unquote(pair.partition("=")[0]) != UPLOAD_ID]
    return "&".join([f"{UPLOAD_ID}={token}", *others])
