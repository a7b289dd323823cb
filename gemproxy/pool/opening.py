"""How a conversation is known: by hashes of its first turn and of its first answer.

Every request of a conversation repeats both, and they are the same however many turns follow and
whatever the systemInstruction is. A request without an answer of the model begins a conversation,
and has one hash. The name of the access key goes into the hashes, so that callers share nothing.

The bytes of the turns are hashed as they stand, because a client writes a turn the same way each
time; a single object stands for a list of one, as in Google's API. The body is scanned once without
building its values (about 4 GB/s in a long string), and only the ends of a long turn are hashed. A
body of more than 20 MiB is no conversation: scanning it would hold up other streams.
"""

import hashlib

import msgspec

LARGEST = 20 << 20
_HEAD, _TAIL = 1 << 16, 1 << 12
_SIZE = 16
_NOT_TURNS = ("system", "developer")
_ANSWERS = ("model", "assistant")
_NOTHING = msgspec.Raw()


class _Turn(msgspec.Struct, gc=False):
    """A turn in Google's form (``parts``), or in that of OpenAI."""

    role: str | None = None
    parts: msgspec.Raw = _NOTHING
    content: msgspec.Raw = _NOTHING
    tool_calls: msgspec.Raw = _NOTHING


class _Body(msgspec.Struct):
    contents: list[_Turn] | _Turn | str | None = None
    messages: list[_Turn] | None = None


_DECODER = msgspec.json.Decoder(_Body)


def opening(access: str, body: bytes) -> tuple[bytes, ...]:
    """Return the hashes by which the conversation of a request is known (``Wish.opening``).

    ``access`` is the name of the access key. One hash for a request without an answer of the model,
    two for one with an answer, none for a body that is no conversation.
    """
    turns = _turns(body)
    if not turns:
        return ()
    first = _hash(access.encode("utf-8", "surrogatepass"), turns[0])
    for turn in turns:
        if turn.role in _ANSWERS:
            return first, _hash(first, turn)
    return (first,)


def _turns(body: bytes) -> list[_Turn]:
    if len(body) > LARGEST:
        return []
    try:
        document = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    contents = document.contents
    if isinstance(contents, str):
        return [_Turn(parts=msgspec.Raw(contents.encode("utf-8", "surrogatepass")))]
    if isinstance(contents, _Turn):
        return [contents]
    if contents is not None:
        return contents
    return [turn for turn in document.messages or [] if turn.role not in _NOT_TURNS]


def _hash(salt: bytes, turn: _Turn) -> bytes:
    """Return a hash of what a turn says; its role is not always written."""
    said = _ends(turn.parts) if turn.parts is not _NOTHING else b""
    if turn.content is not _NOTHING or turn.tool_calls is not _NOTHING:
        said = b"%b;%b;%b" % (said, _ends(turn.content), _ends(turn.tool_calls))
    return hashlib.blake2b(b"%d:%b:%b" % (len(salt), salt, said), digest_size=_SIZE).digest()


def _ends(value: msgspec.Raw) -> bytes:
    """Return a JSON value without the brackets of a list; of a long one, its length and ends."""
    if len(value) <= _HEAD:
        said = bytes(value)
        return said[1:-1] if said.startswith(b"[") else said
    view = memoryview(value)
    if bytes(view[:1]) == b"[":
        view = view[1:-1]
    return b"%d:%b%b" % (len(view), bytes(view[:_HEAD]), bytes(view[-_TAIL:]))
