"""The settings: one frozen tree, and the origin of every value in it.

Sources, each stronger than the one before:

    the defaults below
    TOML     conf/gemproxy.toml of the working directory, else of the checkout; or, instead,
             the files named by --config or by GEMPROXY_SETTINGS
    aliases  plain names that other Gemini proxies use (PORT, PASSWORD, ...),
             from .env, then from the environment
    own      GEMPROXY_<SECTION>_<KEY>, and GEMPROXY_<KEY> for the section ``server``,
             from .env, then from the environment
    flags    --section.key VALUE, and --key VALUE for the section ``server``

--env-file names files that are read in place of .env; of two, the later one is stronger.

An alias is weaker than every name of our own, even than one in .env, because other programs may
have set it for another purpose. A secret may be kept in a file: as ``file:///path``, or by the name
of its variable with ``_FILE`` added. The keys of the pool are no exception from this, but those in
plain variables (GEMINI_API_KEYS, ...) count together with them (``config.operators``).

typed-settings finds the settings in the tree and merges the sources; cattrs builds the result. This
module reports the errors, because an operator needs all problems at once, one line each, with the
name of the variable, file or flag to correct.
"""

import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, cast

import attrs
from typed_settings.cls_utils import deep_options
from typed_settings.dict_utils import set_path
from typed_settings.types import OptionInfo

from gemproxy.config.kinds import Ending, converter, kind_of
from gemproxy.config.loading import REASONS, Loading, Stored
from gemproxy.config.operators import OF_SDKS, mode_of, operators_keys
from gemproxy.config.places import CHECKOUT
from gemproxy.config.sections import (
    Access,
    Accounts,
    Admin,
    Client,
    Images,
    Injection,
    Ledger,
    Logging,
    Metrics,
    OpenAI,
    Pool,
    Repair,
    Resume,
    Server,
    Thinking,
    Tracing,
    Upstream,
)
from gemproxy.config.sources import Catalogue, Sources, flag_help, problem
from gemproxy.config.starting import access_keys
from gemproxy.core.repair.verdict import DEFAULT_VERDICTS

ALIASES = {
    "HOST": "server.host",
    "PORT": "server.port",
    "MAX_CONNECTIONS": "server.max_connections",
    "UPSTREAM_URL_BASE": "upstream.url_base",
    "REQUEST_TIMEOUT_SECONDS": "upstream.first_byte_timeout_seconds",
    "MAX_CONSECUTIVE_RETRIES": "repair.max_consecutive_retries",
    "RETRY_DELAY_MS": "repair.retry_delay_ms",
    "SWALLOW_THOUGHTS_AFTER_RETRY": "repair.swallow_thoughts_after_retry",
    "LOG_LEVEL": "logging.level",
    "LOG_FILE_PATH": "logging.file",
    "DEBUG_MODE": "logging.debug_mode",
    "PASSWORD": "access.password",
    "MAX_REQUESTS_PER_MINUTE": "access.requests_per_minute",
    "MAX_REQUESTS_PER_DAY_PER_IP": "access.requests_per_day_per_ip",
    "DATABASE_URL": "ledger.database_url",
    "WORKERS": "server.workers",
    "IMAGE_STORAGE_TYPE": "images.storage",
    "IMAGE_STORAGE_DIR": "images.directory",
    "HOST_URL": "images.public_url",
    "HISTORY_IMAGE_SUBMIT_TYPE": "images.history",
    "RATE_LIMIT_PER_MINUTE": "images.rate_per_minute",
    "RENDER_EXTERNAL_URL": "server.self_ping_url",
}
"""Alias -> path."""

OF_PROVIDERS: Mapping[str, Mapping[str, str]] = {
    "qiniu": {
        "QINIU_ACCESS_KEY": "images.access_key",
        "QINIU_SECRET_KEY": "images.secret_key",
        "QINIU_BUCKET_NAME": "images.bucket",
        "QINIU_BUCKET_DOMAIN": "images.bucket_domain",
        "QINIU_REGION": "images.region",
    },
    "tencent": {
        "TENCENT_SECRET_ID": "images.access_key",
        "TENCENT_SECRET_KEY": "images.secret_key",
        "TENCENT_BUCKET": "images.bucket",
        "TENCENT_BUCKET_NAME": "images.bucket",
        "TENCENT_DOMAIN": "images.bucket_domain",
        "TENCENT_BUCKET_DOMAIN": "images.bucket_domain",
        "TENCENT_REGION": "images.region",
    },
}
"""Storage -> alias -> path: these count for their own storage only."""

_LONG_THOUGHT_SECONDS = 300
"""Several models were reported to need longer than this before an answer begins."""


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds one readable line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def _endings() -> dict[str, Ending]:
    return {reason: cast("Ending", verdict.value) for reason, verdict in DEFAULT_VERDICTS.items()}


@attrs.frozen(kw_only=True)
class Settings:
    """All settings; ``Settings()`` holds the defaults."""

    server: Server = attrs.field(factory=Server)
    upstream: Upstream = attrs.field(factory=Upstream)
    repair: Repair = attrs.field(factory=Repair)
    finish_reasons: Mapping[str, Ending] = attrs.field(factory=_endings)
    """The meaning of a finishReason: accept, resume, replay or reroll (replay once)."""
    client: Client = attrs.field(factory=Client)
    resume: Resume = attrs.field(factory=Resume)
    logging: Logging = attrs.field(factory=Logging)
    pool: Pool = attrs.field(factory=Pool)
    access: Access = attrs.field(factory=Access)
    accounts: Accounts = attrs.field(factory=Accounts)
    ledger: Ledger = attrs.field(factory=Ledger)
    openai: OpenAI = attrs.field(factory=OpenAI)
    thinking: Thinking = attrs.field(factory=Thinking)
    injection: Injection = attrs.field(factory=Injection)
    images: Images = attrs.field(factory=Images)
    admin: Admin = attrs.field(factory=Admin)
    metrics: Metrics = attrs.field(factory=Metrics)
    tracing: Tracing = attrs.field(factory=Tracing)

    @classmethod
    def load(
        cls,
        argv: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        *,
        stored: Stored = Stored(),  # noqa: B008 (frozen)
        starting: bool = True,
    ) -> "Loaded":
        """Read every source and return the settings with their origins.

        ``argv`` holds only flags (None: no flags). ``environ`` replaces the environment of the
        process. ``cwd`` is the directory of ``.env`` and ``conf/gemproxy.toml``; None means the
        working directory, and then the checkout's conf is the second choice. ``stored`` looks
        up keys and users that are not in the settings. ``starting`` applies the rules of a start,
        which do not concern a command that only manages
        keys. Raises SettingsError with all problems.
        """
        loading = _read(argv, environ, cwd)
        loading.load(stored, starting=starting)
        if loading.problems:
            raise SettingsError(loading.problems)
        return _made(loading, loading.values)

    @classmethod
    def examine(
        cls,
        argv: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        *,
        stored: Stored = Stored(),  # noqa: B008 (frozen)
    ) -> "Examined":
        """Read every source like ``load``, and return what can be used beside all problems."""
        loading = _read(argv, environ, cwd)
        loading.load(stored, starting=True)
        defaults = values_of(cls())
        wrong = defaults.keys() - loading.values.keys()
        values = {**loading.values, **{path: defaults[path] for path in wrong}}
        return Examined(_made(loading, values), loading.problems, frozenset(wrong))


def _read(
    argv: Sequence[str] | None, environ: Mapping[str, str] | None, cwd: Path | None
) -> Loading:
    """Return the sources, of which nothing is made yet."""
    places = [cwd] if cwd else [Path.cwd(), CHECKOUT]
    sources = Sources(catalogue(), places[0])
    sources.add(values_of(Settings()), "default")
    named, flags = sources.read_flags(argv or [])
    environment = sources.read_environment(os.environ if environ is None else environ)
    variables = [*sources.read_env_files(named.env), ("environment", environment)]
    merged = {name: value for _, table in variables for name, value in table.items()}
    sources.add_files(named.config, merged, places)
    for label, table in variables:
        sources.add_aliases(label, table, ALIASES)
    place = len(sources.layers)
    for label, table in variables:
        sources.add_variables(label, table)
    sources.add_flags(flags)
    for label, table in reversed(variables):
        sources.add_keys(label, table)
    own = OF_PROVIDERS.get(sources.word("images.storage"), {})
    for label, table in reversed(variables):
        sources.add_aliases(label, table, own, place)
    return Loading(sources, os.environ if environ is None else environ)


def _made(loading: Loading, values: Mapping[str, Any]) -> "Loaded":
    """Return the tree of ``values``, of which none is missing."""
    return Loaded(settings_of(values), loading.origins, stored=bool(loading.stored))


@attrs.frozen
class Examined:
    """The settings as far as they can be used, and every problem.

    ``wrong`` has the paths of values that cannot be used; ``loaded`` has the defaults in their
    place.
    """

    loaded: "Loaded"
    problems: Sequence[str]
    wrong: AbstractSet[str]


@attrs.frozen
class Loaded:
    """The settings, and path -> origin: default, a file, a variable or a flag.

    ``stored``: whether the data directory has keys.
    """

    settings: Settings
    origins: Mapping[str, str]
    stored: bool = False

    def warnings(self) -> Iterator[str]:
        """Yield warnings about settings that are valid but probably unintended."""
        path = "upstream.first_byte_timeout_seconds"
        seconds = self.settings.upstream.first_byte_timeout_seconds
        if seconds < _LONG_THOUGHT_SECONDS:
            yield problem(
                path,
                f"{seconds:g} s is less than a model may take to begin an answer, and one that is "
                "given up is not asked again; clients say by X-Server-Timeout how long they wait",
                self.origins[path],
            )
        yield from self._unused()

    def _unused(self) -> Iterator[str]:
        """Yield warnings about keys that have no effect."""
        settings = self.settings
        if mode_of(settings, stored=self.stored) != "passthrough":
            return
        names = {key.origin.rpartition(" ")[2] for key in operators_keys(settings)}
        if names - set(OF_SDKS):
            why = "'passthrough' leaves the Gemini keys in the settings unused"
            yield problem("pool.mode", why, self.origins["pool.mode"])
        elif access_keys(settings.access.keys, settings.access.password):
            path = "access.keys" if settings.access.keys else "access.password"
            why = "guards nothing: there is no Gemini key for a pool, so clients bring their own"
            yield problem(path, why, self.origins[path])

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield (path, value without secrets, origin) of every setting, in their order."""
        for path, value in values_of(self.settings).items():
            option = catalogue().find(path)
            kind = kind_of(option.cls) if option else None
            yield path, (kind.show(value) if kind else str(value)) or '""', self.origins[path]


@functools.cache
def catalogue() -> Catalogue:
    """Return all settings by path; each finishReason is its own setting."""
    options: dict[str, OptionInfo] = {}
    ending: Any = Ending
    for option in deep_options(Settings):
        if option.path == REASONS:
            template = dataclasses.replace(option, cls=ending)
            paths = [f"{REASONS}.{name}" for name in _endings()]
            options |= {path: dataclasses.replace(template, path=path) for path in paths}
        else:
            options[option.path] = option
    return Catalogue(options, open_section=REASONS, template=template)


def usage() -> str:
    """Return the help text of every flag."""
    return flag_help(catalogue())


def settings_of(values: Mapping[str, object]) -> Settings:
    """Return the settings of values by path."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        set_path(tree, path, value)
    return converter().structure(tree, Settings)


def values_of(settings: Settings) -> dict[str, Any]:
    """Return the values of settings by path, in their order."""
    values: dict[str, Any] = {}
    for section in attrs.fields(Settings):
        table = getattr(settings, section.name)
        if not isinstance(table, Mapping):
            table = {field.name: getattr(table, field.name) for field in attrs.fields(type(table))}
        values |= {f"{section.name}.{key}": value for key, value in table.items()}
    return values
