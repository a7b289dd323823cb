"""What the handlers of the admin API may use; the composition root fills it.

Each part is a small protocol of the module that uses it, or None where the proxy runs without it:
no ledger, no pool. A handler then raises ``Unrouted`` with the setting that turns the part on.
"""

from typing import Any, Protocol

import attrs

from gemproxy.ledger.audit import Audit


@attrs.frozen
class Answer:
    """What the worker with this number answered: a JSON document."""

    worker: int
    document: Any


@attrs.frozen
class Answers:
    """What the other workers answered; ``asked`` counts them all, also those that did not."""

    answers: tuple[Answer, ...] = ()
    asked: int = 0


class Neighbours(Protocol):
    """The other workers of this proxy; a single process has none."""

    @property
    def number(self) -> int:
        """The number of this worker, from 0 on."""

    async def ask(self, path: str, document: Any = None) -> Answers:  # noqa: ANN401 (JSON)
        """Ask all other workers at once; return what came within a second. Raises nothing."""


@attrs.frozen(eq=False)
class Desk:
    """The parts of a running proxy that an operator asks about."""

    audit: Audit | None = None
    """The log of changes; handlers write to it by ``admin.audit.note``."""
