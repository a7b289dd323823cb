"""What was learnt since the last time that somebody asked, one change for each thing."""

import attrs

from gemproxy.pool.state import Change, Home, Rest, Sickness, Spent, Use


@attrs.define(eq=False)
class Journal:
    """Changes that have not gone out."""

    _last: dict[object, Change] = attrs.field(factory=dict)
    _spent: dict[tuple[str, str, str], int] = attrs.field(factory=dict)

    def note(self, change: Rest | Sickness | Use | Home) -> None:
        """Note a change, in place of an earlier one about the same thing."""
        if isinstance(change, Rest):
            self._last[change.project, change.model] = change
        elif isinstance(change, Sickness):
            self._last[change.key] = change
        elif isinstance(change, Use):
            self._last[Use, change.key] = change
        else:
            self._last[change.opening] = change

    def spent(self, project: str, model: str, day: str) -> None:
        """Count a request."""
        of = project, model, day
        self._spent[of] = self._spent.get(of, 0) + 1

    def unsent(self, project: str, model: str, day: str) -> int:
        """Return how many requests were counted that have not gone out."""
        return self._spent.get((project, model, day), 0)

    def take(self) -> list[Change]:
        """Return all changes, and forget them."""
        counted = (Spent(*of, requests) for of, requests in self._spent.items())
        changes = [*self._last.values(), *counted]
        self._last, self._spent = {}, {}
        return changes
