"""The operator's keys: whether there are any, and what Google says of each."""

import asyncio
from collections.abc import Sequence

from gemproxy.config.outbound import UnusableProxy, resolve_proxy
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, skipped, warning
from gemproxy.keys.checking import check
from gemproxy.keys.site import Site
from gemproxy.lending.checking import Finding as Checked

SECONDS = 8.0
"""Seconds for all keys together."""

_FEW = 10


async def keys(case: Case) -> Verdicts:
    """Judge the keys by themselves."""
    if case.mode == "passthrough":
        return [ok("passthrough: clients bring their own Gemini keys")]
    if case.stored.unusable:
        return [skipped("the keys in the data directory cannot be read: see data-directory")]
    if not case.keys:  # which the rules of a start refuse
        return []
    found: list[Verdict] = []
    if case.stored.damaged:
        words = f"{_count(case.stored.damaged, 'stored key')} cannot be decrypted"
        found.append(warning(words, "add them again: gemproxy keys list shows which"))
    given = set(case.access_keys.values())
    shared = [key.name for key in case.keys if key.secret in given]
    if shared:
        words = f"clients know a key of the pool, because it is an access key: {_some(shared)}"
        found.append(fault(words, "make another access key: openssl rand -hex 24"))
    if not case.enabled_keys:
        words = "an operator has disabled all keys of the pool, so no request is served"
        found.append(fault(words, "enable one: gemproxy keys enable ID"))
    projects = {key.project for key in case.keys}
    total = f"{_count(len(case.keys), 'key')} of {_count(len(projects), 'project')}"
    if off := len(case.keys) - len(case.enabled_keys):
        total = f"{total}, {off} disabled"
    return found or [ok(f"{case.mode}: {total}")]


async def at_google(case: Case) -> Verdicts:
    """Ask Gemini about each key that is enabled, by a request that costs nothing."""
    keys = case.enabled_keys
    if not case.pooled or not keys:
        return [ok("there is no key of the pool to ask about")]
    checked: list[Checked] = []
    try:
        async with asyncio.timeout(SECONDS):
            await check(_site(case), keys, checked.append)
    except TimeoutError:
        pass
    return judge(checked, len(keys))


def judge(checked: Sequence[Checked], total: int) -> list[Verdict]:
    """Judge what Google said of the keys that could be asked about, of ``total``."""
    sick = [one for one in checked if one.well is False]
    found = [
        fault(f"Google refuses the key {_named(one)}: {one.words}", _advice(one))
        for one in sick[:_FEW]
    ]
    if len(sick) > _FEW:
        found.append(fault(f"and {len(sick) - _FEW} more", "see gemproxy keys check"))
    elsewhere = [one for one in checked if one.elsewhere]
    if elsewhere:
        found.append(
            fault(
                f"Google refuses the location from which {_count(len(elsewhere), 'key')} asked:"
                f" {_some([one.key.name for one in elsewhere])}",
                "go out through a proxy elsewhere: upstream.proxy, or pool.proxies by project",
            )
        )
    unknown = [one for one in checked if one.well is None]
    found += [
        warning(
            f"{_count(len(unknown), 'key')} could not be asked about: {words}",
            "see the check upstream; gemproxy keys check asks again",
        )
        for words in list(dict.fromkeys(one.words for one in unknown))[:1]
    ]
    if len(checked) < total:
        left = _count(total - len(checked), "key")
        words = f"there was no answer for {left} in {SECONDS:g} seconds"
        found.append(warning(words, "ask again with gemproxy keys check, which takes its time"))
    return found or [ok(f"Google takes {_count(total, 'key')}")]


def _advice(one: Checked) -> str:
    why = one.why.value if one.why else "refused"
    return _BY_CAUSE.get(why, f"look at it in Google AI Studio, or remove it ({one.key.origin})")


_BY_CAUSE = {
    "leaked": "make a new key: Google blocks this one for good, because it was seen in public",
    "disabled": "enable the Generative Language API in the key's project",
}


def _named(one: Checked) -> str:
    return f"{one.key.name} of {one.key.project} (from {one.key.origin})"


def _site(case: Case) -> Site:
    upstream = case.settings.upstream
    try:
        proxy = resolve_proxy(upstream.proxy, case.base, case.environ)
    except UnusableProxy:
        proxy = None
    return Site(
        data_dir=case.data_dir,
        secret_key="",  # the store is not opened
        keys=case.keys,
        proxies={},
        base=case.base,
        proxy=proxy,
        connect_seconds=min(upstream.connect_timeout_seconds, SECONDS),
    )


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
