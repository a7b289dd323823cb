"""Reads keys in the forms in which operators have them.

``add`` reads one key on each line of its input; ``import`` reads the forms of ``lending.listed``.
An error names the place, and never the key.
"""

from urllib.parse import quote

from yarl import URL

from gemproxy.config.arguments import Misused
from gemproxy.config.operators import key_of
from gemproxy.config.outbound import needs_socks
from gemproxy.lending.listed import bare_lines, wishes_in
from gemproxy.lending.ring import Wish
from gemproxy.pool.key import Key

_QUOTES = "\"'"
_MOST_PROBLEMS = 20


def keys_in_input(text: str, project: str, proxy: str) -> list[Key]:
    """Return the keys on standard input of ``add``. Raises Misused."""
    try:
        keys = [key_of(line.strip(_QUOTES), project, proxy) for _, line in bare_lines(text)]
    except ValueError as error:
        raise Misused(str(error)) from None
    if not keys:
        raise Misused("no key came on standard input")
    return keys


def keys_in_file(text: str) -> list[Key]:
    """Return the keys in the text of a file, also those that come twice. Raises Misused."""
    try:
        found = [(place, _read(wish)) for place, wish in wishes_in(text)]
    except ValueError as error:
        raise Misused(str(error)) from None
    keys = [one for _, one in found if isinstance(one, Key)]
    problems = [f"{place}: {one}" for place, one in found if isinstance(one, str)]
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        shown = problems[:_MOST_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        raise Misused("nothing was imported: " + "; ".join(shown))
    if not keys:
        raise Misused("there is no key in it")
    return keys


def _read(wish: Wish | str) -> Key | str:
    """Return the key of a wish, or the rest of a sentence why it is none."""
    if isinstance(wish, str):
        return wish
    try:
        return key_of(wish.secret, wish.project, wish.proxy)
    except ValueError as error:
        return str(error)


def written(key: Key) -> dict[str, str]:
    """Return a key in the form of ``export``; the proxy is as the operator wrote it."""
    document = {"key": key.secret, "project": key.project}
    return {**document, "proxy": _written_proxy(key.proxy)} if key.proxy else document


def _written_proxy(proxy: URL) -> str:
    """Return the URL of a proxy, whose user information is in the form that HTTP sends."""
    if needs_socks(proxy) or not (proxy.user or proxy.password):
        return str(proxy)
    parts = [
        quote(part.encode("latin-1"), safe="") for part in (proxy.user, proxy.password) if part
    ]
    return str(proxy.with_user(None)).replace("://", f"://{':'.join(parts)}@", 1)
