"""Settings that change while the proxy runs: which they are, and what a change makes of them.

Values that operators set by the admin API are one more source: stronger than files and variables,
weaker than flags. Each is parsed by its kind and judged with all others by the rules of a start, so
a value that a start would refuse is refused. No ``file://`` is read for such a value: who changes a
prompt need not be who may read the files of the machine.
"""

import os
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args, get_origin

import attrs
from typed_settings.types import OptionInfo

from gemproxy.config.kinds import kind_of
from gemproxy.config.loading import REASONS, problems_of, value_of
from gemproxy.config.settings import Loaded, SettingsError, catalogue, settings_of, values_of
from gemproxy.config.sources import problem
from gemproxy.config.starting import StoredUsers
from gemproxy.pool.key import Limits
from gemproxy.shaping.thinking import Thinking

ADMIN = "admin"
"""The origin of a value that was set by the admin API."""

FLAG = "flag "
"""The beginning of the origin of a value that a flag sets."""

_SHAPES = {bool: "switch", int: "whole number", float: "number"}
_FILE = "file://"
_OPEN = "*"

LIVE: Mapping[str, str] = {
    "upstream.first_byte_timeout_seconds": "Further attempts of a running request have the new "
    "time, too.",
    "upstream.chunk_timeout_seconds": "",
    "upstream.thinking_timeout_seconds": "",
    "upstream.finish_grace_seconds": "",
    "upstream.tool_finish_grace_seconds": "",
    "repair.enabled": "",
    "repair.max_consecutive_retries": "",
    "repair.retry_delay_ms": "",
    "repair.max_delay_ms": "",
    "repair.max_resumes": "With a pool, also the most keys that one running request may try.",
    "repair.max_seconds": "",
    "repair.max_extra_tokens": "",
    "repair.swallow_thoughts_after_retry": "",
    "repair.hold_function_calls": "",
    "repair.empty_stop_retries": "",
    "repair.retry_after_limit_seconds": "Running requests wait for a key of the pool by the new "
    "value.",
    "repair.retries_per_minute": "Acts on running requests, too, and keeps what is counted.",
    "repair.max_stream_bytes": "",
    "repair.keep_answer_bytes": "",
    "repair.unary_via_stream": "",
    f"{REASONS}.{_OPEN}": "",
    "pool.strategy": "A conversation stays with the project that it has.",
    "pool.weights": "Only projects that have a key can have a weight.",
    "pool.limits": "Requests of the day that were counted stay counted; the first limit per minute "
    "of a model counts from the change on.",
    "thinking.enabled": "",
    "thinking.budget": "",
    "thinking.level": "",
    "thinking.include_thoughts": "",
    "thinking.native": "",
    "thinking.models": "",
    "injection.enabled": "",
    "injection.content": "Is the prompt itself: file:// is not read.",
    "injection.position": "",
    "injection.allow_opt_out": "",
    "openai.default_model": "",
    "openai.aliases": "",
    "openai.model_suffixes": "",
    "openai.markdown_images": "",
    "images.models": "",
    "images.default_model": "",
    "images.timeout_seconds": "",
    "images.rate_per_minute": "Keeps what is counted of the last minute.",
    "images.response": "url needs a storage, which is set at the start.",
    "images.history": "",
    "images.markdown_links": "Shows nothing without a storage, which is set at the start.",
}
"""Path -> what a change cannot do, or does to running requests; empty: nothing worth a word."""


def note_of(path: str) -> str | None:
    """Return the note of a setting that is live, None for any other."""
    section = path.partition(".")[0]
    return LIVE.get(path, LIVE.get(f"{section}.{_OPEN}"))


def fixed(base: Loaded, path: str) -> str | None:
    """Return why a setting cannot change while the proxy runs, None if it can."""
    if note_of(path) is None:
        return "changes by a restart only"
    if pinned(base, path):
        origin = base.origins[path]
        return f"is set by the {origin}, which is stronger; start without it to change this"
    return None


def option_of(path: str) -> OptionInfo | None:
    """Return the setting at a path, None if there is none."""
    return catalogue().find(path)


def shown(option: OptionInfo, value: object) -> tuple[str, object]:
    """Return a value for people and in JSON, both without a secret: null stands for one."""
    kind = kind_of(option.cls)
    text = kind.show(value) if kind is not None else str(value)
    return text, None if option.is_secret else _json_of(value)


def _json_of(value: object) -> object:
    """Return a value in the shape in which it may be given."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _json_of(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_json_of(item) for item in value]
    if isinstance(value, Limits | Thinking):
        fields = attrs.asdict(value)
        return {name: _json_of(item) for name, item in fields.items() if item is not None}
    return str(value)


def shape_of(option: OptionInfo) -> tuple[str, list[str]]:
    """Return a word for the shape of a setting's values, and the words that it may be, if few."""
    annotation = get_args(option.cls)[0] if hasattr(option.cls, "__metadata__") else option.cls
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not type(None)]
    if get_origin(annotation) is Literal:
        return "word", [word for word in kinds if word]
    outer = get_origin(annotation)
    if outer in (Mapping, tuple):
        return ("table" if outer is Mapping else "list"), []
    return _SHAPES.get(kinds[0], "text"), []


def columns_of(option: OptionInfo) -> list[str]:
    """Return the values that each name of a table has, empty where it has one without a name."""
    annotation = get_args(option.cls)[0] if hasattr(option.cls, "__metadata__") else option.cls
    item = get_args(annotation)[-1] if get_origin(annotation) is Mapping else str
    return [field.name for field in attrs.fields(item)] if attrs.has(item) else []


def pinned(base: Loaded, path: str) -> bool:
    """Return whether a flag keeps a setting from changing that could change otherwise."""
    return note_of(path) is not None and base.origins.get(path, "").startswith(FLAG)


def changed(base: Loaded, values: Mapping[str, object], projects: Collection[str]) -> Loaded:
    """Return the settings with values over those of ``base``, the settings of the start.

    ``projects`` are the projects that have a key now. Raises SettingsError with all problems that
    the values bring.
    """
    parsed, problems = _parsed(base, values)
    before = values_of(base.settings)
    after = {**before, **parsed}
    origins = {**base.origins, **dict.fromkeys(parsed, ADMIN)}
    known = set(_judged(before, base.origins, projects))
    problems += [text for text in _judged(after, origins, projects) if text not in known]
    if problems:
        raise SettingsError(problems)
    return attrs.evolve(base, settings=settings_of(after), origins=origins)


def taken(
    base: Loaded, values: Mapping[str, object], projects: Collection[str]
) -> tuple[Loaded, list[str]]:
    """Return the settings with stored values, and the problems of those that are left out.

    A value can be stored and of no use: a flag sets it now, or the settings of a later start do not
    go with it.
    """
    try:
        return changed(base, values, projects), []
    except SettingsError:
        pass
    good: dict[str, object] = {}
    loaded, problems = base, []
    for path in sorted(values):
        try:
            loaded = changed(base, {**good, path: values[path]}, projects)
        except SettingsError as error:
            problems += error.problems
        else:
            good[path] = values[path]
    return loaded, problems


def _parsed(base: Loaded, values: Mapping[str, object]) -> tuple[dict[str, Any], list[str]]:
    parsed: dict[str, Any] = {}
    problems = []
    for path, raw in values.items():
        option = option_of(path)
        why = _refusal(base, path, option, raw)
        if option is not None and why is None:
            try:
                parsed[path] = value_of(option, raw, files=False)
            except ValueError as error:
                why = str(error)
        if why is not None:
            problems.append(problem(path, why, ADMIN))
    return parsed, problems


def _refusal(base: Loaded, path: str, option: OptionInfo | None, raw: object) -> str | None:
    """Return why nothing may be set at a path by the admin API, None if it may."""
    if option is None:
        return "no such setting"
    if (why := fixed(base, path)) is not None:
        return why
    if option.is_secret and str(raw).strip().startswith(_FILE):
        return f"is taken as it is here, and no {_FILE} is read"
    return None


def _judged(
    values: Mapping[str, Any], origins: Mapping[str, str], projects: Collection[str]
) -> list[str]:
    """Return the problems of values by the rules of a start; users are left out, none is live."""
    return list(
        problems_of(
            values,
            origins,
            os.environ,
            stored=projects,
            users=lambda: StoredUsers(any=True),
            starting=True,
            unsure=False,
        )
    )
