"""Label values with an upper bound: models, keys, statuses, finishReasons.

A client may name any model, an upstream may answer any finishReason, and a series of Prometheus
lives for weeks. So a value that nobody of ours knows is ``other``, and a value that is missing is
``none``.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

import attrs

from gemproxy.core.repair.verdict import DEFAULT_VERDICTS, FIXED_REASONS, POLICY_REASONS

OTHER, NONE = "other", "none"
CLIENTS_OWN = "client"
"""The key label of a request with the client's own credential."""

CODES: Mapping[int, str] = {
    **{status.value: str(status.value) for status in HTTPStatus},
    499: "499",
    529: "529",
}
"""HTTP statuses that have a label: the registered ones, a client that left, an overload."""

REASONS: Mapping[str | None, str] = {
    None: NONE,
    **{
        reason: reason
        for reason in (
            *FIXED_REASONS,
            *POLICY_REASONS,
            *DEFAULT_VERDICTS,
            "NO_IMAGE",
            "IMAGE_OTHER",
            "MISSING_THOUGHT_SIGNATURE",
            "TOO_MANY_TOOL_CALLS",
        )
    },
}
"""finishReasons that have a label."""

_MOST_REMEMBERED = 1024
_MOST_KEYS = 512
_PREFIX = "models/"


@attrs.define(eq=False)
class ModelLabels:
    """The labels of models. ``known`` returns that of a name, None for one that nobody knows.

    ``found`` has the labels that were looked for lately.
    """

    known: Callable[[str], str | None]
    found: dict[str | None, str] = attrs.field(factory=lambda: {None: NONE, "": NONE})

    def of(self, name: str | None) -> str:
        """Return the label of a model that a request names."""
        label = self.found.get(name)
        return self._look(name or "") if label is None else label

    def _look(self, name: str) -> str:
        if len(self.found) >= _MOST_REMEMBERED:
            self.found = {None: NONE, "": NONE}
        label = self.found[name] = self.known(name.removeprefix(_PREFIX)) or OTHER
        return label


@attrs.define(eq=False)
class KeyLabels:
    """The labels of keys: their fingerprints, up to a number that no pool of today has.

    ``seen`` has the labels so far.
    """

    seen: dict[str, str] = attrs.field(factory=lambda: {"": CLIENTS_OWN})

    def of(self, name: str) -> str:
        """Return the label of a key by its fingerprint, empty for the client's own."""
        label = self.seen.get(name)
        if label is not None:
            return label
        if len(self.seen) >= _MOST_KEYS:
            return OTHER
        self.seen[name] = name
        return name
