"""A seat: a project on the roster of a model."""

import attrs

from gemproxy.pool.place import Place
from gemproxy.pool.window import Window


@attrs.define(eq=False)
class Seat:
    """What a roster knows of a project; ``score`` is its place in the order.

    ``used`` counts the day's requests of all processes and those of this one in flight, ``own``
    those of this process, ``base`` those before its first. ``entry`` is the number of its entry in
    the order, 0 while it is asleep, and ``wakes`` then the time of its waking.
    """

    name: str
    place: Place
    window: Window | None
    score: float = 0.0
    used: int = 0
    flying: int = 0
    own: int = 0
    base: int = 0
    entry: int = 0
    wakes: float = 0.0
