"""Whether an access key can be guessed.

An access key stands between everybody who reaches the proxy and the operator's quota, so one that
was typed in a hurry is refused at the start. Other proxies of this kind ship with defaults such as
``123``, ``123456``, ``changeme`` and ``admin-secret``, which are tried first.

This finds carelessness; it does not measure entropy. A random key of the usual makers passes.
"""

import itertools
import re

LEAST = 16
"""Characters that an access key needs."""

ADVICE = "make one with: openssl rand -hex 24"

_LEAST_KINDS = 6
"""Different characters: 16 random digits have fewer once in 200 keys, 16 hex digits hardly ever."""

_WORDS = re.compile(
    r"(?:pass(?:w[o0]r[dt])?|secret|admin|root|user|guest|default|change|me|now|please|let|in"
    r"|welcome|hello|qwerty|asdfgh?|zxcvbn|abc(?:def)?|xyz|test(?:ing)?|demo|example|sample|dummy"
    r"|gemini|gemproxy|proxy|google|master|super|my|your|the|sk|gp)+"
)
_PLACEHOLDER = re.compile(r"your.*(?:key|password|secret|token|here)|(?:replace|insert|change).*me")


def weakness(key: str) -> str | None:
    """Return why ``key`` is no access key, as the end of a sentence about it; None if it is."""
    lower = key.lower()
    letters = re.sub(r"[^a-z]", "", lower)
    digits = re.sub(r"\D", "", lower)
    words = _WORDS.fullmatch(letters) is not None
    if words and (len(digits) <= LEAST // 2 or _runs(digits)):
        return "is well known, so it is tried first"
    if len(key) < LEAST:
        return f"has fewer than {LEAST} characters"
    if _PLACEHOLDER.search(lower):
        return "is a placeholder"
    if len(set(lower)) < _LEAST_KINDS or _repeats(lower) or _runs(lower):
        return "has too little variety"
    return None


def _repeats(text: str) -> bool:
    """Return whether a text is one piece, several times."""
    return text in (text + text)[1:-1]


def _runs(text: str) -> bool:
    """Return whether most characters follow their neighbours in the alphabet or on the keyboard."""
    rows = "01234567890 abcdefghijklmnopqrstuvwxyz qwertyuiop asdfghjkl zxcvbnm"
    pairs = [first + second for first, second in itertools.pairwise(text)]
    steps = sum(pair in rows or pair[::-1] in rows or pair[0] == pair[1] for pair in pairs)
    return bool(pairs) and steps * 5 >= len(pairs) * 4
