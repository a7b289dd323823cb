"""A project at work: which of its keys are well, and whose turn it is."""

import collections
from collections.abc import Collection
from typing import Self

import attrs
from yarl import URL

from gemproxy.pool.key import Key, Project


@attrs.define(eq=False)
class Place:
    """A project and its well keys, which take turns; the next one comes first."""

    project: Project
    well: collections.deque[Key] = attrs.field(factory=collections.deque)

    @classmethod
    def of(cls, project: Project, sick: Collection[str]) -> Self:
        """Return the place of a project of whose keys the ``sick`` ones (by name) do not serve."""
        return cls(project, collections.deque(k for k in project.keys if k.name not in sick))

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name

    def has_other(self, tried: Collection[str]) -> bool:
        """Return whether a well key has not been tried."""
        return any(key.name not in tried for key in self.well)

    def take(
        self, tried: Collection[str] = (), avoiding: Collection[URL | None] = ()
    ) -> Key | None:
        """Return the next well key, if possible one that has not been tried; it goes last.

        Keys that go out by one of the proxies ``avoiding`` do not count.
        """
        if not tried and not avoiding and self.well:
            key = self.well[0]
            self.well.rotate(-1)
            return key
        left = self.well if not avoiding else [k for k in self.well if k.proxy not in avoiding]
        if not left:
            return None
        key = next((key for key in left if key.name not in tried), left[0]) if tried else left[0]
        if len(self.well) > 1:
            self.well.remove(key)  # at or near the beginning
            self.well.append(key)
        return key

    def fell(self, name: str) -> None:
        """Take a key out."""
        self.well = collections.deque(key for key in self.well if key.name != name)

    def recovered(self, name: str) -> None:
        """Put a key back."""
        if all(key.name != name for key in self.well):
            self.well.extend(key for key in self.project.keys if key.name == name)
