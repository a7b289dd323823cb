"""A slow and plain model of the limiter: it keeps every request, and sums them anew each time."""

import datetime as dt

import attrs

from gemproxy.accounts.hold import Spent
from gemproxy.accounts.user import Kind, Limit

MINUTE = 60.0


@attrs.define
class Record:
    """One admitted request."""

    user: str
    model: str
    opened: float
    expires: float
    tokens: int
    nano_usd: int
    settled: float | None = None
    used_tokens: int = 0
    used_nano_usd: int = 0
    lost: bool = False

    def held(self, now: float) -> bool:
        """Return whether the request still holds what it asked for."""
        return self.settled is None and not self.lost and self.expires > now


@attrs.define
class Naive:
    """All requests; ``begun`` is when the process started, before which no minute is known."""

    zone: dt.tzinfo
    begun: float
    records: list[Record] = attrs.field(factory=list)

    def taken(self, limit: Limit, user: str, now: float) -> tuple[int, int]:
        """Return what is spent and what is held of a limit."""
        records = [
            record
            for record in self.records
            if record.user == user and limit.model in ("", record.model)
        ]
        return self._spent(limit.kind, records, now), self._held(limit.kind, records, now)

    def sums(self, now: float, *, monthly: bool) -> list[Spent]:
        """Return what the ledger has for the current day or month."""
        found: dict[tuple[str, str], Spent] = {}
        for record in self._within(self.records, now, monthly=monthly):
            key = (record.user, record.model)
            so_far = found.get(key, Spent(*key))
            found[key] = Spent(
                *key,
                so_far.requests + 1,
                so_far.tokens + record.used_tokens,
                so_far.nano_usd + record.used_nano_usd,
            )
        return list(found.values())

    def _spent(self, kind: Kind, records: list[Record], now: float) -> int:
        match kind:
            case Kind.RPM:
                return sum(now < r.opened + MINUTE and r.opened >= self.begun for r in records)
            case Kind.TPM:
                return sum(
                    r.used_tokens
                    for r in records
                    if r.settled is not None
                    and now < r.settled + MINUTE
                    and r.settled >= self.begun
                )
            case Kind.RPD:
                return len(self._within(records, now, monthly=False))
            case Kind.TOKENS_PER_DAY | Kind.TOKENS_PER_MONTH:
                monthly = kind is Kind.TOKENS_PER_MONTH
                return sum(r.used_tokens for r in self._within(records, now, monthly=monthly))
            case Kind.USD_PER_DAY | Kind.USD_PER_MONTH:
                monthly = kind is Kind.USD_PER_MONTH
                return sum(r.used_nano_usd for r in self._within(records, now, monthly=monthly))
            case _:
                return 0

    def _held(self, kind: Kind, records: list[Record], now: float) -> int:
        held = [record for record in records if record.held(now)]
        match kind:
            case Kind.CONCURRENCY:
                return len(held)
            case Kind.TPM:
                return sum(r.tokens for r in held)
            case Kind.TOKENS_PER_DAY | Kind.TOKENS_PER_MONTH:
                monthly = kind is Kind.TOKENS_PER_MONTH
                return sum(r.tokens for r in self._within(held, now, monthly=monthly))
            case Kind.USD_PER_DAY | Kind.USD_PER_MONTH:
                monthly = kind is Kind.USD_PER_MONTH
                return sum(r.nano_usd for r in self._within(held, now, monthly=monthly))
            case _:
                return 0

    def _within(self, records: list[Record], now: float, *, monthly: bool) -> list[Record]:
        """Return the requests that began in the day, or the month, of ``now``."""
        length = len("2026-11") if monthly else len("2026-11-28")
        name = self._date(now)[:length]
        return [record for record in records if self._date(record.opened)[:length] == name]

    def _date(self, at: float) -> str:
        return dt.datetime.fromtimestamp(at, self.zone).date().isoformat()
