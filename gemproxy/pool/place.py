"""A project at work: which of its keys can serve, and whose turn it is."""

import collections
from collections.abc import Collection
from typing import Self

import attrs
from yarl import URL

from gemproxy.pool.key import Key, Project


@attrs.define(eq=False)
class Place:
    """A project, and those of its keys that are well and enabled.

    They take turns; the next one comes first.
    """

    project: Project
    able: collections.deque[Key] = attrs.field(factory=collections.deque)

    @classmethod
    def of(cls, project: Project, out: Collection[str]) -> Self:
        """Return the place of a project of whose keys those in ``out`` (by name) do not serve."""
        return cls(project, collections.deque(k for k in project.keys if k.name not in out))

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name

    def has_other(self, tried: Collection[str]) -> bool:
        """Return whether a key that can serve has not been tried."""
        return any(key.name not in tried for key in self.able)

    def take(
        self, tried: Collection[str] = (), avoiding: Collection[URL | None] = ()
    ) -> Key | None:
        """Return the next key, if possible one that has not been tried; it goes last.

        Keys that go out by one of the proxies ``avoiding`` do not count.
        """
        if not tried and not avoiding and self.able:
            key = self.able[0]
            self.able.rotate(-1)
            return key
        left = self.able if not avoiding else [k for k in self.able if k.proxy not in avoiding]
        if not left:
            return None
        key = next((key for key in left if key.name not in tried), left[0]) if tried else left[0]
        if len(self.able) > 1:
            self.able.remove(key)  # at or near the beginning
            self.able.append(key)
        return key

    def leave(self, name: str) -> None:
        """Take a key out."""
        self.able = collections.deque(key for key in self.able if key.name != name)

    def come_back(self, name: str) -> None:
        """Put a key back."""
        if all(key.name != name for key in self.able):
            self.able.extend(key for key in self.project.keys if key.name == name)
