"""Follows redirects of downloads inside the proxy.

Google answers some downloads with a redirect to its storage. A client whose base URL is the proxy
may not reach it, so the redirect of a GET or a HEAD is followed here, including ``Range`` and
conditions. The allowed targets are those to which a Gemini API is documented to send its clients:
the upstream's own origin, and by https the hosts below googleapis.com. Names below
googleusercontent.com also belong to virtual machines of anyone. Any other redirect goes to the
client unchanged.

The credential stays with the upstream's origin. Only an allow-list of headers goes to another
origin, because the others are meant for the upstream, and because a signed storage URL fails with
unsigned ``x-goog-*`` headers.
"""

import re
from collections.abc import Mapping

import attrs
from multidict import CIMultiDict
from yarl import URL

MOST_HOPS = 5
FOLLOWED = frozenset({"GET", "HEAD"})
"""The methods for which a redirect may be followed."""

_URL = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without the backslash, which some parsers read as a slash."""

_STATUSES = frozenset({301, 302, 303, 307, 308})
_GOOGLE = ".googleapis.com"
_FOR_ANY_ORIGIN = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "user-agent",
    }
)


@attrs.frozen
class Hop:
    """One request on the way to an answer: its URL, and its headers with the credential.

    ``proxy`` is the outbound proxy that the whole way takes; None for the one of all requests.
    """

    url: URL
    headers: CIMultiDict[str] = attrs.field(repr=False)
    proxy: URL | None = attrs.field(default=None, repr=False)

    def onward(self, base: URL, location: str) -> "Hop | None":
        """Return the request for ``location``, or None if it is not allowed.

        ``base`` is the upstream's base URL.
        """
        url = resolved(self.url, location)
        if url is None or not belongs_to(base, url):
            return None
        if url.origin() == self.url.origin():
            return Hop(url, self.headers, self.proxy)
        kept = [item for item in self.headers.items() if item[0].lower() in _FOR_ANY_ORIGIN]
        return Hop(url, CIMultiDict(kept), self.proxy)


def resolved(url: URL, location: str) -> URL | None:
    """Return ``location`` in an answer of ``url`` as an absolute URL; None if it is invalid."""
    if not _URL.fullmatch(location):
        return None
    try:
        found = url.join(URL(location, encoded=True)).with_fragment(None)
        usable = found.scheme in {"http", "https"} and found.host and found.user is None
    except ValueError:
        return None
    return found if usable else None


def belongs_to(base: URL, url: URL) -> bool:
    """Return whether ``url`` is at the upstream's origin, or at a Google host by https."""
    if url.origin() == base.origin():
        return True
    host = (url.host or "").lower()
    return url.scheme == "https" and url.port == 443 and host.endswith(_GOOGLE)  # noqa: PLR2004 (https's own port)


def redirected(base: URL, hop: Hop, status: int, headers: Mapping[str, str]) -> Hop | None:
    """Return the request that follows an answer to ``hop``, None if there is none.

    ``base`` is the upstream's base URL.
    """
    location = headers.get("Location") if status in _STATUSES else None
    return hop.onward(base, location) if location else None
