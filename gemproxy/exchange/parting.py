"""One request that is answered by several generations: a record of each, and the sum of them.

Each generation writes into an account of its own, because the record of an attempt is the last
entry of the account it belongs to. The request's account has them as its parts meanwhile. When all
are over, it has all attempts in the order of their time, and one result: the worst ending, and
sums.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypeVar

import attrs

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.engine import State
from gemproxy.exchange.account import Account, Spent, StreamResult

T = TypeVar("T")


def part(account: Account) -> Account:
    """Return the account of one generation for the request of ``account``."""
    own = Account(account.access, account.model, trace=account.trace)
    account.parts.append(own)
    return own


def join(account: Account, parts: Sequence[Account]) -> None:
    """Write into the account of a request what became of its generations.

    One that was never begun has no result.
    """
    account.parts.clear()
    account.entries += sorted(
        chain.from_iterable(one.entries for one in parts), key=lambda entry: entry.began
    )
    results = [one.result for one in parts if isinstance(one.result, StreamResult)]
    if results:
        account.result = _sum(results, whole=len(results) == len(parts))


def _sum(results: Sequence[StreamResult], *, whole: bool) -> StreamResult:
    """Return one result for several; ``whole``: there are no others."""
    worst = next((one for one in results if one.ending != State.DONE.value), results[0])
    done = worst.ending == State.DONE.value
    first_bytes = [one.first_byte_ms for one in results if one.first_byte_ms is not None]
    return attrs.evolve(
        worst,
        ending=worst.ending if whole or not done else State.FAILED.value,
        attempts=sum(one.attempts for one in results),
        causes=_all(one.causes for one in results),
        joints=_all(one.joints for one in results),
        seam_ms=_all(one.seam_ms for one in results),
        first_byte_ms=min(first_bytes, default=None),
        characters=sum(one.characters for one in results),
        billed=sum((one.billed for one in results), Billed()),
        extra_tokens=sum(one.extra_tokens for one in results),
        grace_ran_out=any(one.grace_ran_out for one in results),
        missing_candidates=sum(one.missing_candidates for one in results),
        spent=_spent(results),
    )


def _all(lists: Iterable[list[T]]) -> list[T]:
    return list(chain.from_iterable(lists))


def _spent(results: Sequence[StreamResult]) -> Spent:
    spents = [one.spent for one in results if one.spent is not None]
    return Spent(
        tuple(chain.from_iterable(one.bills for one in spents)),
        sum((one.own for one in spents), Billed()),
        any(one.estimated for one in spents),
        any(one.unread for one in spents),
    )
