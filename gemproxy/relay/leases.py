"""Leases: the credential of each attempt, and the report of its outcome.

The dispatcher takes one lease for each attempt from a ``CredentialSource``. The simplest source is
the client's own credential. A source with its own keys learns from the outcomes of its leases when
an attempt should get another key. A request that is bound to an owner
(``Exchange.bound``) always goes to that owner.
"""

from collections.abc import Mapping
from typing import Protocol

import attrs
from yarl import URL

from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange


class Witness(Protocol):
    """Reads the names in an answer that passes by."""

    @property
    def mark(self) -> bytes:
        """What stands in every read that is worth a look, if it ends with a line."""

    @property
    def waits(self) -> bool:
        """Whether something has begun that the next read may complete."""

    def look(self, data: bytes, *, anew: bool = False) -> Mapping[str, float | None]:
        """Return the names that ``data``, the next bytes, complete; b"" is the end.

        Each has the time at which it is over (Unix seconds), None if the answer does not say; a
        time of 0 or less: it was deleted. ``anew``: what is left out before ``data`` has no names,
        and ends with the end of an event.
        """


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
        """The outbound proxy for this attempt; None for the one of all requests, empty for none."""

    @property
    def another(self) -> bool:
        """Whether a refusal that is the key's fault should be tried with another credential."""

    @property
    def detour(self) -> bool:
        """Whether a refusal of the proxy's location should be tried on another way out."""

    def answered(self) -> None:
        """Hear that the head of the answer has come."""

    @property
    def project(self) -> str:
        """The project of the key; empty for a client's own credential."""

    def witness(
        self, exchange: Exchange, status: int, headers: Mapping[str, str]
    ) -> Witness | None:
        """Return what reads the names in the answer with this head; None if there is no need."""

    async def named(self, names: Mapping[str, float | None]) -> None:
        """Record names that the answer has, before the client gets them; see ``Witness.look``."""

    def over(self, entry: Entry) -> None:
        """Receive the outcome of the attempt. Called once for each lease; never raises."""


class CredentialSource(Protocol):
    """The source of the credentials of attempts."""

    async def lease(self, exchange: Exchange, body: bytes | None) -> Lease:
        """Return a lease for the next attempt of ``exchange``.

        The exchange has the model and the names in its path; its account has the access key and
        the tried keys with their outcomes. ``body`` is what goes up, None for nothing and for a
        stream. May wait. Raises a GemproxyError if there is none at all.
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
    project: str = ""

    def answered(self) -> None:
        """Ignore it."""

    def witness(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        """Return None: nobody wants to know the names."""

    async def named(self, names: Mapping[str, float | None]) -> None:
        """Record nothing: what a client's own key makes is Google's affair."""

    def over(self, entry: Entry) -> None:
        """Ignore the outcome, because there is no other credential."""


@attrs.frozen(eq=False)
class ClientsOwn:
    """The source that gives each client its own credential, for the upstream at ``base``."""

    base: URL

    async def lease(self, exchange: Exchange, body: bytes | None) -> Lease:
        """Return the client's credential, regardless of earlier outcomes."""
        del body
        return OwnLease(self.base, exchange.caller)
