"""What the operator adds to requests that generate content, as one value for all routes."""

from collections.abc import Mapping

import attrs

from gemproxy.shaping.family import PICTURES
from gemproxy.shaping.injection import Injection
from gemproxy.shaping.thinking import Thoughts

HEADER = "X-Gemproxy-Injection"
"""With the value ``off`` a client asks for a request without the prompt."""


@attrs.frozen
class Shaping:
    """The operator's defaults for thinking, and the prompt; None: there is no prompt.

    ``pictures`` are the models that answer with pictures. ``native``: something is added to native
    requests.
    """

    thoughts: Thoughts = attrs.field(factory=Thoughts)
    injection: Injection | None = None
    pictures: tuple[str, ...] = PICTURES
    native: bool = attrs.field(init=False)

    @native.default
    def _native(self) -> bool:
        return self.thoughts.native or self.injection is not None

    def prompt(self, headers: Mapping[str, str]) -> Injection | None:
        """Return the prompt for a request with these headers."""
        prompt = self.injection
        if prompt is None or not prompt.allow_opt_out:
            return prompt
        return None if headers.get(HEADER, "").strip().lower() == "off" else prompt

    def of(self, headers: Mapping[str, str]) -> "Shaping":
        """Return what is added to a request with these headers."""
        prompt = self.prompt(headers)
        return self if prompt is self.injection else attrs.evolve(self, injection=prompt)
