"""Header values that are not UTF-8, written as the bytes that they came as.

A value may hold any byte from 0x80 on (obs-text, RFC 9110 section 5.5): Node's fetch writes an
umlaut in a file's name as one byte. aiohttp reads such a byte as a lone surrogate (PEP 383), and
its writer leaves that out without a word, towards the upstream and towards the client. There is
no public way to write bytes, so ``install`` puts a function around the one that makes bytes of a
message's head. What is ASCII goes through it untouched.
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
    """Have this process write all heads by ``head``."""
    http_writer._serialize_headers = head  # noqa: SLF001 (the reason above)
