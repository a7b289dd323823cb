"""Records of requests that are over, in the smallest pieces a test of traces needs."""

from typing import Any

from multidict import CIMultiDict

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.seam.seam import Joint
from gemproxy.exchange.account import Entry, Spent, StreamResult
from gemproxy.exchange.exchange import Exchange
from gemproxy.tracing.attempts import Served, Upstream

UPSTREAM = Upstream("gcp.gemini", "generativelanguage.googleapis.com", 443)
PATH = "/v1beta/models/gemini-x:streamGenerateContent"


def entry(began: float = 1.0, ended: float | None = 2.0, **fields: Any) -> Entry:
    """Return an attempt that was answered whole, unless ``fields`` say otherwise."""
    return Entry(began, **{"status": 200, "how": How.EOF, "ended": ended, **fields})


def stream_result(*bills: Billed, **fields: Any) -> StreamResult:
    """Return the outcome of a stream that was whole."""
    known: dict[str, Any] = {
        "ending": "done",
        "finish_reason": "STOP",
        "attempts": 1,
        "causes": [],
        "joints": [],
        "seam_ms": [],
        "first_byte_ms": 5.0,
        "characters": 10,
        "billed": sum(bills, Billed()),
        "extra_tokens": 0,
        "repair": True,
        "grace_ran_out": False,
        "missing_candidates": 0,
        "spent": Spent(bills),
    }
    return StreamResult(**{**known, **fields})


def served(
    *entries: Entry,
    family: str = "stream",
    method: str = "POST",
    path: str = PATH,
    status: int = 200,
    ending: str = "done",
    result: Any = None,
) -> Served:
    """Return a request that ran from second 0 to second 9."""
    exchange = Exchange("request-1", family, method, path, "key=secret", CIMultiDict())
    exchange.account.entries.extend(entries)
    exchange.account.result = result
    return Served(exchange, status, 100, 0.0, 9.0, ending)


def three_attempts() -> Served:
    """Return a stream that was cut, then met an error, then ended well."""
    return served(
        entry(1.0, 2.0, how=How.RESET, cause=Cause.DROP, usage=Billed(4, 10, 0, 14), characters=40),
        entry(2.5, 3.0, status=503, cause=Cause.STATUS, usage=Billed(), characters=0),
        entry(
            4.0,
            8.0,
            joint=Joint.ECHO,
            usage=Billed(14, 30, 5, 49),
            characters=60,
            key="12ab34cd",
            project="lab",
        ),
        result=stream_result(Billed(4, 10, 0, 14), Billed(), Billed(14, 30, 5, 49)),
    )
