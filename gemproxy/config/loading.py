"""Makes values out of the raw ones of all sources, and gathers every problem in them."""

import contextlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from typed_settings.dict_utils import merge_settings
from typed_settings.types import OptionInfo
from yarl import URL

from gemproxy.config.keyring import keys_of
from gemproxy.config.kinds import converter
from gemproxy.config.operators import keys_in, origins_of
from gemproxy.config.outbound import UnusableProxy, resolve_proxy
from gemproxy.config.places import prices_of
from gemproxy.config.sources import Sources, problem
from gemproxy.config.starting import StoredUsers, pool_problems, start_problems
from gemproxy.config.tls import TlsError, server_context
from gemproxy.core.repair.verdict import FIXED_REASONS, POLICY_REASONS
from gemproxy.observe.logs import MASK, redact

REASONS = "finish_reasons"


@attrs.frozen
class Stored:
    """Looks up what is stored outside of the settings.

    ``projects`` returns the names of the projects whose keys are in a data directory, given its
    path and the ``secret_key``; ``users`` the stored users, given the path and the
    ``database_url``. They raise ValueError, with a sentence, if that cannot be known, and perhaps
    with the path of the ``setting`` that is to blame.
    """

    projects: Callable[[str, str], Collection[str]] = lambda _data_dir, _secret_key: ()
    users: Callable[[str, str], StoredUsers] = lambda _data_dir, _database_url: StoredUsers()


@attrs.define(eq=False)
class Loading:
    """The values of all settings by path, with their origins and problems.

    ``stored`` has the projects of the keys in the data directory.
    """

    sources: Sources
    environ: Mapping[str, str]
    problems: list[str] = attrs.field(init=False)
    values: dict[str, Any] = attrs.field(factory=dict)
    origins: dict[str, str] = attrs.field(factory=dict)
    stored: Collection[str] = ()

    def __attrs_post_init__(self) -> None:
        self.problems = list(self.sources.problems)

    def load(self, stored: Stored, *, starting: bool) -> None:
        """Take the values; ``starting`` applies the rules of a start, too."""
        self._take_values()
        self._take_keys()
        values, origins = self.values, self.origins
        unsure = any(text.startswith(("pool.keys", "pool.projects")) for text in self.problems)
        self.stored = self._stored(stored)
        self.problems += problems_of(
            values,
            origins,
            self.environ,
            stored=self.stored,
            users=partial(self._users, stored),
            starting=starting,
            unsure=unsure,
        )

    def _take_values(self) -> None:
        options = self.sources.options()
        merged = merge_settings(tuple(options), self.sources.layers)
        self.origins = {path: loaded.loader_meta.name for path, loaded in merged.items()}
        for option in options:
            path = option.path
            try:
                self.values[path] = value_of(option, merged[path].value)
            except ValueError as error:
                self.problems.append(problem(path, str(error), self.origins[path]))

    def _take_keys(self) -> None:
        """Give the keys their origins, and add those in plain variables."""
        origin = self.origins["pool.projects"]
        self.values["pool.projects"] = {
            name: tuple(attrs.evolve(key, origin=origin) for key in keys)
            for name, keys in self.values.get("pool.projects", {}).items()
        }
        origin = self.origins["pool.keys"]
        keys = [attrs.evolve(key, origin=origin) for key in self.values.get("pool.keys", ())]
        for name, raw, origin in self.sources.keys:
            try:
                found = keys_in(name, _secret_of(raw))
            except ValueError as error:
                if self.values.get("pool.mode") == "passthrough":
                    continue  # nobody uses it
                self.problems.append(problem("pool.keys", f"{MASK} {error}", origin))
            else:
                keys += [attrs.evolve(key, origin=origin) for key in found]
        self.values["pool.keys"] = keys_of(keys)
        self.origins["pool.keys"] = origins_of(keys) or self.origins["pool.keys"]

    def _stored(self, stored: Stored) -> Collection[str]:
        paths = ("server.data_dir", "server.secret_key")
        if self.values.get("pool.mode") == "passthrough" or not self.values.keys() >= set(paths):
            return ()
        try:
            return stored.projects(*(self.values[path] for path in paths))
        except ValueError as error:
            path = getattr(error, "setting", paths[0])
            self.problems.append(problem(path, str(error), self.origins[path]))
            return ()

    def _users(self, stored: Stored) -> StoredUsers:
        paths = ("server.data_dir", "ledger.database_url")
        if not self.values.keys() >= set(paths):
            return StoredUsers()
        try:
            return stored.users(*(self.values[path] for path in paths))
        except ValueError as error:
            path = getattr(error, "setting", paths[0])
            self.problems.append(problem(path, str(error), self.origins[path]))
            return StoredUsers(any=True)


def problems_of(  # noqa: PLR0913 (two sets of facts about the values, and two switches)
    values: Mapping[str, Any],
    origins: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    stored: Collection[str],
    users: Callable[[], StoredUsers],
    starting: bool,
    unsure: bool,
) -> Iterator[str]:
    """Yield the problems of settings that are valid individually.

    ``stored`` are the projects of stored keys, ``users`` finds the stored users. ``starting``
    applies the rules of a start, too; ``unsure``: there are further keys, with problems.
    """
    yield from _conflicts(values, origins)
    yield from _ways_out(values, origins, environ)
    yield from pool_problems(values, origins)
    if starting:
        yield from start_problems(values, origins, stored, users, unsure=unsure)


def value_of(option: OptionInfo, raw: object, *, files: bool = True) -> object:
    """Return the value of a setting; raise ValueError with a sentence about the problem.

    ``files``: whether a secret may be the ``file://`` that it is read from.
    """
    section, _, name = option.path.partition(".")
    if section == REASONS:
        _refuse_fixed_reason(name)
    if option.is_secret and files:
        raw = _secret_of(raw)
    try:
        return converter().structure(raw, option.cls)
    except ValueError as error:
        shown = MASK if option.is_secret else redact(repr(raw))
        raise ValueError(f"{shown} {error}") from None


def _refuse_fixed_reason(name: str) -> None:
    """Raise ValueError for a finishReason whose meaning settings must not change."""
    if name in POLICY_REASONS or name.startswith("IMAGE_"):
        raise ValueError("cannot be set: a policy ending is passed on, never worked around")
    if name in FIXED_REASONS:
        raise ValueError("cannot be set: what this ending means is fixed")


def _secret_of(raw: object) -> object:
    """Return a raw value in which the content of a file replaces each ``file://`` that names it."""
    if isinstance(raw, Mapping):
        return {name: _secret_of(item) for name, item in raw.items()}
    if isinstance(raw, list):
        return [_secret_of(item) for item in raw]
    if not isinstance(raw, str):
        return raw
    if raw.lstrip().startswith(("[", "{")) and "file://" in raw:
        document = None
        with contextlib.suppress(ValueError, RecursionError):
            document = json.loads(raw)
        return raw if document is None else _secret_of(document)
    if not raw.strip().startswith("file://"):
        return raw
    file = raw.strip().removeprefix("file://")
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no name of a file"
        raise ValueError(f"{redact(repr(file))} cannot be read: {why}") from None


def _conflicts(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """Yield problems between settings that are valid individually."""
    if values.get("injection.enabled") and values.get("injection.content") == "":
        yield problem(
            "injection.content",
            "is empty, and there is no prompt to inject; set it, or injection.enabled to false",
            origins["injection.content"],
        )
    try:
        prices_of(values.get("accounts.prices", ""))
    except ValueError as error:
        yield problem("accounts.prices", str(error), origins.get("accounts.prices", "default"))
    files = ("server.tls_cert", "server.tls_key")
    if values.keys() >= set(files) and (wrong := _tls_problem(*(values[path] for path in files))):
        path = f"server.{wrong.setting}"
        yield problem(path, f"{redact(repr(values[path]))} {wrong}", origins[path])


def _ways_out(
    values: Mapping[str, Any], origins: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield problems of the proxy on the way out, which may be set in ``environ``."""
    if "upstream.proxy" in values and "upstream.url_base" in values:
        try:
            resolve_proxy(values["upstream.proxy"], URL(values["upstream.url_base"]), environ)
        except UnusableProxy as error:
            yield problem("upstream.proxy", str(error), origins["upstream.proxy"])


def _tls_problem(cert: str, key: str) -> TlsError | None:
    """Return the problems of TLS with these files; two empty names mean no TLS.

    Both files are required: a certificate without a key could start a server without TLS.
    """
    if bool(cert) != bool(key):
        missing, given = ("tls_key", "tls_cert") if cert else ("tls_cert", "tls_key")
        return TlsError(missing, f"is no file, and server.{given} alone is not enough")
    try:
        if cert:
            server_context(cert, key)
    except TlsError as error:
        return error
    return None
