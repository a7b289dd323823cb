"""Checks keys at the command line: opens the way up, and says what the store is to learn."""

from collections.abc import Callable, Iterable, Sequence

from gemproxy.keys.site import Site
from gemproxy.lending.checking import Checker, Finding
from gemproxy.pool.key import Key
from gemproxy.pool.sickness import Sicknesses
from gemproxy.pool.state import Change, Sickness
from gemproxy.relay.upstream import open_upstream


async def check(site: Site, keys: Iterable[Key], tell: Callable[[Finding], None]) -> list[Finding]:
    """Check keys; ``tell`` hears of each as soon as it is known."""
    findings: list[Finding] = []

    def hear(finding: Finding) -> None:
        findings.append(finding)
        tell(finding)

    way_up = open_upstream(connect_timeout=site.connect_seconds, proxy=site.proxy)
    async with way_up as upstream:
        await Checker(upstream, site.base).check(keys, hear)
    return findings


def changes_of(findings: Sequence[Finding], known: Iterable[Change], now: float) -> list[Change]:
    """Return what the store is to learn; ``known`` is what it has."""
    book = Sicknesses()
    for change in known:
        if isinstance(change, Sickness):
            book.put(change)
    learnt: list[Change] = []
    for finding in findings:
        before = book.get(finding.key.name)
        if finding.why is not None:
            learnt.append(book.fell(finding.key.name, finding.why, now))
        elif finding.well and before is not None and before.why is not None:
            learnt.append(book.passed(before, now))
    return learnt
