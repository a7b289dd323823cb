"""What the operator sees of a key."""

import attrs

from gemproxy.pool.key import Key
from gemproxy.pool.state import Rest, Sickness, Why


@attrs.frozen
class Standing:
    """How a key stands; ``key`` is its fingerprint.

    ``why`` says why it is sick and ``again_at`` when it is checked; None for a well key. ``rests``
    are those of its project, with an infinite end for a model that the project does not have.
    """

    key: str
    project: str
    origin: str
    why: Why | None
    again_at: float | None
    rests: tuple[Rest, ...]


def standing_of(key: Key, sickness: Sickness | None, rests: tuple[Rest, ...]) -> Standing:
    """Return how a key stands, by its last sickness and the rests of its project."""
    if sickness is None or sickness.why is None:
        return Standing(key.name, key.project, key.origin, None, None, rests)
    why, again_at = sickness.why, sickness.again_at
    return Standing(key.name, key.project, key.origin, why, again_at, rests)
