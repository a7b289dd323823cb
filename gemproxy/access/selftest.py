"""The right to ask a running proxy for its self-test: a proof, made of ``admin.secret``.

The self-test ends a stream as a broken one, which a reverse proxy may count as a failure of the
proxy, so it is for the operator alone. The proof goes through whatever stands in front, so it is
not the secret: it is an HMAC over the time, and good for two minutes.
"""

import hmac

HEADER = "X-Gemproxy-Selftest"

GOOD_SECONDS = 120.0

_PURPOSE = b"gemproxy self-test "


def proof(secret: str, now: float) -> str:
    """Return the value of the header at a Unix time (s)."""
    moment = str(int(now))
    return f"{moment}.{_digest(secret, moment)}"


def is_proof(value: str, secret: str, now: float) -> bool:
    """Return whether a value of the header was made with ``secret`` about ``now``."""
    moment, _, digest = value.partition(".")
    if not secret or not moment.isascii() or not moment.isdecimal() or len(moment) > len("9" * 12):
        return False
    right = hmac.compare_digest(digest.encode("utf-8", "replace"), _digest(secret, moment).encode())
    return right and abs(now - int(moment)) <= GOOD_SECONDS


def _digest(secret: str, moment: str) -> str:
    return hmac.digest(secret.encode(), _PURPOSE + moment.encode(), "sha256").hex()
