"""Homes: the project on which a conversation stays, and the one that gets what a caller creates.

A conversation is known by the hashes of its opening, and its home is remembered under the longest
one. A home that is not remembered, and that of a caller, is found by rendezvous hashing: each
project draws a number from the hash and its name, and the highest one wins. So all processes agree
without asking, and a project that comes or goes moves only the homes that it gets or had.
"""

import collections
import functools
import hashlib
import heapq
import math
from collections.abc import Mapping

import attrs

from gemproxy.pool.state import Home

MOST = 50_000
"""Conversations that are remembered; the one that was silent for longest is forgotten first."""
REFRESHED = 3600.0
"""Seconds after which a home goes out again, so that the store keeps it."""
RANKED = 8
"""Projects in whose order a home is looked for, before the strategy decides."""

_BITS = 64
_MASK = (1 << _BITS) - 1


@attrs.define(eq=False)
class Homes:
    """The homes of conversations and callers."""

    _homes: collections.OrderedDict[bytes, Home] = attrs.field(factory=collections.OrderedDict)
    _seeds: list[tuple[int, float, str]] = attrs.field(factory=list)
    _of_callers: collections.OrderedDict[bytes, list[str]] = attrs.field(
        factory=collections.OrderedDict
    )

    def replace(self, weights: Mapping[str, float]) -> None:
        """Take other projects: name -> weight."""
        self._seeds = [
            (number, weight, name)
            for name, weight in weights.items()
            for number in [_number(name.encode())]
        ]
        self._of_callers.clear()

    def of_conversation(self, opening: tuple[bytes, ...]) -> list[str]:
        """Return the projects to which a conversation that has an answer goes, the best first."""
        for known in reversed(opening):
            home = self._homes.get(known)
            if home is not None:
                return [home.project]
        return self._ranked(opening[-1])

    def of_caller(self, caller: str) -> list[str]:
        """Return the projects to which the creations of an access key go, the best first."""
        known = caller.encode("utf-8", "surrogatepass")
        ranked = self._of_callers.get(known)
        if ranked is None:
            ranked = self._of_callers[known] = self._ranked(known)
            if len(self._of_callers) > MOST:
                self._of_callers.popitem(last=False)
        return ranked

    def settle(self, opening: bytes, project: str, now: float) -> Home | None:
        """Remember a home; return it if it is news."""
        known = self._homes.get(opening)
        if known is not None and known.project == project and now - known.at < REFRESHED:
            self._homes.move_to_end(opening)
            return None
        return self._set(Home(opening, project, now))

    def put(self, home: Home) -> None:
        """Take in a home if it is later than what is known."""
        known = self._homes.get(home.opening)
        if known is None or known.at < home.at:
            self._set(home)

    def _set(self, home: Home) -> Home:
        self._homes[home.opening] = home
        self._homes.move_to_end(home.opening)
        if len(self._homes) > MOST:
            self._homes.popitem(last=False)
        return home

    def _ranked(self, key: bytes) -> list[str]:
        """Return the projects that draw the highest numbers."""
        draw = functools.partial(_draw, _number(key))
        return [name for _, _, name in heapq.nlargest(RANKED, self._seeds, key=draw)]


def _number(data: bytes) -> int:
    """Return 64 bits of a hash."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=_BITS // 8).digest())


def _draw(key: int, seed: tuple[int, float, str]) -> float:
    """Return what a project draws: the higher its weight, the likelier the highest number.

    The bits are mixed as in splitmix64; the logarithm is that of weighted rendezvous hashing.
    """
    mixed = (key ^ seed[0]) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return seed[1] / -math.log(((mixed ^ mixed >> 31) + 1) / (_MASK + 2))
