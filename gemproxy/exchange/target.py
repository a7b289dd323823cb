"""Where a request goes: its target on any base, or one URL that was given out for it.

A target is forwarded byte for byte except for the credential in its query. It is joined to the
upstream's base as text, so that nothing in it can name another host.
"""

import functools
import re
from typing import Self
from urllib.parse import unquote

import attrs
from yarl import URL

from gemproxy.core.errors import BadRequest
from gemproxy.exchange.credential import Credential, take_credential, without_identity

_UNFIT = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_WITHOUT_VERSION = ("/models/", "/tunedModels/")


@attrs.frozen
class Target:
    """The path and the query of a request; ``credential`` was in the query and is no longer."""

    path: str
    query: str = ""
    credential: Credential | None = None

    @classmethod
    def of(cls, raw_path: str, raw_query: str = "") -> Self:
        """Return what a request target in origin form asks for, given as its two parts.

        A doubled leading slash is collapsed: SDKs make it out of a base URL that ends with one.
        Raises BadRequest for a target that is not a path, climbs with ``..``, or cannot be
        written.
        """
        path = raw_path
        if not path.startswith("/") or _UNFIT.search(path) or _UNFIT.search(raw_query):
            raise BadRequest("The request target is not a path.")
        as_read = unquote(path) if "%" in path else path
        if ".." in as_read and ".." in re.split(r"[/\\]", as_read):
            raise BadRequest("The request path must not contain '..'.")
        return cls(f"/{path.lstrip('/')}", *take_credential(raw_query))

    def lent(self) -> Self:
        """Return the target for another credential than the client's own."""
        query = without_identity(self.query)
        if self.credential is None and query == self.query:
            return self
        return attrs.evolve(self, query=query, credential=None)

    def on(self, base: URL) -> URL:
        """Return the URL of the target below ``base``, whose path is put in front.

        A model without a version (litellm, whose ``api_base`` wants one at its end) gets
        ``v1beta``, unless the base has a path, which may hold it.
        """
        path = self.path
        if path.startswith(_WITHOUT_VERSION) and base.raw_path == "/":
            path = f"/v1beta{path}"
        mark = "?" if self.query else ""
        return URL(f"{_prefix(base)}{path}{mark}{self.query}", encoded=True)


@attrs.frozen
class Given:
    """A URL that the upstream gave out, with the credential that it was given for.

    ``key`` names a key of the pool in place of a credential, and ``project`` its project, where
    another key serves if that one is no longer there.
    """

    url: URL = attrs.field(repr=False)
    credential: Credential | None = None
    key: str = ""
    project: str = ""

    def lent(self) -> Self:
        """Return the same URL, in which nothing is the client's."""
        return self

    def on(self, _base: URL) -> URL:
        """Return the URL, whatever the base."""
        return self.url


@functools.lru_cache(maxsize=16)
def _prefix(base: URL) -> str:
    return f"{base.origin()}{base.raw_path.rstrip('/')}"
