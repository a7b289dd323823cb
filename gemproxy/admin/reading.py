"""Reads queries and bodies into the forms of a route; what does not fit is named by its field.

A query repeats a name for each item of a list; any other name comes once. A body is JSON, whatever
its Content-Type says: old scripts send a form's. Unknown fields are refused, because a misspelt one
would change nothing and look as if it had.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from multidict import MultiMapping

from gemproxy.admin.route import Form
from gemproxy.core.errors import BadField, BadRequest
from gemproxy.observe.logs import redact

F = TypeVar("F", bound=Form)

_PLACED = re.compile(r"(?P<why>.*?)(?: - at `\$(?P<place>.*)`)?", re.DOTALL)
_OF_FIELD = re.compile(r"Object (?:contains (unknown)|missing required) field `(?P<name>.*)`")
_LONGEST = 200
_LISTS = (
    msgspec.inspect.ListType,
    msgspec.inspect.VarTupleType,
    msgspec.inspect.SetType,
    msgspec.inspect.FrozenSetType,
)
_TEXT = (msgspec.inspect.StrType,)


def query_of(form: type[F], given: MultiMapping[str]) -> F:
    """Return the query of a request. Raises BadField."""
    fields = msgspec.structs.fields(form)
    lists = {field.encode_name for field in fields if _is(field.type, _LISTS)}
    texts = {field.encode_name for field in fields if _is(field.type, _TEXT)}
    values: dict[str, object] = {}
    for name in given:
        found = given.getall(name)
        if name in lists:
            values[name] = [item for text in found for item in text.split(",")]
        elif len(found) > 1:
            raise BadField(_shown(name), "comes several times")
        elif found[0].lower() == "null" and name not in texts:
            raise BadField(_shown(name), "has no value")  # read as JSON, it would be none at all
        else:
            values[name] = found[0]
    return _converted(form, values, strict=False)


def body_of(form: type[F], body: bytes) -> F:
    """Return the body of a request; one without fields may be missing. Raises BadField."""
    try:
        document = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The request body is not JSON.") from None
    if not isinstance(document, dict):
        raise BadRequest("The request body is not a JSON object.")
    return _converted(form, document, strict=True)


def _converted(form: type[F], values: Mapping[str, object], *, strict: bool) -> F:
    try:
        return msgspec.convert(values, form, strict=strict)
    except msgspec.ValidationError as error:
        raise _field(str(error)) from None
    except (ValueError, OverflowError):
        raise BadRequest("The request has a value that cannot be read.") from None


def _field(message: str) -> BadField:
    """Return the error for what msgspec says: the field's path, and the rest of a sentence."""
    placed = _PLACED.fullmatch(message)
    why, place = (placed["why"], placed["place"] or "") if placed else (message, "")
    of_field = _OF_FIELD.fullmatch(why)
    if of_field is not None:
        why = "is not known here" if of_field[1] else "is missing"
        place = f"{place}.{of_field['name']}"
    else:
        why = f"does not fit: {why[:1].lower()}{why[1:]}"
    return BadField(_shown(place.lstrip(".")), redact(why)[:_LONGEST])


def _shown(name: str) -> str:
    return redact(name)[:_LONGEST] or "request"


def _is(annotation: object, wanted: tuple[type, ...]) -> bool:
    kind = msgspec.inspect.type_info(annotation)
    kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    return any(isinstance(_plain(one), wanted) for one in kinds)


def _plain(kind: msgspec.inspect.Type) -> msgspec.inspect.Type:
    return kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind
