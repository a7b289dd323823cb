"""The checks of the upstream and of the clock, which share one request."""

from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdicts
from gemproxy.doctor.upstream import judge, judge_clock


async def upstream(case: Case) -> Verdicts:
    """Judge the way to the upstream."""
    has_proxy = bool(case.settings.upstream.proxy)
    return [judge(await case.seen(), case.base, has_proxy=has_proxy)]


async def clock(case: Case) -> Verdicts:
    """Judge the clock of this machine."""
    return [judge_clock(await case.seen())]
