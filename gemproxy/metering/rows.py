"""The row of a request in the ledger: at its beginning, and when it is settled.

What the row has in common with the line in the access log is taken from the same account.
"""

from gemproxy.core.answer.usage import Billed
from gemproxy.exchange.account import (
    Account,
    CallResult,
    Charge,
    Entry,
    InteractionResult,
    StreamResult,
    word_of,
)
from gemproxy.exchange.exchange import Exchange
from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.metering.running import Running

_ERRORS = 400


def begun(exchange: Exchange, running: Running) -> Row:
    """Return the row of a request that has been admitted."""
    return Row(
        running.serial,
        exchange.id,
        running.started,
        running.user.name,
        running.model,
        exchange.family,
        running.dialect,
        injected=exchange.account.injected,
    )


def settled(
    exchange: Exchange,
    running: Running,
    ending: Ending,
    status: int,
    now: float,
) -> Row:
    """Return the row of a request that is over; ``now`` is a time of the monotonic clock."""
    account = exchange.account
    entries, charge = account.entries, account.charge or Charge()
    last = entries[-1] if entries else None
    result = account.result
    stream = result if isinstance(result, StreamResult) else None
    return Row(
        running.serial,
        exchange.id,
        running.started,
        running.user.name,
        running.model,
        exchange.family,
        running.dialect,
        ending,
        status,
        last.project if last is not None else "",
        last.key if last is not None else "",
        len(entries),
        _repairs(account),
        stream.characters if stream is not None else 0,
        charge.input_tokens,
        charge.cached_tokens,
        charge.output_tokens,
        charge.thought_tokens,
        charge.extra_input_tokens,
        charge.extra_output_tokens,
        charge.cost_nano_usd,
        charge.operator_cost_nano_usd,
        charge.estimated,
        _first_byte(account, running),
        round((now - running.began) * 1000),
        round(sum(stream.seam_ms)) if stream is not None and stream.seam_ms else 0,
        account.injected,
        account.calls,
        _tries(account, running.began),
    )


def _tries(account: Account, began: float) -> tuple[Try, ...]:
    """Return the attempts, if one of them was interrupted or there are several."""
    entries, causes = account.entries, _causes(account)
    if len(entries) < 2 and not any(causes):  # noqa: PLR2004 (several)
        return ()
    return tuple(_try(entry, cause, began) for entry, cause in zip(entries, causes, strict=True))


def _causes(account: Account) -> list[str]:
    """Return why each attempt broke off; a unary call has its causes beside its attempts."""
    result = account.result
    beside = iter(result.causes if isinstance(result, CallResult) else ())
    return [word_of(one.cause or next(beside, None)) for one in account.entries]


def _repairs(account: Account) -> int:
    """Return how often an answer went on after an interruption."""
    match account.result:
        case StreamResult(joints=joints):
            return len(joints)
        case InteractionResult():
            answered = [one for one in account.entries if (one.status or _ERRORS) < _ERRORS]
            return max(len(answered) - 1, 0)
    return 0


def _first_byte(account: Account, running: Running) -> int | None:
    """Return the milliseconds to the first byte: of a stream's content, or of an answer's head."""
    result = account.result
    if isinstance(result, StreamResult | InteractionResult) and result.first_byte_ms is not None:
        return round(result.first_byte_ms)
    last = account.entries[-1] if account.entries else None
    if last is None or last.answered is None:
        return None
    return round((last.answered - running.began) * 1000)


def _try(entry: Entry, cause: str, began: float) -> Try:
    usage, ended, answered = entry.usage or Billed(), entry.ended, entry.answered
    return Try(
        entry.key,
        entry.status,
        cause,
        entry.asked,
        word_of(entry.joint),
        round((ended - entry.began) * 1000) if ended is not None else 0,
        entry.bytes,
        usage.prompt,
        usage.output,
        usage.thoughts,
        entry.project,
        word_of(entry.how),
        entry.anchor,
        entry.characters or 0,
        entry.dropped,
        entry.swallowed,
        round(entry.seam * 1000),
        max(round((entry.began - began) * 1000), 0),
        None if answered is None else round((answered - entry.began) * 1000),
    )
