"""How keys stand, for people and for programs; without the keys, and without passwords."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from gemproxy.keys.site import Holdings
from gemproxy.pool.key import Key
from gemproxy.pool.standing import Standing, standing_of
from gemproxy.pool.state import Rest, Sickness, Use

_HEAD = ("key", "project", "from", "state", "last used", "resting", "proxy")


@attrs.frozen
class View:
    """A key as it stands; ``elsewhere`` is when Google last refused the location it came from."""

    key: Key
    standing: Standing
    elsewhere: float | None

    def document(self) -> dict[str, Any]:
        """Return it for programs; times are in UTC by RFC 3339, null for no end."""
        standing = self.standing
        return {
            "fingerprint": standing.key,
            "project": standing.project,
            "origin": standing.origin,
            "state": standing.state,
            "enabled": standing.enabled,
            "why": standing.why.value if standing.why else None,
            "check_at": _time(standing.again_at),
            "rests": [
                {"model": rest.model, "until": _time(rest.until), "why": rest.why.value}
                for rest in standing.rests
            ],
            "location_refused_at": _time(self.elsewhere),
            "last_used_at": None if standing.used is None else _time(standing.used.at),
            "last_result": None if standing.used is None else standing.used.result.value,
            "proxy": _proxy(self.key),
        }

    def row(self) -> tuple[str, ...]:
        """Return it for people."""
        standing = self.standing
        state, used = standing.state, "-"
        if standing.why and standing.enabled:
            state = f"sick ({standing.why.value}), checked at {_time(standing.again_at)}"
        elif standing.why:
            state = f"disabled, sick ({standing.why.value})"
        if self.elsewhere is not None:
            state += f", location refused at {_time(self.elsewhere)}"
        if standing.used is not None:
            used = f"{_time(standing.used.at)} ({standing.used.result.value})"
        resting = "; ".join(map(_rest, standing.rests))
        return (
            standing.key,
            standing.project,
            standing.origin,
            state,
            used,
            resting or "-",
            _proxy(self.key) or "-",
        )


def views(holdings: Holdings, now: float) -> list[View]:
    """Return all keys as they stand at ``now``."""
    rests: dict[str, list[Rest]] = {}
    sick: dict[str, Sickness] = {}
    uses: dict[str, Use] = {}
    for change in holdings.changes:
        if isinstance(change, Rest) and change.until > now:
            rests.setdefault(change.project, []).append(change)
        elif isinstance(change, Sickness):
            sick[change.key] = change
        elif isinstance(change, Use):
            uses[change.key] = change
    off = holdings.disabled

    def standing(key: Key) -> Standing:
        resting = tuple(rests.get(key.project, ()))
        enabled, used = key.name not in off, uses.get(key.name)
        return standing_of(key, sick.get(key.name), resting, enabled=enabled, used=used)

    return [View(key, standing(key), holdings.elsewhere.get(key.name)) for key in holdings.keys]


def table(shown: Iterable[View]) -> list[Sequence[str]]:
    """Return the rows of a table with its head."""
    return [_HEAD, *(view.row() for view in shown)]


def _rest(rest: Rest) -> str:
    until = f"until {_time(rest.until)}" if rest.until < math.inf else "for good"
    return f"{rest.model or 'any model'} {until} ({rest.why.value})"


def _time(seconds: float | None) -> str | None:
    if seconds is None or math.isinf(seconds):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _proxy(key: Key) -> str | None:
    return None if key.proxy is None else str(key.proxy.with_password(None))
