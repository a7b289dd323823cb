"""Reads a form that a page sent: fields in, as browsers write them by default."""

from urllib.parse import parse_qsl

import attrs
from aiohttp import web
from multidict import MultiDict

from gemproxy.core.errors import BadRequest, TooLarge
from gemproxy.relay.incoming import Incoming, error_for

_LIMIT = 8 << 20
"""Bytes of a form: some ten thousand keys."""
_MOST_FIELDS = 2000
_FORM = "application/x-www-form-urlencoded"


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
