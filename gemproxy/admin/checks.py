"""Checks of the operator's keys: what the upstream says of them, and the pool learns.

An answer is told by a word of a closed list, because the upstream's own words may repeat the key.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from gemproxy.admin.audit import note
from gemproxy.admin.keys import ENDINGS, name_of, ring_of
from gemproxy.admin.route import Call, Form, Route
from gemproxy.core.errors import Unrouted
from gemproxy.lending.checking import Finding
from gemproxy.pool.key import Key

_NOT_ASKED = "not_asked"


class KeyCheck(Form, frozen=True):
    """What the upstream says of a key."""

    fingerprint: Annotated[str, msgspec.Meta(description="Its name")]
    project: Annotated[str, msgspec.Meta(description="Its project")]
    state: Annotated[
        str, msgspec.Meta(description="well, sick, or unknown where the answer does not tell")
    ]
    result: Annotated[
        str,
        msgspec.Meta(
            description=f"What the answer was: {ENDINGS}, not_gemini; not_asked where the time"
            " for all was over before"
        ),
    ]
    status: Annotated[
        int | None, msgspec.Meta(description="Its HTTP status; null without an answer")
    ]


class KeyChecks(Form, frozen=True):
    """What the upstream says of keys."""

    checks: Annotated[list[KeyCheck], msgspec.Meta(description="One for each key, by project")]
    well: Annotated[int, msgspec.Meta(description="How many are well")]
    sick: Annotated[int, msgspec.Meta(description="How many are sick")]
    unknown: Annotated[int, msgspec.Meta(description="Of how many the answer does not tell")]


class ChecksQuery(Form, frozen=True):
    """Which keys are to be checked."""

    project: Annotated[str | None, msgspec.Meta(description="Only keys of this project")] = None


async def check(call: Call[Any, Any]) -> KeyCheck:
    """Ask the upstream about a key. Raises Unrouted."""
    key = ring_of(call).known(name_of(call))
    (found,) = await _checked(call, [key])
    await note(call, "key.check", key.name, {"state": found.state, "result": found.result})
    return found


async def check_all(call: Call[ChecksQuery, Any]) -> KeyChecks:
    """Ask the upstream about all keys, about a few at the same time. Raises Unrouted."""
    wanted = call.query.project
    projects = [one for one in ring_of(call).projects if wanted in {None, one.name}]
    if not projects:
        raise Unrouted("The pool has no project of this name; /admin/api/v1/projects lists them.")
    keys = [key for one in sorted(projects, key=lambda it: it.name) for key in one.keys]
    checks = await _checked(call, keys)
    counts = Counter(found.state for found in checks)
    states = {state: counts[state] for state in ("well", "sick", "unknown")}
    await note(call, "key.check", wanted or "", dict(states))
    return KeyChecks(checks=checks, **states)


async def _checked(call: Call[Any, Any], keys: Sequence[Key]) -> list[KeyCheck]:
    findings = await ring_of(call).check(keys)
    return [_check(key, findings.get(key.name)) for key in keys]


def _check(key: Key, found: Finding | None) -> KeyCheck:
    return KeyCheck(
        fingerprint=key.name,
        project=key.project,
        state="unknown" if found is None else found.state,
        result=_NOT_ASKED if found is None else found.result.value,
        status=None if found is None else found.status,
    )


ROUTES = (
    Route(
        "POST",
        "/keys/check",
        check_all,
        "Ask Gemini about all keys, by requests that cost nothing; the pool learns.",
        KeyChecks,
        query=ChecksQuery,
        tag="keys",
    ),
    Route(
        "POST",
        "/keys/{key}/check",
        check,
        "Ask Gemini about a key, by a request that costs nothing; the pool learns.",
        KeyCheck,
        tag="keys",
    ),
)
