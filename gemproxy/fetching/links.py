"""Which URLs may be asked for a picture, as far as the URL itself says so.

The host is a name of the public DNS or an IP address in its one usual form. Decimal, octal,
hexadecimal and shortened spellings of IPv4 addresses are refused: a host whose last label is a
number is an address (https://url.spec.whatwg.org/#host-parsing), and libraries disagree about which
one. Addresses themselves are judged where a connection is made (``guard``), so a name can resolve
to nothing that this module would have refused.
"""

import ipaddress
import re

import attrs
from yarl import URL

from gemproxy.fetching.addresses import is_public

_VISIBLE = re.compile(r"[!-\[\]-~\x80-\U0010ffff]+")
"""No white space, no control characters, and no backslash, which some parsers read as a slash."""
_AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\d+|0[xX][0-9a-fA-F]*)")
_PLAIN_NAME = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)+"
)
_INNER = frozenset(
    {"arpa", "home", "internal", "intranet", "lan", "local", "localdomain", "localhost", "test"}
)
"""Last labels of names that the public DNS has no web servers for (RFC 6761, 6762, 8375; ICANN's
``internal``); metadata.google.internal is one."""
_LONGEST = 8192


class Refused(ValueError):
    """A URL may not be asked; the message is the rest of a sentence about it, for its author."""


@attrs.frozen
class Rules:
    """What may be asked. The defaults are for the public; the tests ask their own servers.

    ``ports``: a URL with another port is refused, so that nobody can scan ports from here.
    """

    ports: frozenset[int] = frozenset({80, 443})
    addresses: frozenset[str] = frozenset()

    def permits(self, address: str) -> bool:
        """Return whether a connection to this IP address may be made."""
        return is_public(address) or address in self.addresses

    def checked(self, text: str) -> URL:
        """Return a URL that may be asked, as far as it says so itself. Raises Refused."""
        if len(text) > _LONGEST or not _VISIBLE.fullmatch(text):
            raise Refused("must be a URL without spaces, of at most 8192 characters")
        authority = _AUTHORITY.match(text)
        if authority is None:
            raise Refused("must be an http or https URL")
        if "@" in authority[1]:
            raise Refused("must have no user name or password")
        try:
            url = parsed(text)
            host, port = url.raw_host, url.port
        except ValueError:
            raise Refused("must be a valid URL") from None
        if port not in self.ports:
            raise Refused("must have the usual port of http or https")
        if not host or not self._is_public_host(host):
            raise Refused("must have a host on the public Internet")
        return url.with_fragment(None)

    def _is_public_host(self, host: str) -> bool:
        if ":" in host:
            return self.permits(host)
        name = host.lower().removesuffix(".")
        last = name.rpartition(".")[2]
        if _NUMBER.fullmatch(last):
            return _is_usual(name) and self.permits(name)
        return bool(_PLAIN_NAME.fullmatch(name)) and last not in _INNER


def parsed(text: str) -> URL:
    """Return a URL as it is written: a signature in it may count each escape.

    Raises ValueError. A URL with letters beyond ASCII gets the escapes that it lacks.
    """
    return URL(text, encoded=text.isascii())


def _is_usual(host: str) -> bool:
    """Return whether ``host`` is four decimal numbers without leading zeros."""
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False
