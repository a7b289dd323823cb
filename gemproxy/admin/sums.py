"""How the admin API tells sums and money.

Money is dollars as a decimal string, exact to the nano-dollar, and null where no price is known;
``unpriced`` counts the requests without a price, whose money is in no sum.
"""

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from gemproxy.accounts.user import NANO
from gemproxy.admin.route import Form
from gemproxy.ledger.buckets import LARGEST_ERROR
from gemproxy.ledger.sums import Sums

_ERROR = round(LARGEST_ERROR * 100, 1)


def _percentile(share: str) -> Any:  # noqa: ANN401 (an annotation)
    return msgspec.Meta(
        description=f"{share} had the first byte within these milliseconds, at most {_ERROR} % off;"
        " null without one, or where two names are chosen that the ledger does not keep together"
    )


class UsageSums(Form, frozen=True):
    """What requests sum up to.

    ``requests`` counts those that run (``running``), too; their tokens and their money count when
    they have ended. ``done`` to ``lost`` count the others by their endings. ``retries`` counts the
    attempts beyond those that undisturbed answers take, ``repairs`` the interruptions that were
    repaired. ``cost_usd`` is what users pay, ``operator_cost_usd`` and the ``extra`` tokens are
    what repair cost beyond that. ``estimated`` counts requests whose tokens were not reported in
    full. ``first_bytes`` counts those that had a first byte, ``first_byte_ms`` is the sum of the
    times to it, and half of these (95 of 100) are within ``first_byte_p50_ms`` (``_p95_``). These
    two come from counts in fixed buckets, which are kept when rows are deleted. ``seam_ms`` is how
    long clients waited for repairs.
    """

    requests: Annotated[int, msgspec.Meta(description="Requests, those that run among them")]
    running: Annotated[int, msgspec.Meta(description="Requests that have not ended")]
    done: Annotated[int, msgspec.Meta(description="Requests whose answers came to their end")]
    failed: Annotated[int, msgspec.Meta(description="Requests that failed")]
    client_left: Annotated[int, msgspec.Meta(description="Requests whose clients left")]
    shutdown: Annotated[int, msgspec.Meta(description="Requests that a shutdown ended")]
    lost: Annotated[int, msgspec.Meta(description="Requests whose process died")]
    attempts: Annotated[int, msgspec.Meta(description="Requests to Gemini")]
    retries: Annotated[
        int, msgspec.Meta(description="Attempts beyond those of undisturbed answers")
    ]
    repairs: Annotated[int, msgspec.Meta(description="Interruptions that were repaired")]
    characters: Annotated[int, msgspec.Meta(description="Characters of answers")]
    input_tokens: Annotated[
        int, msgspec.Meta(description="Tokens of prompts, cached ones among them")
    ]
    cached_tokens: Annotated[int, msgspec.Meta(description="Tokens of prompts that were cached")]
    output_tokens: Annotated[int, msgspec.Meta(description="Tokens of answers")]
    thought_tokens: Annotated[int, msgspec.Meta(description="Tokens of thoughts")]
    extra_input_tokens: Annotated[
        int, msgspec.Meta(description="Tokens of prompts that repair cost")
    ]
    extra_output_tokens: Annotated[
        int, msgspec.Meta(description="Tokens of answers and thoughts that repair cost")
    ]
    estimated: Annotated[
        int, msgspec.Meta(description="Requests whose tokens were not reported in full")
    ]
    unpriced: Annotated[
        int, msgspec.Meta(description="Requests without a price, whose money is in no sum")
    ]
    cost_usd: Annotated[
        str | None, msgspec.Meta(description="What users pay in dollars, null without a price")
    ]
    operator_cost_usd: Annotated[
        str | None,
        msgspec.Meta(description="What repair cost beyond that in dollars, null without a price"),
    ]
    first_bytes: Annotated[int, msgspec.Meta(description="Requests that had a first byte")]
    first_byte_ms: Annotated[
        int, msgspec.Meta(description="The sum of the times to it, in milliseconds")
    ]
    mean_first_byte_ms: Annotated[
        float | None,
        msgspec.Meta(description="The mean time to it in milliseconds, null without one"),
    ]
    first_byte_p50_ms: Annotated[float | None, _percentile("Half of them")]
    first_byte_p95_ms: Annotated[float | None, _percentile("95 of 100")]
    duration_ms: Annotated[
        int, msgspec.Meta(description="The sum of the durations, in milliseconds")
    ]
    seam_ms: Annotated[
        int, msgspec.Meta(description="Milliseconds that clients waited for repairs")
    ]


COLUMNS = UsageSums.__struct_fields__
_PLAIN = [name for name in COLUMNS if hasattr(Sums(), name)]


def shown(sums: Sums) -> UsageSums:
    """Return sums as the API has them."""
    return UsageSums(
        **{name: getattr(sums, name) for name in _PLAIN},
        cost_usd=None if sums.is_unpriced else dollars(sums.cost_nano_usd),
        operator_cost_usd=None if sums.is_unpriced else dollars(sums.operator_cost_nano_usd),
        mean_first_byte_ms=sums.first_byte_ms / sums.first_bytes if sums.first_bytes else None,
        first_byte_p50_ms=sums.first_byte(0.5),
        first_byte_p95_ms=sums.first_byte(0.95),
    )


def dollars(nano: int | None) -> str | None:
    """Return money in dollars, exact; None if it is not known."""
    return None if nano is None else f"{(Decimal(nano) / NANO).normalize():f}"
