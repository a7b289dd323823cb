"""How a request ended, for its row.

*done*: the client has the whole answer. A blocked prompt, a policy ending and a session that either
peer closed in order are whole answers. *failed*: the client has an error, be it the upstream's own
that was passed on, an answer that broke off, or that an operator ended it. *client_left*: nobody
read the rest of it. *shutdown*: the process ended first. An answer that was whole before one of
these is done.
"""

from gemproxy.core.repair.engine import State
from gemproxy.exchange.account import (
    Account,
    Farewell,
    InteractionResult,
    SessionResult,
    StreamResult,
)
from gemproxy.ledger.row import Ending

_ERRORS = 400
_CLIENT_CLOSED_REQUEST = 499
_IN_ORDER = frozenset({1000, 1001, 1005})
"""Close codes of a session that was not broken off: normal, going away, and none."""


def ending_of(account: Account, status: int, *, cancelled: bool, expired: bool) -> Ending:
    """Return how a request ended that was answered with ``status``.

    ``cancelled``: its handler was, by the end of the process if ``expired``.
    """
    result = account.result
    if account.cancelled and not _is_whole(account):
        return Ending.FAILED
    if isinstance(result, SessionResult):
        return _of_session(result.farewell, cancelled=cancelled, expired=expired)
    if _is_whole(account):
        return Ending.DONE
    if cancelled and expired:
        return Ending.SHUTDOWN
    if cancelled or account.client_gone or status == _CLIENT_CLOSED_REQUEST:
        return Ending.CLIENT_LEFT
    failed = status >= _ERRORS or account.upstream is not None
    return Ending.FAILED if failed or _broke(account) else Ending.DONE


def _is_whole(account: Account) -> bool:
    """Return whether a stream came to its end."""
    match account.result:
        case StreamResult(ending=ending) | InteractionResult(ending=ending):
            return ending == State.DONE.value
    return False


def _broke(account: Account) -> bool:
    """Return whether an answer that began well was not whole."""
    match account.result:
        case StreamResult(ending=ending):
            return ending != "passed"
        case InteractionResult(ending=ending):
            return ending is not None
        case None:
            return False
    return getattr(account.result, "upstream", None) is not None


def _of_session(farewell: Farewell | None, *, cancelled: bool, expired: bool) -> Ending:
    if farewell is None:
        return Ending.SHUTDOWN if expired else Ending.CLIENT_LEFT if cancelled else Ending.FAILED
    if farewell.how == "shutdown":
        return Ending.SHUTDOWN
    if farewell.how == "closed":
        in_order = farewell.by == "client" or farewell.code in _IN_ORDER
        return Ending.DONE if in_order else Ending.FAILED
    return Ending.CLIENT_LEFT if farewell.by == "client" else Ending.FAILED
