"""The kinds of values that settings have.

A ``Kind`` is the metadata of a setting's annotation. It parses a raw value of any source (TOML, a
variable, a flag) and shows the value to people, so a setting is declared, parsed and printed by one
annotation.
"""

import functools
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import attrs
import cattrs
from typed_settings.converters import to_bool

from gemproxy.observe.logs import redact

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DATABASES = ("postgresql", "postgres", "postgresql+asyncpg", "sqlite")
"""The schemes of databases that can be used."""

UNITS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@attrs.frozen
class Kind:
    """How a value is parsed and shown.

    ``parse`` returns the value of a raw value, or of a value that it returned before. The text of
    its ValueError continues a sentence that begins with the value: "is not a whole number".
    ``show`` returns the value for people, without its secrets.
    """

    parse: Callable[[Any], Any]
    show: Callable[[Any], str] = str


def kind_of(annotation: object) -> Kind | None:
    """Return the Kind in an ``Annotated``, or None for any other annotation."""
    metadata = getattr(annotation, "__metadata__", ())
    return next((item for item in metadata if isinstance(item, Kind)), None)


@functools.cache
def converter() -> cattrs.Converter:
    """Return a cattrs converter that parses annotated values by their Kind."""

    def parse(value: object, annotation: object) -> object:
        kind = kind_of(annotation)
        assert kind is not None  # noqa: S101 (the predicate below has seen it)
        return kind.parse(value)

    made = cattrs.Converter(forbid_extra_keys=True)
    made.register_structure_hook_func(lambda annotation: kind_of(annotation) is not None, parse)
    return made


def whole(low: int, high: int | None = None) -> Kind:
    """Return the kind of whole numbers from ``low`` to ``high``."""

    def parse(value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError("is not a whole number") from None
        if number < low:
            raise ValueError(f"is less than {low}")
        if high is not None and number > high:
            raise ValueError(f"is more than {high}")
        return number

    return Kind(parse)


def _ratio(value: object) -> float:
    match = re.fullmatch(r"[01]|[01]?\.\d{1,9}", str(value).strip())
    if match is None or float(match[0]) > 1:
        raise ValueError("is not a ratio from 0 to 1, such as 0.1")
    return float(match[0])


def _seconds(*, zero: bool) -> Kind:
    def parse(value: object) -> float:
        match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)(ms|s|m|h)?", str(value).strip())
        if match is None:
            raise ValueError("is not a number of seconds, such as 30, 1.5 or '2m'")
        seconds = float(match[1]) * SECONDS[match[2] or "s"]
        if not seconds and not zero:
            raise ValueError("is not more than 0")
        return seconds

    return Kind(parse, show="{:g}".format)


def _bytes(value: object) -> int:
    match = re.fullmatch(r"(\d{1,15})\s*([KMG]i)?B?", str(value).strip())
    if match is None:
        raise ValueError("is not a number of bytes, such as 1048576 or '1MiB'")
    size = int(match[1]) * UNITS[f"{match[2] or ''}B"]
    if not size:
        raise ValueError("is not more than 0")
    return size


def _show_bytes(size: int) -> str:
    unit = next(unit for unit, factor in UNITS.items() if size % factor == 0)
    return f"{size // UNITS[unit]}{unit}"


def _switch(value: object) -> bool:
    try:
        return to_bool(value)
    except (ValueError, TypeError):
        raise ValueError("is not true or false") from None


def _show_switch(value: object) -> str:
    return "true" if value else "false"


def _switch_or_none(value: object) -> bool | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _switch(value)


def _show_switch_or_none(value: bool | None) -> str:  # noqa: FBT001 (a value to show)
    return "" if value is None else _show_switch(value)


def _text(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value.strip()
    raise ValueError("is not one line of text")


def _name(value: object) -> str:
    text = _text(value)
    if not text:
        raise ValueError("is empty")
    return text


def one_of(literal: object, also: Mapping[str, str] | None = None) -> Kind:
    """Return the kind of the words of a ``Literal``; ``also`` are other words for them."""
    words = get_args(literal)

    def parse(value: object) -> str:
        word = str(value).strip().lower()
        word = (also or {}).get(word, word)
        if word not in words:
            raise ValueError(f"is not one of {', '.join(filter(None, words))}")
        return word

    return Kind(parse)


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0


def _http_url(value: object) -> str:
    text = _text(value)
    if not _is_http_url(text) or " " in text:
        raise ValueError("is not a URL that begins with http:// or https://")
    return text


def _url_base(value: object) -> str:
    url = _http_url(value)
    if "@" in urlsplit(url).netloc:
        raise ValueError("must not hold a user name or a password")
    if "?" in url or "#" in url:
        raise ValueError("must end with its path: no query, no fragment")
    return url.rstrip("/")


def _origins(value: object) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)):
        raise ValueError("is not a list of origins")  # noqa: TRY004 - reported like any other
    texts = [_text(item).lower().rstrip("/") for item in listed]
    return tuple(_origin(text) for text in texts if text)


def _origin(text: str) -> str:
    if text != "*" and not (_is_http_url(text) and re.fullmatch(r"https?://[^/?#@\s]+", text)):
        raise ValueError("is not a list of origins, such as 'https://example.org' or '*'")
    return text


def public_url(value: object) -> str:
    """Return a base URL, or the empty text. Raises ValueError."""
    text = _text(value)
    return _url_base(text) if text else ""


def _proxy_url(value: object) -> str:
    text = _text(value)
    if text in {"", "env"}:
        return text
    try:
        return _http_url(text)
    except ValueError:
        raise ValueError("is not an http(s) URL, nor 'env', nor empty") from None


def _networks(value: object) -> tuple[Network, ...]:
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)):
        raise ValueError("is not a list of networks")  # noqa: TRY004 - reported like any other
    return tuple(_network(str(item).strip()) for item in listed if str(item).strip())


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            "is not a list of networks, such as '10.0.0.0/8' or '192.0.2.7, 2001:db8::/32'"
        ) from None


def _hosts(value: object) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)):
        raise ValueError("is not a list of host names")  # noqa: TRY004 - reported like any other
    names = [_text(item).lower().rstrip(".") for item in listed]
    for name in filter(None, names):
        if name != "*" and not re.fullmatch(r"[a-z0-9_.-]+", name):
            raise ValueError("is not a list of host names, such as 'gemproxy.example.org' or '*'")
    return tuple(filter(None, names))


def _zone(value: object) -> str:
    name = _name(value)
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder, a path, an unknown name
        raise ValueError("is not the name of a time zone, such as Europe/Berlin") from None
    return name


def _database_url(value: object) -> str:
    url = _text(value)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in DATABASES and parts.port != 0
    except ValueError:
        usable = False
    file = url.removeprefix("sqlite://")
    if not usable or (file != url and (not file.startswith("/") or file == "/")):
        raise ValueError("is not postgresql://user:password@host/name, nor sqlite:///file")
    return url


def _show_database(url: str) -> str:
    """Return a URL without its password, which may be in its query, too."""
    return redact(re.sub(r"(://[^/@:]*:)[^/]*@", r"\1***@", url.partition("?")[0]))


def _show_networks(networks: Iterable[Network]) -> str:
    return ", ".join(map(str, networks))


LevelName = Literal["debug", "info", "warning", "error", "critical"]
FormatName = Literal["json", "text"]
EndingName = Literal["accept", "resume", "replay", "reroll"]
UnpricedName = Literal["refuse", "allow"]
ServerTimingName = Literal["off", "ask", "on"]
ConventionsName = Literal["new", "old", "both"]
OnDisconnectName = Literal["continue", "cancel"]

seconds_in = _seconds(zero=True).parse
"""Returns the seconds in a value, 0 or more. Raises ValueError."""

Port = Annotated[int, whole(0, 65535)]
Count = Annotated[int, whole(0)]
Positive = Annotated[int, whole(1)]
Seconds = Annotated[float, _seconds(zero=False)]
SecondsOrNone = Annotated[float, _seconds(zero=True)]
Bytes = Annotated[int, Kind(_bytes, _show_bytes)]
Ratio = Annotated[float, Kind(_ratio, show="{:g}".format)]
Switch = Annotated[bool, Kind(_switch, _show_switch)]
SwitchOrNone = Annotated[bool | None, Kind(_switch_or_none, _show_switch_or_none)]
Text = Annotated[str, Kind(_text)]
Name = Annotated[str, Kind(_name)]
Origins = Annotated[tuple[str, ...], Kind(_origins, ", ".join)]
Networks = Annotated[tuple[Network, ...], Kind(_networks, _show_networks)]
Hosts = Annotated[tuple[str, ...], Kind(_hosts, ", ".join)]
Zone = Annotated[str, Kind(_zone)]
DatabaseUrl = Annotated[str, Kind(_database_url, _show_database)]
Unpriced = Annotated[UnpricedName, one_of(UnpricedName)]
UrlBase = Annotated[str, Kind(_url_base)]
PublicUrl = Annotated[str, Kind(public_url)]
ProxyUrl = Annotated[str, Kind(_proxy_url, redact)]
Level = Annotated[LevelName, one_of(LevelName, also={"warn": "warning"})]
Format = Annotated[FormatName, one_of(FormatName)]
Ending = Annotated[EndingName, one_of(EndingName)]
ServerTiming = Annotated[ServerTimingName, one_of(ServerTimingName)]
Conventions = Annotated[ConventionsName, one_of(ConventionsName)]
OnDisconnect = Annotated[OnDisconnectName, one_of(OnDisconnectName)]
