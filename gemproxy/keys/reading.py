"""Reads keys in the forms in which operators have them.

    KEY                     one on each line, a project of its own
    PROJECT KEY             also with a comma or a tab between
    KEY,KEY,...             if all of them look like Gemini keys
    NAME=KEY,KEY            a line of a file of variables
    ["KEY", ...]            JSON
    {"PROJECT": ["KEY"]}    JSON
    [{"key": "KEY", ...}]   what ``export`` prints, with the project and the proxy

A # at the beginning of a line, or behind a blank, begins a comment. A problem names its place and
never what stands there.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from yarl import URL

from gemproxy.config.arguments import Misused
from gemproxy.config.keyring import keys_of
from gemproxy.config.operators import key_of
from gemproxy.config.outbound import needs_socks
from gemproxy.exchange.credential import is_api_key
from gemproxy.pool.key import Key

_COMMENT = re.compile(r"(?:^|\s)#.*")
_VARIABLE = re.compile(r"(?:export\s+)?[A-Z][A-Z0-9_]*\s*=\s*(.*)")
_BETWEEN = re.compile(r"\s*,\s*|\s+")
_QUOTES = "\"'"
_MOST_PROBLEMS = 20
_FIELDS = {"key", "project", "proxy"}


def keys_in_input(text: str, project: str, proxy: str) -> list[Key]:
    """Return the keys on standard input of ``add``. Raises Misused."""
    try:
        keys = [key_of(secret, project, proxy) for secret in _plain(text)]
    except ValueError as error:
        raise Misused(str(error)) from None
    if not keys:
        raise Misused("no key came on standard input")
    return keys


def keys_in_file(text: str) -> list[Key]:
    """Return the keys in the text of a file, also those that come twice. Raises Misused."""
    text = text.removeprefix("\ufeff").strip()
    found = _in_json(text) if text.startswith(("[", "{")) else _in_lines(text)
    keys: list[Key] = []
    problems: list[str] = []
    for place, key in found:
        if isinstance(key, Key):
            keys.append(key)
        else:
            problems.append(f"{place}: {key!s}")
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        shown = problems[:_MOST_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        raise Misused("nothing was imported: " + "; ".join(shown))
    if not keys:
        raise Misused("there is no key in it")
    return keys


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


T = TypeVar("T")
Found = Iterator[tuple[str, Key | ValueError]]


def _plain(text: str) -> Iterable[str]:
    for line in text.splitlines():
        bare = _COMMENT.sub("", line).strip().strip(_QUOTES)
        if bare:
            yield bare


def _in_lines(text: str) -> Found:
    for number, line in enumerate(text.splitlines(), 1):
        bare = _COMMENT.sub("", line).strip()
        if bare:
            for key in _tried(_of_line, bare):
                yield f"line {number}", key


def _of_line(line: str) -> Sequence[Key]:
    variable = _VARIABLE.fullmatch(line)
    if variable is not None:
        return keys_of(variable[1].strip().strip(_QUOTES))
    words = [word.strip(_QUOTES) for word in _BETWEEN.split(line)]
    if all(map(is_api_key, words)) or len(words) == 1:
        return keys_of(words)
    if len(words) > 2:  # noqa: PLR2004 (a project and a key)
        raise ValueError("has more than a project and a key")
    return [key_of(words[1], words[0])]


def _in_json(text: str) -> Found:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Misused("it begins like JSON, and is none") from None
    items: list[tuple[str, Any]] = []
    if isinstance(document, dict):
        for number, (project, keys) in enumerate(document.items(), 1):
            listed = keys if isinstance(keys, list) else [keys]
            items += [(f"project {number}", {"project": project, "key": key}) for key in listed]
    else:
        items = [(f"item {number}", item) for number, item in enumerate(document, 1)]
    for place, item in items:
        for key in _tried(_of_item, item):
            yield place, key


def _of_item(item: object) -> Sequence[Key]:
    if isinstance(item, str):
        return [key_of(item)]
    if not isinstance(item, Mapping) or not item.keys() <= _FIELDS:
        raise ValueError("is neither a key nor an object with key, project and proxy")
    if not all(isinstance(value, str) for value in item.values()):
        raise ValueError("holds something else than text")
    return [key_of(item.get("key", ""), item.get("project", ""), item.get("proxy", ""))]


def _tried(read: Callable[[T], Sequence[Key]], source: T) -> Sequence[Key | ValueError]:
    try:
        return read(source)
    except ValueError as error:
        return [error]
