"""What routes are handed: here, whose retries share a budget."""

from multidict import CIMultiDict

from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.bodies import Bodies
from gemproxy.relay.retries import RetryBudget
from gemproxy.relay.watch import Timing
from gemproxy.routes.parts import Repairing


async def test_a_caller_s_retries_share_one_budget_by_access_key_or_by_credential() -> None:
    repair = Repairing(Bodies(each=1, total=1), Timing({}), retries=RetryBudget(floor=1))

    def may_retry(key: str, access: str = "") -> bool:
        exchange = Exchange("id", "x", "POST", "/v1/m", "", CIMultiDict({"x-goog-api-key": key}))
        exchange.account.access = access
        return repair.pacing(exchange, "m", lambda: 0).may_retry()

    assert may_retry("one")
    assert may_retry("two")
    assert not may_retry("one")
    assert may_retry("one", "ann")
    assert not may_retry("two", "ann")
    assert may_retry("two", "bob")
    assert may_retry("ann")
