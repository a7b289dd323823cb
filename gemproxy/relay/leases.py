"""Leases: with which credential an attempt goes up, and who hears how it ended.

The dispatcher takes one lease for each attempt from a ``CredentialSource``. The simplest source is
the client's own credential. One that has keys of its own learns from how its leases end, and
gives another key to an attempt that is to go elsewhere; a name that binds a request to its owner
(``Exchange.bound``) goes to that owner always.
"""

from typing import Protocol

import attrs
from yarl import URL

from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange


class Lease(Protocol):
    """What one attempt goes up with, and who hears how it ended."""

    @property
    def key(self) -> str:
        """A name for the credential in the account, which holds no secret."""

    @property
    def base(self) -> URL:
        """The upstream's base URL."""

    @property
    def credential(self) -> Credential | None:
        """The credential; None where the client sent none."""

    @property
    def another(self) -> bool:
        """Whether the next attempt of the same exchange could have another credential."""

    def over(self, entry: Entry) -> None:
        """Hear how the attempt ended. Called once for each lease, and never raises."""


class CredentialSource(Protocol):
    """Where the credential of an attempt comes from."""

    def lease(self, exchange: Exchange, *, elsewhere: bool) -> Lease:
        """Return a lease for the next attempt of ``exchange``.

        The exchange has the model and the names that it is bound to, and its account has the keys
        that were tried, with what became of them. ``elsewhere`` asks for another key than the last
        one, if there is one. Raises a GemproxyError where there is none at all.
        """


@attrs.frozen(eq=False)
class OwnLease:
    """The credential that the client sent, or that came with a URL for it."""

    base: URL
    credential: Credential | None
    key: str = ""
    another: bool = False

    def over(self, entry: Entry) -> None:
        """Learn nothing: there is no other credential to choose."""


@attrs.frozen(eq=False)
class ClientsOwn:
    """The source that gives each client its own credential, for the upstream at ``base``."""

    base: URL

    def lease(self, exchange: Exchange, *, elsewhere: bool) -> Lease:
        """Return the client's credential, whatever became of it before."""
        del elsewhere
        return OwnLease(self.base, exchange.caller)
