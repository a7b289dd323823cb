"""The words of a start: who brings the Gemini key, and where each key of the pool was found.

GEMINI_API_KEY is set on many machines for Google's SDKs, so an operator has to see that it became a
key of the pool. Keys are named by their fingerprints.
"""

from collections.abc import Collection, Sequence

from aiohttp import web

from gemproxy.access.door import Mode
from gemproxy.config.keyring import some
from gemproxy.pool.key import Key

KEYS: web.AppKey[Sequence[Key]] = web.AppKey("keys")
"""The keys with which the pool of an application began, if it has one."""


def greeting(mode: Mode, keys: Sequence[Key], *, open_to_all: bool = False) -> str:
    """Return who brings the key, for a line about the start."""
    if mode is Mode.PASSTHROUGH:
        unused = f"; {_count(keys, 'key')} not used: {_places(keys)}" if keys else ""
        return f"passthrough: clients bring their own Gemini keys{unused}"
    projects = {key.project for key in keys}
    pool = f"{_count(keys, 'key')} of {_count(projects, 'project')}: {_places(keys)}"
    if mode is Mode.BOTH:
        other = "none at all" if open_to_all else "an access key"
        return f"both: clients bring their own Gemini keys, or {other} for {pool}"
    return f"open pool, without access keys: {pool}" if open_to_all else f"pool: {pool}"


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"


def _places(keys: Sequence[Key]) -> str:
    """Return the fingerprints by the place where the keys were found."""
    places: dict[str, list[str]] = {}
    for key in keys:
        places.setdefault(key.origin, []).append(key.name)
    return "; ".join(f"{some(names)} from {origin}" for origin, names in places.items())
