"""A route of the admin API: a row that says what goes in, what comes out, and who answers.

The application (``admin.application``) and the document (``admin.document``) are made from the same
rows, so the one cannot say what the other does not do. Queries, bodies and answers are classes of
``Form``: msgspec reads and writes them, refuses unknown fields, and derives their JSON Schema.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from gemproxy.admin.desk import Desk
from gemproxy.admin.paths import BASE

Q = TypeVar("Q")
B = TypeVar("B")


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What goes in or comes out, by field; its docstring and ``msgspec.Meta`` describe it."""


def says(words: str) -> Any:  # noqa: ANN401 (an annotation)
    """Return the description of a field."""
    return msgspec.Meta(description=words)


class Nothing(Form, frozen=True):
    """No query, or no body."""


NOTHING = Nothing()


@attrs.frozen
class Text:
    """An answer in another form than JSON: its media type and its bytes.

    ``name`` is the name of a file, where the answer is one to be kept.
    """

    media: str
    body: bytes
    name: str = ""


@attrs.frozen(eq=False)
class Call(Generic[Q, B]):
    """One request: ``names`` are the parts of the path, ``actor`` is who asks, for the audit.

    ``address`` is the caller's address, ``accept`` the media types that the caller takes.
    """

    desk: Desk
    names: Mapping[str, str]
    query: Q
    body: B
    actor: str
    address: str
    accept: str = ""


@attrs.frozen(eq=False)
class Route:
    """One row of the API.

    ``path`` stands below ``base``, with parts as ``{name}``. ``summary`` is the sentence of the
    document. ``body`` is a class of ``Form``, or one annotated with more schema. ``answer`` is the
    class of the answer's body with status ``status``; a handler may return a ``Text`` of one of the
    types ``media`` in its place.
    """

    method: str
    path: str
    handler: Callable[[Call[Any, Any]], Awaitable[Any]]
    summary: str
    answer: Any
    query: type[Form] = Nothing
    body: Any = Nothing
    status: int = 200
    tag: str = ""
    base: str = BASE
    media: tuple[str, ...] = ()
