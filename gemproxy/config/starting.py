"""Refuses a start at which everybody could spend the operator's keys, or nobody could be served.

The rules are about settings that are valid one by one. Values that are not valid are reported
already, and absent here, except for the lists of keys, which hold the valid ones. A key is named by
its fingerprint, an access key by its name.
"""

import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import combinations
from typing import Any

import attrs

from gemproxy.config.administration import admin_problems
from gemproxy.config.outbound import UnusableProxy, needs_socks, proxy_of_key
from gemproxy.config.pictures import picture_problems
from gemproxy.config.reach import is_loopback
from gemproxy.config.sources import problem
from gemproxy.config.strength import ADVICE, LEAST, weakness
from gemproxy.exchange.credential import is_api_key
from gemproxy.pool.key import Key

SHARED = "password"
"""The name of the access key in ``access.password``."""

OPEN = "open"
"""The name of everybody where the pool is open."""

_SOCKS = "aiohttp_socks"
_OTEL = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_FEW = 10
_GUARDS = ("access.keys", "access.password")

Values = Mapping[str, Any]
Origins = Mapping[str, str]


@attrs.frozen
class StoredUsers:
    """The users in the database: whether there are any, and the names of those with limits."""

    any: bool = False
    limited: Sequence[str] = ()


def access_keys(keys: Mapping[str, str], password: str) -> dict[str, str]:
    """Return name -> access key of all access keys."""
    return {**keys, **({SHARED: password} if password else {})}


def start_problems(
    values: Values,
    origins: Origins,
    stored: Collection[str],
    users: Callable[[], StoredUsers],
    *,
    unsure: bool = False,
) -> Iterator[str]:
    """Yield the problems of a start; ``stored`` are the projects of the keys in the directory.

    ``users`` finds the stored users, and is called at most once, where they matter. ``unsure``:
    there are further keys, which have problems of their own.
    """
    users = functools.cache(users)
    keys = unsure or stored or values["pool.keys"] or values["pool.projects"]
    mode = values.get("pool.mode") or ("pool" if keys else "passthrough")
    if mode != "passthrough":
        yield from _named_projects(values, origins, stored)
    yield from _public(mode, values, origins)
    if mode != "passthrough":
        yield from _pool(mode, values, origins, users, any_key=bool(keys))
    if values.get("pool.mode") != "passthrough":
        yield from _strength(values, origins)
    yield from _access(values, origins)
    given = [key for _, _, key in _each_access_key(values)]
    yield from admin_problems(values, origins, given, _pool_keys(values))
    yield from picture_problems(values, origins)
    yield from _tracing(values, origins)
    yield from _self_ping(values, origins)
    if values.get("resume.enabled") and values.get("server.workers", 1) > 1:
        why = (
            f"{values['server.workers']} workers do not share what they keep, and a client would "
            "come back to one that does not have its answer. Set server.workers to 1, or this to "
            "false"
        )
        yield problem("resume.enabled", why, origins["resume.enabled"])
    if values.get("server.workers", 1) > 1:
        yield from _in_memory(values, origins, StoredUsers() if mode == "passthrough" else users())


def _self_ping(values: Values, origins: Origins) -> Iterator[str]:
    path = "server.self_ping_seconds"
    if values.get(path) and not (
        values.get("server.public_url") or values.get("server.self_ping_url")
    ):
        why = "the proxy does not know where it is called: set server.public_url"
        yield problem(path, why, origins[path])


def _tracing(values: Values, origins: Origins) -> Iterator[str]:
    if values.get("tracing.enabled") and not all(map(_is_installed, _OTEL)):
        why = "needs OpenTelemetry: pip install 'gemproxy[otel]'"
        yield problem("tracing.enabled", why, origins["tracing.enabled"])


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package around it
        return False


def _in_memory(values: Values, origins: Origins, users: StoredUsers) -> Iterator[str]:
    """Yield the limits of a start with several processes, each of which would count alone."""
    why = (
        "each process counts its limits alone, so {} workers would let more in. Set server.workers "
        "to 1"
    ).format(values["server.workers"])
    for path in ("access.requests_per_minute", "access.requests_per_day_per_ip"):
        if values.get(path):
            yield problem(path, f"{why}, or this limit to 0", origins[path])
    if users.limited:
        have = "has" if len(users.limited) == 1 else "have"
        who = f"{_list(users.limited)} {have} limits"
        yield problem("server.workers", f"{who}, and {why}", origins["server.workers"])


def pool_problems(values: Values, origins: Origins) -> Iterator[str]:
    """Yield the problems of projects, which concern a command that manages keys too."""
    yield from _projects(values, origins)
    yield from _proxies(values, origins)


def _public(mode: str, values: Values, origins: Origins) -> Iterator[str]:
    host = values.get("server.host", "localhost")
    if is_loopback(host):
        return
    if mode != "pool" and not values.get("server.allow_passthrough_keys", True):
        yield problem(
            "server.host",
            f"{host!r} lets other machines in, and gemproxy would serve whoever reaches it. "
            "Listen on 127.0.0.1, or set server.allow_passthrough_keys to true to confirm "
            "that every client brings its own Gemini key",
            origins["server.host"],
        )
    if values.get("pool.open"):
        yield problem(
            "pool.open",
            f"an open pool may listen on 127.0.0.1 only, and {host!r} lets other machines in. "
            "Give each of them an access key in access.keys",
            origins["pool.open"],
        )


def _pool(
    mode: str,
    values: Values,
    origins: Origins,
    users: Callable[[], StoredUsers],
    *,
    any_key: bool,
) -> Iterator[str]:
    if not any_key:
        yield problem(
            "pool.mode",
            f"{mode!r} needs a Gemini key, and there is none: set GEMINI_API_KEYS or pool.keys, "
            "or add one with gemproxy keys add",
            origins["pool.mode"],
        )
    elif (
        not any(values.get(path, "unsure") for path in (*_GUARDS, "pool.open")) and not users().any
    ):
        keys = (*values["pool.keys"], *_in_projects(values))
        yield problem("access.keys", _unguarded(keys), origins["access.keys"])


def _unguarded(keys: Sequence[Key]) -> str:
    """Return why a pool of ``keys`` needs an access key, and what the operator may do."""
    places = list(dict.fromkeys(f"{key.name} from {key.origin}" for key in keys))
    more = f" and {len(places) - _FEW} more" if len(places) > _FEW else ""
    shown = ", ".join(places[:_FEW]) + more
    return (
        f"none is set, so everybody who reaches gemproxy could spend the keys of the pool"
        f" ({shown or 'in the data directory'}). Set PASSWORD or access.keys to {LEAST} random "
        f"characters or more ({ADVICE}), or make access keys with gemproxy users add; or set "
        "pool.open to true, on loopback only; or pool.mode to passthrough, which leaves the keys "
        "unused"
    )


def _in_projects(values: Values) -> list[Key]:
    return [key for keys in values["pool.projects"].values() for key in keys]


def _each_access_key(values: Values) -> Iterator[tuple[str, str, str]]:
    """Yield the path, the words for people and the key of each access key."""
    for name, key in values.get("access.keys", {}).items():
        yield "access.keys", f"the key of {name!r}", key
    if values.get("access.password"):
        yield "access.password", "it", values["access.password"]


def _strength(values: Values, origins: Origins) -> Iterator[str]:
    for path, who, key in _each_access_key(values):
        why = None if is_api_key(key) else weakness(key)
        if why is not None:
            wanted = f"An access key is {LEAST} random characters or more; {ADVICE}"
            yield problem(path, f"{who} {why}. {wanted}", origins[path])


def _pool_keys(values: Values) -> frozenset[str]:
    return frozenset(key.secret for key in (*values["pool.keys"], *_in_projects(values)))


def _access(values: Values, origins: Origins) -> Iterator[str]:
    """Yield access keys that are a Gemini key, or one another's."""
    pool = _pool_keys(values)
    each = list(_each_access_key(values))
    for path, who, key in each:
        if key in pool:
            why = f"{who} is a key of the pool too; clients must not know those. {ADVICE}"
            yield problem(path, why, origins[path])
        elif is_api_key(key):
            why = f"{who} looks like a Gemini key; an access key is one of your own. {ADVICE}"
            yield problem(path, why, origins[path])
    for (_, one, first), (path, two, second) in combinations(each, 2):
        if first == second:
            yield problem(path, f"{two} is the same as {one}", origins[path])
    taken = {SHARED, OPEN} if values.get("access.password") else {OPEN}
    for name in sorted(values.get("access.keys", {}).keys() & taken):
        why = f"{name!r} names another caller already; use another name"
        yield problem("access.keys", why, origins["access.keys"])


def _projects(values: Values, origins: Origins) -> Iterator[str]:
    """Yield the keys that are in several projects."""
    homes: dict[str, list[str]] = {}
    for name, keys in values["pool.projects"].items():
        for key in keys:
            homes.setdefault(key.name, []).append(name)
    for key_name, names in homes.items():
        if len(names) > 1:
            why = f"the key {key_name} is in several projects: {', '.join(map(repr, names))}"
            yield problem("pool.projects", why, origins["pool.projects"])


def _named_projects(values: Values, origins: Origins, stored: Collection[str]) -> Iterator[str]:
    """Yield the projects that have a weight or a proxy, and no key."""
    projects = values["pool.projects"]
    assigned = {key.name for key in _in_projects(values)}
    own = {key.project for key in values["pool.keys"] if key.name not in assigned}
    known = {*projects, *own, *stored}
    for path in ("pool.weights", "pool.proxies"):
        for name in values.get(path, {}):
            if name not in known:
                why = f"no project is called {name!r}; there are {_list(known)}"
                yield problem(path, why, origins[path])


def _list(names: Collection[str]) -> str:
    shown = ", ".join(map(repr, sorted(names)[:_FEW]))
    return (shown + (" and more" if len(names) > _FEW else "")) or "none"


def _proxies(values: Values, origins: Origins) -> Iterator[str]:
    for name, url in values.get("pool.proxies", {}).items():
        try:
            proxy_of_key(url)
        except UnusableProxy as error:
            yield problem("pool.proxies", f"of project {name!r}: {error}", origins["pool.proxies"])
        else:
            if needs_socks(url) and find_spec(_SOCKS) is None:
                why = f"the proxy of project {name!r} needs SOCKS: pip install 'gemproxy[socks]'"
                yield problem("pool.proxies", why, origins["pool.proxies"])
