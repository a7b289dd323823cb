"""thoughtSignatures beside a call, a picture or a message, on the way to the client and back."""

import re
from collections.abc import Mapping
from typing import Any

PLACEHOLDER = "skip_thought_signature_validator"
"""Google's signature for parts that the model did not make itself
(https://ai.google.dev/gemini-api/docs/thought-signatures)."""

_NAMES = ("thought_signature", "thoughtSignature")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def signed(signature: str) -> dict[str, Any]:
    """Return a thoughtSignature as Google's own layer for OpenAI's clients tells it."""
    return {"google": {"thought_signature": signature}}


def signature_of(holder: Mapping[str, Any]) -> str | None:
    """Return the signature in ``extra_content.google`` of what a client sends back, or None."""
    extra = holder.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    if not isinstance(google, dict):
        return None
    return usable(next((google[name] for name in _NAMES if google.get(name)), None))


def usable(signature: object) -> str | None:
    """Return a signature, None for what is no base64: Gemini's field holds bytes."""
    taken = isinstance(signature, str) and _BASE64.fullmatch(signature)
    return signature if taken and isinstance(signature, str) else None
