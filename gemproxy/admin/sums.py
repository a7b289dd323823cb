"""How the admin API tells sums and money.

Money is dollars as a decimal string, exact to the nano-dollar, and null where no price is known;
``unpriced`` counts the requests without a price, whose money is in no sum.
"""

from decimal import Decimal

import msgspec

from gemproxy.accounts.user import NANO
from gemproxy.admin.route import Form
from gemproxy.ledger.sums import Sums

_MONEY = {"cost_usd": "cost_nano_usd", "operator_cost_usd": "operator_cost_nano_usd"}
_MEAN = "mean_first_byte_ms"


class UsageSums(Form, frozen=True):
    """What requests sum up to.

    ``requests`` counts those that run (``running``), too; their tokens and their money count when
    they have ended. ``done`` to ``lost`` count the others by their endings. ``retries`` counts the
    attempts beyond those that undisturbed answers take, ``repairs`` the interruptions that were
    repaired. ``cost_usd`` is what users pay, ``operator_cost_usd`` and the ``extra`` tokens are
    what repair cost beyond that. ``estimated`` counts requests whose tokens were not reported in
    full. ``first_bytes`` counts those that had a first byte, ``first_byte_ms`` is the sum of the
    times to it. ``seam_ms`` is how long clients waited for repairs.
    """

    requests: int
    running: int
    done: int
    failed: int
    client_left: int
    shutdown: int
    lost: int
    attempts: int
    retries: int
    repairs: int
    characters: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    thought_tokens: int
    extra_input_tokens: int
    extra_output_tokens: int
    estimated: int
    unpriced: int
    cost_usd: str | None
    operator_cost_usd: str | None
    first_bytes: int
    first_byte_ms: int
    mean_first_byte_ms: float | None
    duration_ms: int
    seam_ms: int


COLUMNS = UsageSums.__struct_fields__


def shown(sums: Sums) -> UsageSums:
    """Return sums as the API has them."""
    plain = [name for name in COLUMNS if name not in {*_MONEY, _MEAN}]
    money = {
        name: None if sums.is_unpriced else dollars(getattr(sums, own))
        for name, own in _MONEY.items()
    }
    mean = sums.first_byte_ms / sums.first_bytes if sums.first_bytes else None
    fields = {name: getattr(sums, name) for name in plain} | money | {_MEAN: mean}
    return msgspec.convert(fields, UsageSums)


def dollars(nano: int | None) -> str | None:
    """Return money in dollars, exact; None if it is not known."""
    return None if nano is None else f"{(Decimal(nano) / NANO).normalize():f}"
