"""The signatures of pictures that models drew, which clients of OpenAI's dialect cannot carry.

Image models want the thoughtSignature of a picture back when it stands in the history
(https://ai.google.dev/gemini-api/docs/thought-signatures). A call has it in its id; a picture comes
back as a data URL and nothing else. So signatures are remembered here, by the bytes of the picture
and by who got it, because one client must not learn from another's history.

The memory is that of one process and is bounded; what was not used for longest goes first. A
picture that is forgotten goes up without a signature.
"""

import base64
import binascii
import hashlib
from collections import OrderedDict

import attrs

MOST_BYTES = 32 << 20
MOST_PICTURES = 10_000
_LARGEST = 2 << 20
"""A longer signature is not kept: it would push out too many others."""


@attrs.define
class Drawn:
    """Remembers signatures: ``most_bytes`` of them, for ``most`` pictures."""

    most_bytes: int = MOST_BYTES
    most: int = MOST_PICTURES
    held: int = attrs.field(default=0, init=False)
    _signatures: "OrderedDict[bytes, str]" = attrs.field(factory=OrderedDict, repr=False)

    def remember(self, owner: str, data: str | bytes | memoryview, signature: str) -> None:
        """Note the signature of a picture, given in base64, that ``owner`` gets."""
        try:
            picture = base64.b64decode(data, altchars=b"-_" if _is_url_safe(data) else None)
        except (binascii.Error, ValueError):
            return
        if len(signature) > min(_LARGEST, self.most_bytes):
            return
        key = _key(owner, picture)
        self.held += len(signature) - len(self._signatures.pop(key, ""))
        self._signatures[key] = signature
        while self.held > self.most_bytes or len(self._signatures) > self.most:
            _, forgotten = self._signatures.popitem(last=False)
            self.held -= len(forgotten)

    def signature(self, owner: str, picture: bytes) -> str | None:
        """Return the signature of a picture that ``owner`` got, None if it is not known."""
        key = _key(owner, picture)
        found = self._signatures.get(key)
        if found is not None:
            self._signatures.move_to_end(key)
        return found


def _key(owner: str, picture: bytes) -> bytes:
    """Return a hash of both, so that neither is kept."""
    digest = hashlib.blake2b(picture, digest_size=32)
    return hashlib.blake2b(owner.encode("utf-8", "surrogatepass"), key=digest.digest()).digest()


def _is_url_safe(data: str | bytes | memoryview) -> bool:
    """Return whether base64 is in the alphabet for URLs; what was lifted, as bytes, never is."""
    return isinstance(data, str) and ("-" in data or "_" in data)
