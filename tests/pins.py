"""What a lock pins, and what the packages that it pins ask for.

pip 23, which ``python3 -m venv`` of Python 3.11 brings, resolves ``google-auth``,
``google-auth[requests]`` and ``google-auth[requests,x]`` as three projects. For one that has no pin
with just these extras it takes the newest release, for which the lock has no hash, and stops
(pypa/pip#9644). So each set of extras that anything asks for needs a line of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution

import attrs
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

PLATFORMS = (
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ENVIRONMENTS = tuple(
    {**platform, "python_version": version, "python_full_version": f"{version}.0"}
    for platform in PLATFORMS
    for version in PYTHONS
)
"""One lock serves all of them, so a requirement counts that holds in any."""


Extras = frozenset[str]


@attrs.frozen
class Pin:
    """What a lock says about a project: its version, and the extras of each line that pins it."""

    version: str
    extras: frozenset[Extras]


def pins(lock: str) -> dict[NormalizedName, Pin]:
    """Return each project that this text of a lock pins. A marker is part of the version."""
    lines = re.findall(r"^([\w.-]+)(?:\[(.+)\])?==(.+?) \\$", lock, re.MULTILINE)
    found: dict[NormalizedName, Pin] = {}
    for name, extras, version in lines:
        project = canonicalize_name(name)
        earlier = found[project].extras if project in found else frozenset()
        asked = _extras(extras.split(",") if extras else ())
        found[project] = Pin(version, earlier | {asked})
    return found


def unpinned(
    pinned: Mapping[NormalizedName, Pin], distributions: Iterable[Distribution]
) -> list[str]:
    """Return, as "who: requirement", what no line of the lock pins with the same extras.

    Args:
        pinned: what a lock pins.
        distributions: what is installed; what the lock does not pin is left out.

    """
    return sorted(
        f"{distribution.name}: {requirement}"
        for distribution in distributions
        if (pin := pinned.get(canonicalize_name(distribution.name)))
        for requirement in _asked(distribution, frozenset[str]().union(*pin.extras))
        if not holds(pinned, requirement)
    )


def holds(pinned: Mapping[NormalizedName, Pin], requirement: Requirement) -> bool:
    """Return whether a line has the requirement's extras; one without may be pinned nowhere."""
    pin = pinned.get(canonicalize_name(requirement.name))
    if pin is None:
        return not requirement.extras
    return _extras(requirement.extras) in pin.extras


def _asked(distribution: Distribution, extras: Extras) -> Iterator[Requirement]:
    """Give the distribution's requirements that hold with these extras in any environment."""
    for requirement in map(Requirement, distribution.requires or ()):
        marker = requirement.marker
        if marker is None or any(
            marker.evaluate({**environment, "extra": extra})
            for environment in ENVIRONMENTS
            for extra in ("", *extras)
        ):
            yield requirement


def _extras(names: Iterable[str]) -> Extras:
    return frozenset(canonicalize_name(name.strip()) for name in names)
