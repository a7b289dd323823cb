"""Writes header values that are not UTF-8 with their original bytes.

A value may contain any byte from 0x80 on (obs-text, RFC 9110 section 5.5): Node's fetch writes an
umlaut in a file's name as one byte. aiohttp reads such a byte as a lone surrogate (PEP 383), and
its writer silently omits it, towards the upstream and towards the client. aiohttp has no public way
to write bytes, so ``install`` wraps the function that serialises the head of a message. ASCII
passes through it unchanged.
"""

import re

from aiohttp import http_writer
from multidict import CIMultiDict

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_ascii_head = http_writer._serialize_headers  # noqa: SLF001 (the reason above)


def head(status_line: str, headers: CIMultiDict[str]) -> bytes:
    """Return the head of a message; raise ValueError for a control character in it."""
    if "".join(headers.values()).isascii():
        made: bytes = _ascii_head(status_line, headers)
        return made
    lines = [status_line, *[f"{name}: {value}" for name, value in headers.items()]]
    if any(map(_CONTROL.search, lines)):
        raise ValueError("A control character in a header would end it.")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def install() -> None:
    """Make this process write all heads with ``head``."""
    http_writer._serialize_headers = head  # noqa: SLF001 (the reason above)
