"""What the operator adds to requests that generate content, as one value for all routes."""

import attrs

from gemproxy.shaping.injection import Injection
from gemproxy.shaping.thinking import Thoughts


@attrs.frozen
class Shaping:
    """The operator's defaults for thinking, and the prompt; None: there is no prompt."""

    thoughts: Thoughts = attrs.field(factory=Thoughts)
    injection: Injection | None = None
