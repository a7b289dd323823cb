"""Server-Timing (https://www.w3.org/TR/server-timing/): where the time to an answer's head went.

Headers go out before the answer is whole, so they have what is known by then, in milliseconds:

    gp_auth           checking the client's key
    gp_queue          from there to the first attempt: the body, limits, the choice of a key
    gp_upstream_ttfb  from the beginning of the last attempt to the head of its answer
    gp_total          from the request's head to ours

A stream has those of its first byte; what its repairs took later is in the access log. A refusal
before the check of the key is over has only ``gp_total``.
"""

import time
from collections.abc import Mapping
from typing import Literal

from aiohttp import web

from gemproxy.exchange.account import Account

ASK = "X-Gemproxy-Server-Timing"
HEADER = "Server-Timing"
_YES = frozenset({"1", "true", "on", "yes"})

Mode = Literal["off", "ask", "on"]


def is_wanted(mode: Mode, headers: Mapping[str, str]) -> bool:
    """Return whether an answer has the header; ``ask``: only where the request asks for it."""
    if mode == "ask":
        return ASK in headers and headers[ASK].strip().lower() in _YES
    return mode == "on"


def mark(account: Account, response: web.StreamResponse) -> None:
    """Add the header to an answer that goes out now; the upstream's own stays beside it."""
    times = account.times
    if times is None:
        return
    spans: dict[str, float] = {}
    if times.admitted is not None:
        spans["gp_auth"] = times.admitted - times.began
    if account.entries:
        first, last = account.entries[0], account.entries[-1]
        if times.admitted is not None:
            spans["gp_queue"] = max(first.began - times.admitted, 0.0)
        if last.answered is not None:
            spans["gp_upstream_ttfb"] = last.answered - last.began
    spans["gp_total"] = time.monotonic() - times.began
    told = ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in spans.items())
    response.headers.add(HEADER, told)
