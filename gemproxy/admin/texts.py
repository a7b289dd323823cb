"""How texts in requests are spelt: schemas for the document, and the types that have them.

A text that fits its schema is taken. The code that reads a text may take more spellings (a time in
a query may have lost its ``+``), or a later year; a client that follows the schema needs none.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import available_timezones

import msgspec

_DAY = (
    r"(?:(?:197[1-9]|19[89]\d|2\d{3})-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"|(?:19(?:7[26]|8[048]|9[26])|2\d(?:0[48]|[2468][048]|[13579][26])|2[048]00)-02-29)"
)
"""A day of the years 1971 to 2999; the last line has the leap days."""

_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_OFFSET = r"(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)"
_MOMENT = rf"{_DAY}(?:[T ]{_CLOCK}{_OFFSET}?)?"
_UNIX = r"[1-9]\d{8,9}"
_COUNT = r"(?=.*[1-9])\d{1,15}"
_DOLLARS = r"(?=.*[1-9])(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
_NAME = r"[^\W_](?:[\w .@-]{0,62}[\w.@-])?"
_WORD = r"(?:[A-Za-z0-9._~-]|%(?!3A)[0-9A-F]{2}){1,50}"
"""A user or a password; HTTP ends a user's name with the first colon."""

_PROXY = (
    rf"(?:(?:https?|socks5h?)://(?:{_WORD}(?::{_WORD})?@)?[a-z0-9](?:[a-z0-9-]{{0,30}}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?){0,4}(?::[1-9]\d{0,3})?/?)?"
)
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}"
_MODEL = f"(?:{_PART}/){{0,2}}{_PART}"


def spelt(pattern: str, **more: object) -> msgspec.Meta:
    """Return the schema of texts that match a pattern as a whole."""
    return msgspec.Meta(extra_json_schema={**_text(pattern), **more})


def _text(pattern: str) -> dict[str, Any]:
    r"""Return a schema; ``\d`` in its pattern would match the digits of all languages in some."""
    return {"type": "string", "pattern": f"^(?:{pattern})$".replace(r"\d", "[0-9]")}


Time = Annotated[str, spelt(f"{_MOMENT}|{_UNIX}", examples=["2026-11-28", "2026-11-28T09:30Z"])]
"""A date, a time with or without an offset, or Unix seconds."""

Day = Annotated[str, spelt(_MOMENT, examples=["2027-01-31", "2027-01-31T18:00Z"])]
"""A date, or a time with or without an offset."""

Number = Annotated[str, spelt(r"\d{0,18}")]
"""The cursor of a list by numbers; empty for the first page."""

OfKeys = Annotated[str, spelt("(?:.*/.*)?")]
"""The cursor of the list of Gemini keys; empty for the first page."""

_GROUPS = r"(?:[0-9a-f]{2})*(?:\.(?:[0-9a-f]{2})*)?"
OF_GROUPS = re.compile(_GROUPS)
OfGroups = Annotated[str, spelt(_GROUPS)]
"""The cursor of the groups of usage; empty for the first page."""

OfStreams = Annotated[str, spelt(r"(?:\d{20}-\d{5}-.*)?")]
"""The cursor of the list of what runs; empty for the first page."""

OfUsers = Annotated[str, spelt(r"(?:settings:.*|stored:\d{1,9})?")]
"""The cursor of the list of access keys; empty for the first page."""

PersonsName = Annotated[str, spelt(_NAME)]
"""The name of an access key."""

Model = Annotated[str, spelt(f"(?:{_MODEL})?")]
"""A model, or nothing."""

Models = Annotated[str, spelt(rf"{_MODEL}\*?|\*")]
"""A model; a ``*`` at its end stands for any rest."""

COUNT = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10**15 - 1}, _text(_COUNT)]}
"""The schema of a limit that is a whole number."""

DOLLARS = {"anyOf": [{"type": "number", "minimum": 1e-9, "maximum": 10**9 - 1}, _text(_DOLLARS)]}
"""The schema of a limit that is money."""

GEMINI_KEY = _text(r"(?!gp-)[!#-&(-~](?:[!-~]{0,498}[!#-&(-~])?")
"""The schema of a Gemini key."""

PROJECT = _text(f"(?:{_NAME})?")
"""The schema of a project's name, or of nothing."""

PROXY = _text(_PROXY)
"""The schema of the URL of an outbound proxy, or of nothing."""

ZONE = "TimeZone"
Zone = Annotated[str, msgspec.Meta(extra_json_schema={"$ref": f"#/components/schemas/{ZONE}"})]
"""A time zone of the IANA's database."""


def common() -> Mapping[str, Any]:
    """Return the schemas that are in the document once, by name."""
    return {
        ZONE: {
            "type": "string",
            "description": "A time zone of the IANA's database.",
            "enum": sorted(available_timezones()),
        }
    }
