"""Upload sessions: the way on for a resumable upload, sealed into its own URL.

Google answers the start of an upload with a URL on its own host, and the SDKs send the rest
of the file there, google-genai without any credential. So that the rest comes through the
proxy too, the client gets a URL of ours, in which ``upload_id`` is a session: Google's URL
and the client's credential, encrypted and authenticated. Nobody can guess one, read one, or
make one that leads elsewhere.

A token and no table, because then every worker that has the key can go on with an upload
that another one began, and nothing has to be bounded or swept. The form is Fernet's:
AES-128-CBC and HMAC-SHA256 with the time of sealing inside, a recipe without a nonce or a
mode to choose wrongly. The key is made at every start, so a restart ends the uploads that
are under way.

The token stands in the query, which no log line ever holds.
"""

import json
from urllib.parse import unquote

import attrs
from cryptography.fernet import Fernet, InvalidToken
from multidict import CIMultiDict
from yarl import URL

from gemproxy.exchange.credential import Credential, without_credential
from gemproxy.relay.redirects import belongs_to, resolved

LIFETIME = 48 * 3600
"""Seconds that a session can be used: as long as Gemini keeps a file."""

UPLOAD_ID = "upload_id"
UPLOAD_HEADERS = ("X-Goog-Upload-URL", "X-Goog-Upload-Control-URL", "Location")
"""The headers of an answer that may hold the URL by which an upload goes on."""

_MARK = "gemproxy-"


class UnknownSession(Exception):
    """This is no session, or one that has expired or was sealed before the last start."""


@attrs.frozen
class UploadSession:
    """Where an upload goes on upstream, and the credential of the client that began it."""

    url: URL = attrs.field(repr=False)
    credential: Credential | None = None


@attrs.frozen(eq=False)
class UploadSessions:
    """Seals sessions into tokens and opens them again; ``key`` comes from ``new_key``."""

    _fernet: Fernet = attrs.field(alias="key", converter=Fernet, repr=False)

    def seal(self, session: UploadSession) -> str:
        """Return the ``upload_id`` that stands for ``session``."""
        sent = session.credential
        parts = [str(session.url), *((sent.header, sent.value) if sent else ())]
        token = self._fernet.encrypt(json.dumps(parts).encode()).decode("ascii")
        return _MARK + token.rstrip("=")

    def open(self, upload_id: str) -> UploadSession:
        """Return the session in ``upload_id``; raise UnknownSession."""
        token = upload_id.removeprefix(_MARK)
        try:
            opened = self._fernet.decrypt(token + "=" * (-len(token) % 4), ttl=LIFETIME)
        except (InvalidToken, ValueError):
            raise UnknownSession from None
        url, *credential = json.loads(opened)
        return UploadSession(
            URL(url, encoded=True), Credential(*credential) if credential else None
        )

    def translate(
        self,
        headers: CIMultiDict[str],
        *,
        base: URL,
        asked: URL,
        sent: Credential | None,
        client_url: str,
    ) -> None:
        """Replace, in the headers of an answer, the URLs by which its upload goes on.

        ``base`` is the upstream's base URL, ``asked`` the URL that was answered, with the
        credential ``sent``. ``client_url`` is the URL, without its query, by which the client
        asked us. A URL that is not Google's is left as it is but for its credential.
        """
        for name in UPLOAD_HEADERS:
            location = headers.get(name)
            if location is None:
                continue
            url = resolved(asked, location)
            if url is None or not belongs_to(base, url):
                headers[name] = without_credential(location)
                continue
            goal = URL(without_credential(str(url)), encoded=True)
            credential = sent if url.origin() == base.origin() else None
            session = UploadSession(goal, credential)
            headers[name] = f"{client_url}?{_with_upload_id(goal, self.seal(session))}"


def new_key() -> bytes:
    """Return a key for UploadSessions."""
    return Fernet.generate_key()


def is_session(upload_id: str) -> bool:
    """Tell our sessions from Google's own ids."""
    return upload_id.startswith(_MARK)


def _with_upload_id(url: URL, token: str) -> str:
    """Return the query of ``url`` with another upload_id, which comes first."""
    pairs = [pair for pair in url.raw_query_string.split("&") if pair]
    others = [pair for pair in pairs if unquote(pair.partition("=")[0]) != UPLOAD_ID]
    return "&".join([f"{UPLOAD_ID}={token}", *others])
