"""The operator's keys of all sources, and the mode that follows from them.

Unlike other settings, keys of several sources count together: those of ``pool.keys``, those of
``pool.projects``, and those in the plain variables below, of ``.env`` and of the environment. The
variables are the ones that other Gemini proxies and Google's SDKs use. A key that comes twice
counts once, by its first place. A key in a project belongs to it; any other is a project of its
own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from gemproxy.config.keyring import keys_of, projects_of
from gemproxy.config.outbound import proxy_of_key
from gemproxy.exchange.credential import is_api_key
from gemproxy.pool.key import Key

if TYPE_CHECKING:
    from gemproxy.config.settings import Settings

VARIABLE = re.compile(r"(?:GEMINI_API_KEYS?(?:_(?P<number>\d{1,4}))?|GOOGLE_API_KEY|API_KEYS)")
"""The plain variables with keys; each may have ``_FILE`` behind it, and names a file then."""

OF_SDKS = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
"""Variables that many machines have for Google's SDKs, whether or not they run gemproxy."""

_FILE = "_FILE"
_ONE_KEY = re.compile(r"GEMINI_API_KEY(?:_\d+)?|GOOGLE_API_KEY")


def operators_keys(settings: "Settings") -> tuple[Key, ...]:
    """Return the keys of the settings, each with its project, its origin and its proxy."""
    pool = settings.pool
    keys = {key.secret: key for project in pool.projects.values() for key in project}
    for key in pool.keys:
        keys.setdefault(key.secret, key)
    return tuple(with_proxy(key, pool.proxies) for key in keys.values())


def key_of(secret: str, project: str = "", proxy: str = "") -> Key:
    """Return the key that an operator gives; raise ValueError, with a sentence, if it is none."""
    if not project:
        keys = keys_of([secret])
    elif is_api_key(project):
        raise ValueError("has a key in the place of a project")
    else:
        keys = projects_of({project: [secret]})[project]
    if not keys:
        raise ValueError("has an empty key")
    return attrs.evolve(keys[0], proxy=proxy_of_key(proxy) if proxy else None)


def with_proxy(key: Key, proxies: Mapping[str, str]) -> Key:
    """Return a key with the outbound proxy of its project, if ``proxies`` has one."""
    url = proxies.get(key.project)
    return key if url is None else attrs.evolve(key, proxy=proxy_of_key(url))


def with_stored(
    keys: Iterable[Key], stored: Iterable[Key], proxies: Mapping[str, str]
) -> tuple[Key, ...]:
    """Return the keys of the settings, then those of the data directory that are others.

    ``proxies`` are those of projects; a stored key may have its own.
    """
    found = {key.secret: key for key in keys}
    for key in stored:
        found.setdefault(key.secret, key if key.proxy else with_proxy(key, proxies))
    return tuple(found.values())


def mode_of(settings: "Settings", *, stored: bool) -> str:
    """Return who brings the key: passthrough, pool or both.

    ``stored``: whether the data directory has keys, too.
    """
    pool = settings.pool
    return pool.mode or ("pool" if pool.keys or pool.projects or stored else "passthrough")


def keeps_a_ledger(settings: "Settings", *, pooled: bool) -> bool:
    """Return whether requests are written down."""
    if settings.ledger.enabled is not None:
        return settings.ledger.enabled
    elsewhere = settings.server.data_dir != attrs.fields(type(settings.server)).data_dir.default
    return pooled or elsewhere or bool(settings.ledger.database_url)


def variables_with_keys(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the plain variables that have a value, with a raw value as settings have it."""
    found = [(name, match) for name in variables if (match := _variable(name))]
    for name, _ in sorted(found, key=lambda pair: _order(*pair)):
        if variables[name].strip():
            named = name.endswith(_FILE)
            yield name, f"file://{variables[name].strip()}" if named else variables[name]


def keys_in(name: str, text: object) -> tuple[Key, ...]:
    """Return the keys in the variable ``name``. Raises ValueError."""
    if isinstance(text, str) and _ONE_KEY.fullmatch(name.removesuffix(_FILE)):
        text = text.strip()
        if "\n" in text or "\r" in text:
            raise ValueError("holds a line end inside of a key")
    return keys_of(text)


def origins_of(keys: Iterable[Key]) -> str:
    """Return the places of keys as one text."""
    return ", ".join(dict.fromkeys(key.origin for key in keys))


def _variable(name: str) -> re.Match[str] | None:
    return VARIABLE.fullmatch(name.removesuffix(_FILE))


def _order(name: str, match: re.Match[str]) -> tuple[str, int]:
    number = match["number"]
    return name.removesuffix(_FILE).rstrip("0123456789"), int(number or 0)
