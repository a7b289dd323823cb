"""What the close frame of a Live session says about the key.

Gemini accepts the handshake of a session with any key. It refuses a bad key, or one without quota,
in the close frame: a code that says little (1007, 1008, 1011) and a reason of up to 123 bytes,
which is the beginning of the message that a request would have got. Only reasons that can mean
nothing else are read; a session that ends for another reason teaches nothing.
"""

import re
from collections.abc import Mapping
from typing import Any

_CODES = frozenset({1007, 1008, 1011, 1013})
_QUOTA = r"exceeded your current quota|resource has been exhausted|RESOURCE_EXHAUSTED"
_BAD_KEY = r"\bAPI key (?:not (?:valid|found)|expired)"
_LEAKED = r"\bAPI key was reported as leaked"
_REASONS = (
    (re.compile(_QUOTA, re.IGNORECASE), 429, "RESOURCE_EXHAUSTED"),
    (re.compile(_BAD_KEY, re.IGNORECASE), 400, "INVALID_ARGUMENT"),
    (re.compile(_LEAKED, re.IGNORECASE), 403, "PERMISSION_DENIED"),
)
"""The reasons, with the HTTP status and the google.rpc code of the same refusal of a request."""


def error_of_close(code: int, reason: str) -> Mapping[str, Any] | None:
    """Return the google.rpc.Status that a close frame of the upstream's stands for.

    None if it says nothing about the key.
    """
    if code not in _CODES:
        return None
    for pattern, status, name in _REASONS:
        if pattern.search(reason):
            return {"code": status, "message": reason, "status": name}
    return None
