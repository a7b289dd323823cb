"""The kinds of settings that hold keys: those of the pool, by project, and those of access.

A value comes as TOML (a list, a table) or as text (a list with commas or lines, or JSON). A key may
have any shape, but it is visible ASCII without blanks, because it is sent in a header. Errors and
``show`` never contain a key; a key of the pool is shown by its fingerprint.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

import attrs

from gemproxy.config.kinds import Kind, one_of
from gemproxy.config.tables import json_of, shown, table_of
from gemproxy.observe.logs import MASK, redact
from gemproxy.observe.names import NAME, is_name
from gemproxy.pool.key import Key, Limits, fingerprint

ACCESS_PREFIX = "gp-"
"""A credential with this prefix is an access key, so it never goes to Gemini."""

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

_VISIBLE = re.compile(r"[!-~]+")
_MOST_SHOWN = 12
_LONGEST_NAME_OF_A_MODEL = 200


def keys_of(value: object) -> tuple[Key, ...]:
    """Return the keys in a list or a text, each once, as projects of their own.

    A ``Key`` among them is kept as it is. Raises ValueError.
    """
    found: dict[str, Key] = {}
    for key in map(_key, _listed(value)):
        found.setdefault(key.secret, key)
    found.pop("", None)
    return tuple(found.values())


def projects_of(value: object) -> Mapping[str, tuple[Key, ...]]:
    """Return project -> its keys, from a table or JSON. Raises ValueError."""
    projects: dict[str, tuple[Key, ...]] = {}
    for name, listed in table_of(value, "a table of projects and lists of keys").items():
        try:
            keys = keys_of(listed)
        except ValueError as error:
            raise ValueError(f"gives project {shown(name)} a list that {error}") from None
        if not keys:
            raise ValueError(f"gives project {shown(name)} no key")
        projects[_project(name)] = tuple(attrs.evolve(key, project=name) for key in keys)
    return projects


def _listed(value: object) -> Iterable[object]:
    if isinstance(value, str):
        text = value.strip()
        if not text.startswith("["):
            return re.split(r"[,\r\n]", text)
        value = json_of(text, "a list of keys")
    if not isinstance(value, (list, tuple)):
        raise ValueError("is not a list of keys")  # noqa: TRY004 - reported like any other
    return value


def _key(item: object) -> Key:
    if isinstance(item, Key):
        return item
    if not isinstance(item, str):
        raise ValueError("holds a key that is not text")  # noqa: TRY004 - reported like any other
    secret = item.strip().strip("\"'")  # docker --env-file keeps the quotes of a value
    if secret and not _VISIBLE.fullmatch(secret):
        raise ValueError("holds a key with a blank, a control character or a letter beyond ASCII")
    if secret.startswith(ACCESS_PREFIX):
        raise ValueError(f"holds a key that begins with {ACCESS_PREFIX}, as access keys do")
    return Key(secret, project=fingerprint(secret))


def _project(name: str) -> str:
    if not NAME.fullmatch(name) or name != name.strip():
        raise ValueError("has a project whose name is not up to 64 letters, digits, '.', '-', '_'")
    if redact(name) != name:  # outputs have the names of projects
        raise ValueError("has a key in the place of a project")
    return name


def _weights(value: object) -> Mapping[str, float]:
    weights: dict[str, float] = {}
    for name, weight in table_of(value, "a table of projects and numbers").items():
        try:
            number = float(str(weight))
        except ValueError:
            number = 0.0
        if not math.isfinite(number) or number <= 0:
            raise ValueError(f"gives project {shown(name)} a weight that is not a number above 0")
        weights[_project(name)] = number
    return weights


def _proxies(value: object) -> Mapping[str, str]:
    proxies: dict[str, str] = {}
    for name, url in table_of(value, "a table of projects and URLs of proxies").items():
        if not isinstance(url, str) or not _is_proxy(url.strip()):
            schemes = ", ".join(f"{scheme}://" for scheme in PROXY_SCHEMES)
            raise ValueError(
                f"gives project {shown(name)} a proxy that is not a URL with one of {schemes}"
            )
        proxies[_project(name)] = url.strip()
    return proxies


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    usable = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and port != 0
    return usable and _VISIBLE.fullmatch(url) is not None


def _limits(value: object) -> Mapping[str, Limits]:
    limits: dict[str, Limits] = {}
    what = "a table of models, each with rpm, tpm or rpd"
    for model, table in table_of(value, what).items():
        name = model.removeprefix("models/")
        if not name or len(name) > _LONGEST_NAME_OF_A_MODEL or not name.isprintable():
            raise ValueError("has a model without a name")
        limits[name] = table if isinstance(table, Limits) else _limits_of_model(name, table)
    return limits


def _limits_of_model(name: str, table: object) -> Limits:
    if not isinstance(table, Mapping):
        raise ValueError(f"gives {shown(name)} no table with rpm, tpm or rpd")  # noqa: TRY004
    unknown = table.keys() - {"rpm", "tpm", "rpd"}
    if unknown:
        hint = (
            "; quote a name with dots" if any(isinstance(v, dict) for v in table.values()) else ""
        )
        raise ValueError(f"gives {shown(name)} something else than rpm, tpm or rpd{hint}")
    for unit, count in table.items():
        if not re.fullmatch(r"\d{1,15}", str(count)) or isinstance(count, bool):
            raise ValueError(f"gives {shown(name)} a value of {unit} that is not a whole number")
    return Limits(**{unit: int(count) for unit, count in table.items()})


def _access_keys(value: object) -> Mapping[str, str]:
    keys: dict[str, str] = {}
    for name, key in table_of(value, "a table of names and access keys").items():
        if not is_name(name):
            raise ValueError("has a name that is not up to 64 letters, digits, '.', '-', '_'")
        try:
            keys[name] = _access_key(key)
        except ValueError as error:
            raise ValueError(f"gives {name!r} a key that {error}") from None
        if not keys[name]:
            raise ValueError(f"gives {name!r} an empty key")
    return keys


def _access_key(value: object) -> str:
    key = value.strip() if isinstance(value, str) else "\n"
    if key and not _VISIBLE.fullmatch(key):
        raise ValueError("is not text of visible ASCII characters without blanks")
    return key


def _secret_text(value: object) -> str:
    if isinstance(value, str) and value.strip().isprintable():
        return value.strip()
    raise ValueError("is not one line of text")


def some(names: Sequence[str], separator: str = ", ") -> str:
    """Return names for people, and the number of the others if there are very many."""
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return separator.join(names[:_MOST_SHOWN]) + more


def _show_keys(keys: Iterable[Key]) -> str:
    return some([key.name for key in keys])


def _show_projects(projects: Mapping[str, Iterable[Key]]) -> str:
    return some([f"{name}: {_show_keys(keys)}" for name, keys in projects.items()], "; ")


def _show_weights(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name}: {weight:g}" for name, weight in weights.items())


def _show_proxies(proxies: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {redact(url)}" for name, url in proxies.items())


def _show_limits(limits: Mapping[str, Limits]) -> str:
    return "; ".join(
        f"{model}: " + ", ".join(f"{unit} {n}" for unit, n in attrs.asdict(limit).items() if n)
        for model, limit in limits.items()
    )


def _show_names(keys: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {MASK}" for name in keys)


def _masked(value: str) -> str:
    return MASK if value else ""


ModeName = Literal["", "passthrough", "pool", "both"]
StrategyName = Literal["least_used", "round_robin", "weighted"]
UnownedName = Literal["", "refuse", "allow"]

Mode = Annotated[ModeName, one_of(ModeName)]
Strategy = Annotated[StrategyName, one_of(StrategyName)]
Unowned = Annotated[UnownedName, one_of(UnownedName)]
Keys = Annotated[tuple[Key, ...], Kind(keys_of, _show_keys)]
Projects = Annotated[Mapping[str, tuple[Key, ...]], Kind(projects_of, _show_projects)]
Weights = Annotated[Mapping[str, float], Kind(_weights, _show_weights)]
Proxies = Annotated[Mapping[str, str], Kind(_proxies, _show_proxies)]
LimitsOfModels = Annotated[Mapping[str, Limits], Kind(_limits, _show_limits)]
AccessKeys = Annotated[Mapping[str, str], Kind(_access_keys, _show_names)]
AccessKey = Annotated[str, Kind(_access_key, _masked)]
Secret = Annotated[str, Kind(_secret_text, _masked)]
