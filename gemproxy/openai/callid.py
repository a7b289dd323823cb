"""The id of a tool call as the client gets it: Gemini's own id, and the signature of the call.

Clients of OpenAI's dialect keep the ids of calls and drop every field that they do not know, so the
id is the one place where a thoughtSignature comes back from them. Ids without a signature stay as
they are. An id with one is

    call_g1_ + check sum (11 characters) + _ + base64url(length of the id, id, signature)

The check sum stands in front: clients that cut ids at 40 characters still get different ones. An
id that is cut, glued to another or made by somebody else fails the check and is taken as it is.
The check sum is no secret. Gemini itself checks the signatures.
"""

import base64
import binascii
import hashlib
import re

MOST = 16 * 1024
"""The longest id with a signature, in characters: clients store ids, some of them in databases.

A longer signature is left out of the id; the answer still has it in ``extra_content``.
"""

_PREFIX = "call_g1_"
_FORM = re.compile(_PREFIX + r"([A-Za-z0-9_-]{11})_([A-Za-z0-9_-]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_BYTES, _TEXT, _NONE = b"b", b"t", b"n"
_LENGTH = 4  # bytes


def carried(own: str, signature: str | None = None) -> str:
    """Return the id of a call for the client; ``own`` is Gemini's, or the one that we made.

    The answer has only letters, digits, ``_`` and ``-``, and ``apart`` gives back both. An id that
    is longer than ``MOST`` by itself is returned as it is.
    """
    if signature and len(found := _form(own, signature)) <= MOST:
        return found
    if _PLAIN.fullmatch(own) and not _FORM.fullmatch(own):
        return own
    found = _form(own, None)
    return found if len(found) <= MOST else own


def apart(client_id: str) -> tuple[str, str | None]:
    """Return the upstream's id and its signature; any id that is not of our form as it is."""
    found = _FORM.fullmatch(client_id)
    if found is None or len(client_id) > MOST:
        return client_id, None
    try:
        payload = base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
        if _plain64(payload) != found[2] or _check(payload) != found[1]:
            return client_id, None
        return _read(payload)
    except (ValueError, IndexError):
        return client_id, None


def _form(own: str, signature: str | None) -> str:
    name = own.encode("utf-8", "surrogatepass")
    payload = len(name).to_bytes(_LENGTH) + name + _packed(signature)
    return f"{_PREFIX}{_check(payload)}_{_plain64(payload)}"


def _packed(signature: str | None) -> bytes:
    """Return a signature as the bytes that its base64 stands for, any other text as it is."""
    if signature is None:
        return _NONE
    try:
        raw = base64.b64decode(signature, validate=True)
        if base64.b64encode(raw).decode() == signature:
            return _BYTES + raw
    except (binascii.Error, ValueError):
        pass
    return _TEXT + signature.encode("utf-8", "surrogatepass")


def _read(payload: bytes) -> tuple[str, str | None]:
    end = _LENGTH + int.from_bytes(payload[:_LENGTH])
    own = payload[_LENGTH:end].decode("utf-8", "surrogatepass")
    kind, rest = payload[end : end + 1], payload[end + 1 :]
    if kind == _BYTES:
        return own, base64.b64encode(rest).decode()
    return own, rest.decode("utf-8", "surrogatepass") if kind == _TEXT else None


def _check(payload: bytes) -> str:
    return _plain64(hashlib.blake2b(payload, digest_size=8, person=b"gemproxy-callid").digest())


def _plain64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
