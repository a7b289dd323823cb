"""What the operator sees of a key."""

import attrs

from gemproxy.pool.key import Key
from gemproxy.pool.state import Rest, Sickness, Use, Why


@attrs.frozen
class Standing:
    """How a key stands; ``key`` is its fingerprint.

    ``why`` says why it is sick and ``again_at`` when it is checked; None for a well key. ``rests``
    are those of its project, with an infinite end for a model that the project does not have.
    ``used`` is its last use; None if none is known.
    """

    key: str
    project: str
    origin: str
    why: Why | None
    again_at: float | None
    rests: tuple[Rest, ...]
    enabled: bool = True
    used: Use | None = None

    @property
    def state(self) -> str:
        """The state in a word: disabled, sick or well."""
        if not self.enabled:
            return "disabled"
        return "well" if self.why is None else "sick"

    @property
    def kind(self) -> str:
        """The same, but of a well key whether it is ready, or resting for some model."""
        if self.state != "well":
            return self.state
        return "resting" if self.rests else "ready"


def standing_of(
    key: Key,
    sickness: Sickness | None,
    rests: tuple[Rest, ...],
    *,
    enabled: bool = True,
    used: Use | None = None,
) -> Standing:
    """Return how a key stands, by its last sickness, the rests of its project, and its last use."""
    why = again_at = None
    if sickness is not None and sickness.why is not None:
        why, again_at = sickness.why, sickness.again_at
    return Standing(key.name, key.project, key.origin, why, again_at, rests, enabled, used)
