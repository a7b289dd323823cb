"""Lists of keys in the forms in which operators have them.

    KEY                     one on each line, a project of its own
    PROJECT KEY             also with a comma or a tab between
    KEY,KEY,...             if all of them look like Gemini keys
    NAME=KEY,KEY            a line of a file of variables
    ["KEY", ...]            JSON
    {"PROJECT": ["KEY"]}    JSON
    [{"key": "KEY", ...}]   what ``gemproxy keys export`` prints, with the project and the proxy

A # at the beginning of a line, or behind a blank, begins a comment. Only the form is read here:
``Ring.read`` says whether a text can be a key.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gemproxy.exchange.credential import is_api_key
from gemproxy.lending.ring import Wish

Found = Iterator[tuple[str, Wish | str]]
"""Places, such as ``line 3``, with the wish there, or the rest of a sentence why there is none."""

_COMMENT = re.compile(r"(?:^|\s)#.*")
_VARIABLE = re.compile(r"(?:export\s+)?[A-Z][A-Z0-9_]*\s*=\s*(.*)")
_BETWEEN = re.compile(r"\s*,\s*|\s+")
_QUOTES = "\"'"
_FIELDS = {"key", "project", "proxy"}
_NO_KEY = "is neither a key nor an object with key, project and proxy"
_NO_TEXT = "holds something else than text"


def wishes_in(text: str) -> Found:
    """Yield the keys in a text. Raises ValueError, with a sentence, for broken JSON."""
    text = text.removeprefix("\ufeff")
    return _in_json(text) if text.lstrip().startswith(("[", "{")) else _in_lines(text)


def bare_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold something, by number, without their comments."""
    for number, line in enumerate(text.splitlines(), 1):
        bare = _COMMENT.sub("", line).strip()
        if bare:
            yield number, bare


def _in_lines(text: str) -> Found:
    for number, bare in bare_lines(text):
        for one in _of_line(bare):
            yield f"line {number}", one


def _of_line(line: str) -> Sequence[Wish | str]:
    variable = _VARIABLE.fullmatch(line)
    if variable is not None:
        return _of_variable(variable[1].strip().strip(_QUOTES))
    words = [word.strip(_QUOTES) for word in _BETWEEN.split(line)]
    if all(map(is_api_key, words)) or len(words) == 1:
        return [Wish(word) for word in words]
    if len(words) > 2:  # noqa: PLR2004 (a project and a key)
        return ["has more than a project and a key"]
    return [Wish(words[1], words[0])]


def _of_variable(value: str) -> Sequence[Wish | str]:
    if not value.startswith("["):
        return [Wish(word.strip()) for word in value.split(",") if word.strip()]
    try:
        listed = json.loads(value)
    except (ValueError, RecursionError):
        return ["begins like JSON, and is none"]
    return [Wish(one) if isinstance(one, str) else _NO_TEXT for one in listed]


def _in_json(text: str) -> Found:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it begins like JSON, and is none") from None
    if not isinstance(document, dict):
        return ((f"item {number}", _of_item(item)) for number, item in enumerate(document, 1))
    items: list[tuple[str, Any]] = []
    for number, (project, keys) in enumerate(document.items(), 1):
        listed = keys if isinstance(keys, list) else [keys]
        items += [(f"project {number}", {"project": project, "key": key}) for key in listed]
    return ((place, _of_item(item)) for place, item in items)


def _of_item(item: object) -> Wish | str:
    if isinstance(item, str):
        return Wish(item)
    if not isinstance(item, Mapping) or not item.keys() <= _FIELDS:
        return _NO_KEY
    if not all(isinstance(value, str) for value in item.values()):
        return _NO_TEXT
    return Wish(item.get("key", ""), item.get("project", ""), item.get("proxy", ""))
