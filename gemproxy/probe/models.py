"""The models to test if the user names none: the newest flash models of models.list.

The names are parsed, because a fixed list would be out of date within weeks. Variants for speech,
images or live audio, and ``-latest`` aliases, have further words in their names and do not match.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

_FLASH = re.compile(
    r"(?:models/)?gemini-(?P<version>\d+(?:\.\d+)?)-flash(?P<lite>-lite)?(?P<release>-preview.*|-\d+)?"
)
_MOST = 3


@attrs.frozen(order=True)
class _Flash:
    """A flash model; the greatest one is tested first."""

    version: tuple[int, ...]
    full: bool
    stable: bool
    name: str

    @property
    def kind(self) -> tuple[tuple[int, ...], bool]:
        """The common part of a release and its previews."""
        return self.version, self.full


def newest_flash(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return at most three names from the entries of models.list, newest version first."""
    chosen: dict[tuple[tuple[int, ...], bool], str] = {}
    for flash in sorted(filter(None, map(_flash, entries)), reverse=True):
        chosen.setdefault(flash.kind, flash.name)
    return list(chosen.values())[:_MOST]


def _flash(entry: Mapping[str, Any]) -> _Flash | None:
    match = _FLASH.fullmatch(str(entry.get("name", "")))
    if match is None or "generateContent" not in entry.get("supportedGenerationMethods", ()):
        return None
    return _Flash(
        version=tuple(int(number) for number in match["version"].split(".")),
        full=match["lite"] is None,
        stable=match["release"] is None,
        name=bare(match[0]),
    )


def bare(name: str) -> str:
    """Return a model's name without ``models/``."""
    return name.removeprefix("models/")
