"""Writes the head of a request to the upstream.

Headers of a client go into it, so its grammar is checked here whatever was checked before (RFC 9112
sections 3 and 5): one line break in a name, a value or the target would begin a header of the
client's choice, or a second request. A value may have bytes beyond ASCII (obs-text, RFC 9110
section 5.5); a lone surrogate stands for one that is not UTF-8 and is written as that byte, as in
``relay.octets``. Names, target and host have none.

What frames the request is written here alone. A header of that name among the given ones would be
read differently by different servers, so it is refused, and so is a credential for a proxy.
"""

import re
from collections.abc import Mapping

from multidict import CIMultiDict

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_NAMES = re.compile(rf"{_NAME}(?:\n{_NAME})*")
_VISIBLE = re.compile(r"[!-~]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = ("Host", "Content-Length", "Transfer-Encoding", "Proxy-Authorization")


def request_head(
    method: str, target: str, host: str, headers: CIMultiDict[str], own: Mapping[str, str]
) -> bytes:
    """Return the head of a request, its Host first.

    ``own`` are the headers behind the given ones: the length of the body, and the credential for
    the HTTP proxy that reads this head. Raises ValueError, whose text has nothing of the request,
    for what would not be read as it is meant.
    """
    if not _VISIBLE.fullmatch(target) or not _VISIBLE.fullmatch(host):
        raise ValueError("The target of a request is visible ASCII.")
    for name in _OURS:
        if name in headers:
            raise ValueError("A header that frames the request is not given from outside.")
    items = [*headers.items(), *own.items()]
    names = "\n".join([method, *[name for name, _ in items]])
    if not _NAMES.fullmatch(names) or names.count("\n") != len(items):
        raise ValueError("The name of a header is no token.")
    if _CONTROL.search("".join([value for _, value in items])):
        raise ValueError("A control character in a header would end it.")
    lines = [f"{name}: {value}" for name, value in items]
    head = "\r\n".join([f"{method} {target} HTTP/1.1\r\nHost: {host}", *lines, "\r\n"])
    return head.encode("utf-8", "surrogateescape")
