"""Users: who an access key belongs to, and what they may use.

A limit is for all models together, or for one. Amounts are requests, tokens, or nano-dollars, as
its kind says.
"""

import enum

import attrs

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""


class Kind(enum.Enum):
    """What a limit counts, and over which time."""

    RPM = "rpm"
    TPM = "tpm"
    RPD = "rpd"
    CONCURRENCY = "concurrency"
    TOKENS_PER_DAY = "tokens_per_day"
    TOKENS_PER_MONTH = "tokens_per_month"
    USD_PER_DAY = "usd_per_day"
    USD_PER_MONTH = "usd_per_month"
    PER_IP_RPM = "per_ip_rpm"
    PER_IP_RPD = "per_ip_rpd"


@attrs.frozen(cache_hash=True)  # each answer looks up how it is written
class Limit:
    """At most ``amount`` of a kind.

    ``model`` is empty for all models together. ``shadow``: it is counted and logged, and nothing
    is refused.
    """

    kind: Kind
    amount: int
    model: str = ""
    shadow: bool = False


@attrs.frozen
class User:
    """The owner of an access key.

    ``id`` has the twelve public characters of the key, and is the name for one of the settings.
    ``models`` are the only ones that may be called; empty: any. ``expires`` is a Unix time in
    seconds, None for never.
    """

    id: str
    name: str
    limits: tuple[Limit, ...] = ()
    models: tuple[str, ...] = ()
    expires: float | None = None

    @property
    def fixed(self) -> bool:
        """Whether it never has limits: a key of the settings, and a client with its own key."""
        return self.id == self.name


OWN = User("", "")
"""Every client with its own Gemini key."""
