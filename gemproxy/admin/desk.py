"""What the handlers of the admin API may use; the composition root fills it.

Each part is a small protocol of the module that uses it, or None where the proxy runs without it:
no ledger, no pool. A handler then raises ``Unrouted`` with the setting that turns the part on.
"""

import attrs

from gemproxy.ledger.audit import Audit


@attrs.frozen(eq=False)
class Desk:
    """The parts of a running proxy that an operator asks about."""

    audit: Audit | None = None
    """The log of changes; handlers write to it by ``admin.audit.note``."""
