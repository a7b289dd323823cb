"""Who pays for a request: what its user is charged, and what repair cost beyond that.

The user pays for one undisturbed answer, as far as it was delivered: the prompt of the first
attempt, the output, and the thoughts behind it. Everything else that was billed is the operator's:
repeated prompts, dropped echoes, thoughts of attempts whose answer nobody got. A request that
failed before anything was delivered costs its user nothing. A blocked prompt costs its input.

Where an answer ended before the upstream had counted its output, its characters count
(``core.answer.usage.estimate_tokens``); where nothing says what the input was, it counts as it was
judged before it went up. Such a charge is ``estimated``.
"""

import msgspec

from gemproxy.accounts.cost import cost_of
from gemproxy.accounts.prices import PriceList, Prices
from gemproxy.core.answer.usage import Billed
from gemproxy.exchange.account import Account, Charge, Spent

_NOTHING = Billed()


def charge(account: Account, model: str, prices: Prices, when: float) -> Charge:
    """Return the charge for a request to ``model`` that began at ``when`` (Unix time).

    Whoever asks keeps it in the account, so that the log's line and the ledger's row agree.
    """
    spent = account.spent or Spent()
    own, estimated = spent.own, spent.estimated
    bills = spent.bills
    expected = account.expected
    if spent.unread and expected is not None and expected != _NOTHING:
        own, estimated = _with_input(own, expected), True
        bills = (*bills, expected)
    billed = bills[0] if len(bills) == 1 else sum(bills, Billed())
    valid = prices.of(model, when)
    if own == billed:  # nothing was repaired; each turn of a session has prices of its own
        cost = _all(bills, valid) if len(bills) > 1 else cost_of(own, valid)
        rest = None if cost is None else 0
    else:
        cost, whole = cost_of(own, valid), _all(bills, valid)
        rest = None if cost is None or whole is None else max(whole - cost, 0)
    return Charge(
        input_tokens=own.prompt,
        cached_tokens=own.cached,
        output_tokens=own.output,
        thought_tokens=own.thoughts,
        extra_input_tokens=max(billed.prompt - own.prompt, 0),
        extra_output_tokens=max(billed.output + billed.thoughts - own.output - own.thoughts, 0),
        cost_nano_usd=cost,
        operator_cost_nano_usd=rest,
        estimated=estimated,
    )


def _with_input(own: Billed, expected: Billed) -> Billed:
    """Return the user's part with the input that was expected."""
    return msgspec.structs.replace(
        expected,
        output=own.output,
        thoughts=own.thoughts,
        total=expected.prompt + own.output + own.thoughts,
        audio_output=own.audio_output,
        image_output=own.image_output,
        video_output=own.video_output,
    )


def _all(bills: tuple[Billed, ...], prices: PriceList | None) -> int | None:
    """Return what all attempts cost, each at its own prices."""
    costs = [cost_of(bill, prices) for bill in bills]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
