"""The proxy on the way out: from the settings or from the environment.

A key of the pool may have a proxy of its own, which may also speak SOCKS; the one of all requests
speaks HTTP.

The variables are those of curl: HTTPS_PROXY or HTTP_PROXY by the upstream's scheme, then
ALL_PROXY, each in lower case first, unless NO_PROXY names the upstream. Commas or blanks separate
its entries. An entry is ``*``, a host, a domain with or without a dot or ``*.`` before it, an
address, or a network such as ``10.0.0.0/8``; all but a network may have a port. Names are not
resolved, so an address matches only an upstream that is written as an address.

The user's name and password are sent as the bytes that their percent-encoding represents, and other
characters as UTF-8 (RFC 7617 section 2.1; curl does the same). aiohttp would encode them in
Latin-1, which lacks most characters, and fail with each request.
"""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from yarl import URL

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>\d{1,5}))?")


SOCKS = frozenset({"socks5", "socks5h"})
_SOCKS_PORT = 1080


class UnusableProxy(ValueError):
    """The proxy cannot be used; the message is for people and contains no secret."""


def resolve_proxy(setting: str, upstream: URL, environ: Mapping[str, str]) -> URL | None:
    """Return the HTTP proxy on the way to ``upstream``, or None for a direct connection.

    ``setting`` is a proxy URL, "" for none, or "env" to follow ``environ``. The user information
    of the URL is encoded as aiohttp needs it. Raises UnusableProxy.
    """
    name, url = ("the proxy", setting)
    if setting == "env":
        name, url = _of_environment(upstream, environ)
    url = url.strip()
    return _usable(name, url if "://" in url else f"http://{url}") if url else None


def needs_socks(url: str | URL) -> bool:
    """Return whether a proxy speaks SOCKS, for which the extra ``socks`` is needed."""
    return URL(url).scheme in SOCKS


def proxy_of_key(url: str) -> URL:
    """Return the outbound proxy of a key. Raises UnusableProxy.

    With ``socks5h`` the proxy resolves the names of hosts. The user information of a SOCKS proxy
    stays percent-encoded.
    """
    if url.partition("://")[0].lower() not in SOCKS:
        return _usable("the proxy", url)
    try:
        proxy = URL(url)
        usable = bool(proxy.host)
    except ValueError:
        usable = False
    if not usable:
        raise UnusableProxy(
            "the proxy is no URL of a SOCKS proxy, such as socks5://proxy.example:1080"
        )
    return proxy if proxy.port is not None else proxy.with_port(_SOCKS_PORT)


def _of_environment(upstream: URL, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and value of the variable to use; two empty strings if none is set."""

    def found(name: str) -> tuple[str, str]:
        return next(((key, environ[key]) for key in (name, name.upper()) if environ.get(key)), none)

    none = ("", "")
    if any(_names(entry, upstream) for entry in re.split(r"[\s,]+", found("no_proxy")[1]) if entry):
        return none
    own = found(f"{upstream.scheme}_proxy")
    return own if own[1] else found("all_proxy")


def _usable(name: str, url: str) -> URL:
    scheme = url.partition("://")[0].lower()
    if scheme not in {"http", "https"}:
        shown = scheme if re.fullmatch(r"[a-z0-9+.-]{1,20}", scheme) else "another"
        raise UnusableProxy(
            f"{name} speaks {shown}; it must be an http:// URL or an https:// one: gemproxy goes"
            " out through HTTP proxies only"
        )
    try:
        proxy = URL(url)
        usable = bool(proxy.host) and proxy.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise UnusableProxy(f"{name} is no URL of a proxy, such as http://proxy.example:3128")
    user, password = _octets(proxy.raw_user), _octets(proxy.raw_password)
    if user is not None and ":" in user:
        raise UnusableProxy(f"{name} has a colon in its user's name, which HTTP cannot tell")
    return proxy.with_user(user).with_password(password) if user or password else proxy


def _octets(raw: str | None) -> str | None:
    """Decode percent-encoded text to one character per byte, which aiohttp encodes in Latin-1."""
    return None if raw is None else unquote_to_bytes(raw).decode("latin-1")


def _names(entry: str, upstream: URL) -> bool:
    """Return whether an entry of NO_PROXY matches ``upstream``."""
    if entry == "*":
        return True
    found = _WITH_PORT.fullmatch(entry)
    host, port = (found["host"], found["port"]) if found else (entry, None)
    if port is not None and int(port) != upstream.port:
        return False
    host = host.replace("[", "").replace("]", "")
    address = _network(upstream.host or "")
    if address is not None:
        network = _network(host)
        return network is not None and address.network_address in network
    domain = _ascii(host.removeprefix("*").strip("."))
    name = (upstream.raw_host or "").lower().rstrip(".")
    return bool(domain) and f".{name}".endswith(f".{domain}")


def _network(text: str) -> Network | None:
    """Return an address or a network; an IPv4 address in IPv6's form becomes IPv4."""
    try:
        network = ipaddress.ip_network(text.partition("%")[0], strict=False)
    except ValueError:
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ipaddress.ip_network(mapped) if mapped and network.num_addresses == 1 else network


def _ascii(domain: str) -> str:
    """Return a host name as URLs have it; "" for an invalid name."""
    try:
        return (URL.build(scheme="http", host=domain).raw_host or "").lower()
    except ValueError:
        return ""
