"""Which parser reads requests: aiohttp's in C, or the one in Python.

The latter is used if the extension is missing or AIOHTTP_NO_EXTENSIONS is set. It has allowed
request smuggling (CVE-2023-47627, CVE-2025-69224) and is slow, so the proxy does not serve with it.
"""

from aiohttp.http import HttpRequestParser
from aiohttp.http_parser import HttpRequestParserPy

NO_PARSER = (
    "gemproxy serves with aiohttp's parser in C only: unset AIOHTTP_NO_EXTENSIONS, or install a"
    " build of aiohttp that has its extensions"
)


def parses_in_c() -> bool:
    """Return whether aiohttp parses requests with its C extension."""
    return HttpRequestParser is not HttpRequestParserPy
