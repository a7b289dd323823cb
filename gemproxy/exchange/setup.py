"""The first message of a Live session, which says which model it is for.

Everything else in it that binds the session to a project is a name like any other: a cached
content, a file, the handle of an earlier session.
"""

from typing import Any

import msgspec


class _Setup(msgspec.Struct):
    model: Any = None


class _Message(msgspec.Struct):
    setup: _Setup | None = None


_decoder = msgspec.json.Decoder(_Message)


def model_of_setup(message: bytes) -> str:
    """Return the model of a session, without its collection; empty if the message names none."""
    try:
        setup = _decoder.decode(message).setup
    except (msgspec.DecodeError, RecursionError):
        return ""
    model = setup.model if setup is not None else None
    return model.rpartition("models/")[2] if isinstance(model, str) else ""
