"""Leases: the credential of each attempt, and the report of its outcome.

The dispatcher takes one lease for each attempt from a ``CredentialSource``. The simplest source is
the client's own credential. A source with its own keys learns from the outcomes of its leases, and
gives another key to an attempt that must go elsewhere. A request that is bound to an owner
(``Exchange.bound``) always goes to that owner.
"""

from collections.abc import Collection
from typing import Protocol

import attrs
from yarl import URL

from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange


class Lease(Protocol):
    """The credential of one attempt, which receives the attempt's outcome."""

    @property
    def key(self) -> str:
        """The credential's name in the account, which is not a secret."""

    @property
    def base(self) -> URL:
        """The upstream's base URL."""

    @property
    def credential(self) -> Credential | None:
        """The credential; None if the client sent none."""

    @property
    def proxy(self) -> URL | None:
        """The outbound proxy for this attempt; None for the one of all requests."""

    @property
    def another(self) -> bool:
        """Whether a refusal that is the key's fault should be tried with another credential."""

    @property
    def detour(self) -> bool:
        """Whether a refusal of the proxy's location should be tried on another way out."""

    def answered(self) -> None:
        """Hear that the head of the answer has come."""

    async def named(self, names: Collection[str]) -> None:
        """Record names that the answer has, before the client gets them."""

    def over(self, entry: Entry) -> None:
        """Receive the outcome of the attempt. Called once for each lease; never raises."""


class CredentialSource(Protocol):
    """The source of the credentials of attempts."""

    async def lease(self, exchange: Exchange, body: bytes | None, *, elsewhere: bool) -> Lease:
        """Return a lease for the next attempt of ``exchange``.

        The exchange has the model and the names in its path; its account has the access key and
        the tried keys with their outcomes. ``body`` is what goes up, None for nothing and for a
        stream. ``elsewhere`` asks for another key than the last one, if there is one. May wait.
        Raises a GemproxyError if there is none at all.
        """


@attrs.frozen(eq=False)
class OwnLease:
    """The credential that the client sent, or that came with a URL for it."""

    base: URL
    credential: Credential | None
    key: str = ""
    proxy: URL | None = attrs.field(default=None, repr=False)
    another: bool = False
    detour: bool = False

    def answered(self) -> None:
        """Ignore it."""

    async def named(self, names: Collection[str]) -> None:
        """Record nothing: what a client's own key makes is Google's affair."""

    def over(self, entry: Entry) -> None:
        """Ignore the outcome, because there is no other credential."""


@attrs.frozen(eq=False)
class ClientsOwn:
    """The source that gives each client its own credential, for the upstream at ``base``."""

    base: URL

    async def lease(self, exchange: Exchange, body: bytes | None, *, elsewhere: bool) -> Lease:
        """Return the client's credential, regardless of earlier outcomes."""
        del body, elsewhere
        return OwnLease(self.base, exchange.caller)
