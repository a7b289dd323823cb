"""The book of switches: which keys the operator has disabled.

A disabled key gets no new attempt; what runs with it goes on. A key that nobody has switched is
enabled.
"""

import attrs

from gemproxy.pool.state import Switch


@attrs.define(eq=False)
class Switches:
    """The last switch of each key, by fingerprint."""

    _by_key: dict[str, Switch] = attrs.field(factory=dict)

    def is_off(self, key: str) -> bool:
        """Return whether a key is disabled."""
        known = self._by_key.get(key)
        return known is not None and not known.enabled

    def off(self) -> set[str]:
        """Return the disabled keys."""
        return {key for key, switch in self._by_key.items() if not switch.enabled}

    def put(self, switch: Switch) -> bool:
        """Take in a switch if it is later than what is known; return whether it was."""
        known = self._by_key.get(switch.key)
        if known is not None and known.at >= switch.at:
            return False
        self._by_key[switch.key] = switch
        return True
