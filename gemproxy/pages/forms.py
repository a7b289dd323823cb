"""Reads a form that a page sent: fields in, as browsers write them by default."""

import re
from urllib.parse import parse_qsl

import attrs
from aiohttp import web
from multidict import MultiDict, MultiMapping

from gemproxy.core.errors import BadField, BadRequest, GemproxyError, TooLarge
from gemproxy.relay.incoming import Incoming, error_for

_LIMIT = 8 << 20
"""Bytes of a form: some ten thousand keys."""
_MOST_FIELDS = 2000
_FORM = "application/x-www-form-urlencoded"
_CELL = re.compile(r"(?P<table>[\w.-]+)\.(?P<row>\d{1,6})\.(?P<column>\w+)")
_FIELD = re.compile(r"[.\[]")


@attrs.frozen
class Forms:
    """Reads forms; ``patience`` (seconds) and ``rate`` (bytes per second) are expected of them."""

    patience: float = 60.0
    rate: float = 500.0

    async def read(self, request: web.Request) -> MultiDict[str]:
        """Return the fields. Raises GemproxyError."""
        if request.content_type != _FORM:
            raise BadRequest(f"A form comes as {_FORM}.")
        incoming = Incoming(request, _LIMIT, self.patience, self.rate)
        try:
            return _fields(b"".join([piece async for piece in incoming]))
        except web.RequestPayloadError as fault:
            raise error_for(fault) from None


def _fields(body: bytes) -> MultiDict[str]:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except UnicodeDecodeError:
        raise BadRequest("The form is not UTF-8.") from None
    except ValueError:
        raise TooLarge(f"A form has at most {_MOST_FIELDS} fields.") from None
    return MultiDict(pairs)


def rows_of(form: MultiMapping[str], table: str) -> list[dict[str, str]]:
    """Return the rows of a table in a form, whose fields are called ``table.number.column``.

    Values come without blanks around them; a row whose values are all empty is left out.
    """
    rows: dict[int, dict[str, str]] = {}
    for name, value in form.items():
        found = _CELL.fullmatch(name)
        if found is not None and found["table"] == table:
            rows.setdefault(int(found["row"]), {})[found["column"]] = value.strip()
    return [rows[number] for number in sorted(rows) if any(rows[number].values())]


def items_of(text: str) -> list[str]:
    """Return the items of a list that stands in a text area: one a line, or between commas."""
    return [item for item in map(str.strip, text.replace(",", "\n").splitlines()) if item]


def errors_of(error: GemproxyError) -> dict[str, str]:
    """Return what is wrong with a form, by the field; that of the form as a whole is empty."""
    field = error.field if isinstance(error, BadField) else ""
    return {_FIELD.split(field, maxsplit=1)[0]: error.message}
