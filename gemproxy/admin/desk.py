"""What the handlers of the admin API may use; the composition root fills it.

Each part is a small protocol of the module that uses it, or None where the proxy runs without it:
no ledger, no pool. A handler then raises ``Unrouted`` with the setting that turns the part on.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from gemproxy.accounts.prices import Prices
from gemproxy.ledger.audit import Audit
from gemproxy.ledger.queries import Queries

if TYPE_CHECKING:
    from gemproxy.admin.database import Database
    from gemproxy.admin.images import Gallery
    from gemproxy.admin.settings import Tuner
    from gemproxy.admin.system import Machine
    from gemproxy.admin.users import Holders
    from gemproxy.lending.ring import Ring


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


class Streams(Protocol):
    """The running requests of this worker; see ``admin.streams``."""

    async def list(self, document: Any = None) -> list[Any]:  # noqa: ANN401 (JSON)
        """Return them, as the API shows them."""

    async def cancel(self, document: Any) -> int:  # noqa: ANN401 (JSON)
        """End those that a document means; return how many there are."""

    async def interrupt(self, document: Any) -> int:  # noqa: ANN401 (JSON)
        """Cut the upstream's connection of those that a document means; return how many."""


@attrs.frozen
class Alone:
    """The neighbours of a process without other workers."""

    number: int = 0

    async def ask(self, path: str, document: Any = None) -> Answers:  # noqa: ANN401 (JSON)
        """Ask nobody."""
        del path, document
        return Answers()


@attrs.frozen
class Idle:
    """The running requests where none runs."""

    async def list(self, document: Any = None) -> list[Any]:  # noqa: ANN401 (JSON)
        """Return none."""
        del document
        return []

    async def cancel(self, document: Any) -> int:  # noqa: ANN401 (JSON)
        """Return that there is none."""
        del document
        return 0

    async def interrupt(self, document: Any) -> int:  # noqa: ANN401 (JSON)
        """Return that there is none."""
        del document
        return 0


@attrs.frozen(eq=False)
class Figures:
    """The figures of the ledger: ``queries`` by the proxy's clock, and the models that are known.

    ``clock`` gives the Unix time.
    """

    queries: Queries
    models: Callable[[], Iterable[str]] = tuple
    clock: Callable[[], float] = time.time


@attrs.frozen(eq=False, kw_only=True)
class Desk:
    """The parts of a running proxy that an operator asks about.

    ``document`` is the document of the API, in JSON.
    """

    document: bytes = b"{}"
    neighbours: Neighbours = Alone()
    streams: Streams = Idle()
    audit: Audit | None = None
    """The log of changes; handlers write to it by ``admin.audit.note``."""

    figures: Figures | None = None
    """The figures of the ledger."""

    settings: "Tuner | None" = None
    """The settings, and changing them while the proxy runs."""

    database: "Database | None" = None
    """The ledger's database, and the work on it that an operator asks for."""

    users: "Holders | None" = None
    """The access keys; None without a pool, which they would open."""

    prices: Prices = attrs.field(factory=Prices)
    """The price table."""

    ring: "Ring | None" = None
    """The operator's keys; None without a pool."""

    images: "Gallery | None" = None
    """The pictures that are kept; None without a storage."""

    machine: "Machine | None" = None
    """The processes of this proxy."""
