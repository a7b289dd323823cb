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


def charge(account: Account, model: str, prices: Prices, when: float) -> Charge:
    """Return the charge for a request to ``model`` that began at ``when`` (Unix time).

    Whoever asks keeps it in the account, so that the log's line and the ledger's row agree.
    """
    spent = account.spent or Spent()
    own, estimated = spent.own, spent.estimated
    bills = spent.bills
    if spent.unread and account.expected is not None:
        own, estimated = _with_input(own, account.expected), True
        bills = (*bills, account.expected)
    billed = bills[0] if len(bills) == 1 else sum(bills, Billed())
    valid = prices.of(model, when)
    cost = cost_of(own, valid)
    return Charge(
        input_tokens=own.prompt,
        cached_tokens=own.cached,
        output_tokens=own.output,
        thought_tokens=own.thoughts,
        extra_input_tokens=max(billed.prompt - own.prompt, 0),
        extra_output_tokens=max(billed.output + billed.thoughts - own.output - own.thoughts, 0),
        cost_nano_usd=cost,
        operator_cost_nano_usd=_rest(bills, own, valid, cost),
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


def _rest(
    bills: tuple[Billed, ...], own: Billed, prices: PriceList | None, cost: int | None
) -> int | None:
    """Return what all attempts cost beyond the user's part, each at its own prices."""
    if cost is not None and len(bills) == 1 and bills[0] == own:  # nothing was repaired
        return 0
    costs = [cost_of(bill, prices) for bill in bills]
    if cost is None or None in costs:
        return None
    return max(sum(each for each in costs if each is not None) - cost, 0)
