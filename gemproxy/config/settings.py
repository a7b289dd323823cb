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

An alias is weaker than every name of our own, even than one in .env, because other programs may
have set it for another purpose. A secret may be kept in a file: as ``file:///path``, or by the name
of its variable with ``_FILE`` added. The keys of the pool are no exception from this, but those in
plain variables (GEMINI_API_KEYS, ...) count together with them (``config.operators``).

typed-settings finds the settings in the tree and merges the sources; cattrs builds the result. This
module reports the errors, because an operator needs all problems at once, one line each, with the
name of the variable, file or flag to correct.
"""

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs
from typed_settings.cls_attrs import SECRET
from typed_settings.cls_utils import deep_options
from typed_settings.dict_utils import merge_settings, set_path
from typed_settings.types import OptionInfo
from yarl import URL

from gemproxy.config.keyring import (
    AccessKey,
    AccessKeys,
    Keys,
    LimitsOfModels,
    Mode,
    Projects,
    Proxies,
    Secret,
    Strategy,
    Unowned,
    Weights,
    keys_of,
    projects_of,
)
from gemproxy.config.kinds import (
    Bytes,
    Count,
    Ending,
    Format,
    Level,
    Name,
    Origins,
    Port,
    Positive,
    ProxyUrl,
    PublicUrl,
    Seconds,
    SecondsOrNone,
    Switch,
    Text,
    UrlBase,
    converter,
    kind_of,
)
from gemproxy.config.operators import (
    OF_SDKS,
    keys_in,
    mode_of,
    operators_keys,
    origins_of,
)
from gemproxy.config.outbound import UnusableProxy, resolve_proxy
from gemproxy.config.sources import Catalogue, Sources, flag_help, problem
from gemproxy.config.starting import access_keys, pool_problems, start_problems
from gemproxy.config.tls import TlsError, server_context
from gemproxy.core.repair.verdict import DEFAULT_VERDICTS, FIXED_REASONS, POLICY_REASONS
from gemproxy.observe.logs import MASK, redact

CHECKOUT = Path(__file__).resolve().parents[2]

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
    "DEBUG_MODE": "logging.debug_mode",
    "PASSWORD": "access.password",
}
"""Alias -> path."""

REASONS = "finish_reasons"

_LONG_THOUGHT_SECONDS = 300
"""Several models were reported to need longer than this before an answer begins."""


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds one readable line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


# The string below a key is its help on the command line and its comment in conf.


@attrs.frozen(kw_only=True)
class Server:
    """The address of the proxy, and the limits for its clients."""

    host: Name = "127.0.0.1"
    """Address to listen on; one that other machines reach needs allow_passthrough_keys."""
    port: Port = 8000
    """Port to listen on; 0 takes any free one."""
    tls_cert: Text = ""
    """PEM file with the certificate chain for TLS on the port; empty: no TLS."""
    tls_key: Text = ""
    """PEM file with the certificate's private key, which has no passphrase."""
    public_url: PublicUrl = ""
    """Base URL of the proxy for its clients; empty: the Host of each request."""
    max_connections: Positive = 1000
    """Requests served at the same time; one more is answered with 503."""
    drain_timeout: SecondsOrNone = 30.0
    """Seconds that running requests get to finish after SIGTERM."""
    allow_passthrough_keys: Switch = False
    """Serve other machines, whose requests bring their own Gemini keys."""
    request_header_timeout: Seconds = 30.0
    """Seconds that a client may take to send the head of a request."""
    request_body_timeout: Seconds = 60.0
    """Seconds that a client may pause in the body of a request."""
    request_body_rate: Count = 500
    """Bytes per second that a request body must bring on average; 0: any rate."""
    workers: Positive = 1
    """Processes that share the port."""
    max_body_bytes: Bytes = 128 << 20
    """Largest request body except uploads; a larger one is answered with 413."""
    cors_origins: Origins = ()
    """Origins whose pages may call from a browser, * for any; none: no CORS headers."""
    data_dir: Name = "data"
    """Directory for what outlives a restart of a pool; made when a pool needs it."""
    secret_key: Secret = attrs.field(default="", repr=SECRET)
    """Secret that encrypts the keys in data_dir; empty: one in a file there, made at once."""


@attrs.frozen(kw_only=True)
class Upstream:
    """Gemini, and the connection to it."""

    url_base: UrlBase = "https://generativelanguage.googleapis.com"
    """Base URL of the upstream; its path is put before the path of a request."""
    proxy: ProxyUrl = attrs.field(default="", repr=SECRET)
    """HTTP proxy to Gemini: a URL, env (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), or empty."""
    connect_timeout_seconds: Seconds = 10.0
    """Seconds to connect."""
    first_byte_timeout_seconds: Seconds = 3600.0
    """Seconds from the last byte sent up to the first of an answer; see X-Server-Timeout."""
    chunk_timeout_seconds: Seconds = 90.0
    """Seconds of silence after which a stream counts as stalled."""
    thinking_timeout_seconds: Seconds = 300.0
    """The same while the model thinks; before any text, see X-Server-Timeout."""
    finish_grace_seconds: SecondsOrNone = 3.0
    """Seconds that a stream may stay open after its finishReason."""
    tool_finish_grace_seconds: SecondsOrNone = 30.0
    """The same if the request has server tools, which may continue after a finishReason."""


@attrs.frozen(kw_only=True)
class Repair:
    """How broken streams are repaired, and the limits of the cost."""

    enabled: Switch = True
    """Repair streams; false passes every stream on as it comes."""
    max_consecutive_retries: Count = 5
    """Further attempts in a row without a new character; a new one resets the count."""
    retry_delay_ms: Count = 1000
    """Milliseconds before an attempt after the first resume; grows with each in a row."""
    max_delay_ms: Count = 30_000
    """Most milliseconds of that delay."""
    max_resumes: Count = 20
    """Further attempts for one request in all."""
    max_seconds: Seconds = 3600.0
    """Seconds without a new character, from an interruption on, that further attempts may take."""
    max_extra_tokens: Count = 0
    """Tokens that the further attempts of one request may cost in all; 0 is no cap."""
    swallow_thoughts_after_retry: Switch = True
    """Drop the thoughts of further attempts."""
    hold_function_calls: Switch = True
    """Hold function calls until the turn ends; false sends them at once, beyond repair."""
    empty_stop_retries: Count = 2
    """Further attempts for an answer with STOP and no content."""
    retry_after_limit_seconds: SecondsOrNone = 30.0
    """Longest wait that a 429 or 5xx may ask for; with a longer one it is passed on."""
    retries_per_minute: Count = 10
    """Retries after 429 or 5xx of a key for a model, in addition to a fifth of its requests."""
    keep_body_bytes: Bytes = 32 << 20
    """Largest request body that is kept for a further attempt."""
    keep_total_bytes: Bytes = 512 << 20
    """Most bytes of kept request bodies in all; beyond, streams run unrepaired."""
    max_frame_bytes: Bytes = 64 << 20
    """Largest frame of a stream or Live message; a larger one counts as an interruption."""
    max_stream_bytes: Bytes = 256 << 20
    """Most bytes of one stream, without repetitions; beyond, it ends with an error."""
    keep_answer_bytes: Bytes = 8 << 20
    """Largest unary answer that is read to its end first, so a cut one can be asked again."""
    unary_via_stream: Switch = False
    """Run generateContent upstream as a stream, so a cut is resumed, not restarted."""


@attrs.frozen(kw_only=True)
class Client:
    """Time limits towards the client."""

    heartbeat_seconds: Seconds = 15.0
    """Seconds of silence after which a blank line, or a ping in Live, keeps it alive."""
    headers_after_seconds: Seconds = 25.0
    """Seconds after which the response headers go out even without a frame."""
    send_timeout_seconds: Seconds = 120.0
    """Seconds that a client may leave sent data unacknowledged."""


@attrs.frozen(kw_only=True)
class Logging:
    """Level, format and file of the log."""

    level: Level = "info"
    """Least severe level that is logged: debug, info, warning, error or critical."""
    format: Format = "json"
    """json: an object per line; text: lines for a terminal."""
    file: Text = ""
    """File that gets the log besides standard error, rotated at 10 MiB; empty: none."""
    debug_mode: Switch = False
    """Log at level debug, regardless of the level."""


@attrs.frozen(kw_only=True)
class Pool:
    """The operator's own Gemini keys, by Google project; clients call with access keys."""

    mode: Mode = ""
    """Who brings the key: passthrough, pool or both; empty: pool if there are keys."""
    open: Switch = False
    """Serve clients of this machine without access keys; on loopback only."""
    strategy: Strategy = "least_used"
    """How a project is chosen for a new conversation: least_used, round_robin or weighted."""
    keys: Keys = attrs.field(default=(), converter=keys_of, repr=SECRET)
    """Gemini keys, each a project of its own; those of GEMINI_API_KEYS and its kin count too."""
    projects: Projects = attrs.field(factory=dict, converter=projects_of, repr=SECRET)
    """Keys by project, as {lab = ["key1", "key2"]}: Google counts quota by project."""
    weights: Weights = attrs.field(factory=dict)
    """Shares of projects for the strategy weighted, as {lab = 2}; 1 for any other."""
    proxies: Proxies = attrs.field(factory=dict, repr=SECRET)
    """Outbound proxies by project, as {lab = "socks5://host:1080"}; http, https or SOCKS."""
    limits: LimitsOfModels = attrs.field(factory=dict)
    """Known limits of each project by model, as {"gemini-x" = {rpm = 5, tpm = 9000, rpd = 50}}."""
    unowned: Unowned = ""
    """Names that nobody made through gemproxy: refuse, allow; empty: allow for one access key."""


@attrs.frozen(kw_only=True)
class Access:
    """The access keys with which clients call gemproxy; each makes and sees its own files."""

    keys: AccessKeys = attrs.field(factory=dict, repr=SECRET)
    """Access keys by name, as {ann = "..."}; each has 16 random characters or more."""
    password: AccessKey = attrs.field(default="", repr=SECRET)
    """One access key, which is called password; the same as PASSWORD."""


def _endings() -> dict[str, Ending]:
    return {reason: cast("Ending", verdict.value) for reason, verdict in DEFAULT_VERDICTS.items()}


@attrs.frozen(kw_only=True)
class Settings:
    """All settings; ``Settings()`` holds the defaults."""

    server: Server = Server()
    upstream: Upstream = Upstream()
    repair: Repair = Repair()
    finish_reasons: Mapping[str, Ending] = attrs.field(factory=_endings)
    """The meaning of a finishReason: accept, resume, replay or reroll (replay once)."""
    client: Client = Client()
    logging: Logging = Logging()
    pool: Pool = Pool()
    access: Access = Access()

    @classmethod
    def load(
        cls,
        argv: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        *,
        stored: "Stored | None" = None,
        starting: bool = True,
    ) -> "Loaded":
        """Read every source and return the settings with their origins.

        ``argv`` holds only flags (None: no flags). ``environ`` replaces the environment of the
        process. ``cwd`` is the directory of ``.env`` and ``conf/gemproxy.toml``; None means the
        working directory, and then the checkout's conf is the second choice. ``stored`` returns
        the projects of the keys in a data directory. ``starting`` applies the rules of a start,
        which do not concern a command that only manages keys. Raises SettingsError with all
        problems.
        """
        places = [cwd] if cwd else [Path.cwd(), CHECKOUT]
        sources = Sources(catalogue(), places[0])
        sources.add(_flatten(cls()), "default")
        config, flags = sources.read_flags(argv or [])
        dotenv = sources.read_dotenv()
        environment = sources.read_environment(os.environ if environ is None else environ)
        sources.add_files(config, {**dotenv, **environment}, places)
        sources.add_aliases(".env", dotenv, ALIASES)
        sources.add_aliases("environment", environment, ALIASES)
        sources.add_variables(".env", dotenv)
        sources.add_variables("environment", environment)
        sources.add_flags(flags)
        sources.add_keys("environment", environment)
        sources.add_keys(".env", dotenv)
        loading = _Loading(sources, os.environ if environ is None else environ)
        return loading.result(stored or _nothing_stored, starting=starting)


Stored = Callable[[str, str], Collection[str]]
"""Returns the names of the projects whose keys are in a data directory, given its path and the
``secret_key``; raises ValueError, with a sentence, if that cannot be known, and perhaps with the
path of the ``setting`` that is to blame."""


def _nothing_stored(_data_dir: str, _secret_key: str) -> Collection[str]:
    return ()


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
        for path, value in _flatten(self.settings).items():
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


def _flatten(settings: Settings) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for section in attrs.fields(Settings):
        table = getattr(settings, section.name)
        if not isinstance(table, Mapping):
            table = {field.name: getattr(table, field.name) for field in attrs.fields(type(table))}
        values |= {f"{section.name}.{key}": value for key, value in table.items()}
    return values


@attrs.define(eq=False)
class _Loading:
    """Makes settings out of the layers of all sources, and gathers the problems in them."""

    sources: Sources
    environ: Mapping[str, str]
    problems: list[str] = attrs.field(init=False)
    values: dict[str, Any] = attrs.field(factory=dict)
    origins: dict[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.problems = list(self.sources.problems)

    def result(self, stored: Stored, *, starting: bool) -> Loaded:
        """Return the settings; raise SettingsError if any value is wrong."""
        self._take_values()
        self._take_keys()
        values, origins = self.values, self.origins
        unsure = any(text.startswith(("pool.keys", "pool.projects")) for text in self.problems)
        self.problems += _conflicts(values, origins)
        self.problems += _ways_out(values, origins, self.environ)
        projects = self._stored(stored)
        self.problems += pool_problems(values, origins)
        if starting:
            self.problems += start_problems(values, origins, projects, unsure=unsure)
        if self.problems:
            raise SettingsError(self.problems)
        tree: dict[str, Any] = {}
        for path, value in values.items():
            set_path(tree, path, value)
        return Loaded(converter().structure(tree, Settings), origins, stored=bool(projects))

    def _take_values(self) -> None:
        options = self.sources.options()
        merged = merge_settings(tuple(options), self.sources.layers)
        self.origins = {path: loaded.loader_meta.name for path, loaded in merged.items()}
        for option in options:
            path = option.path
            try:
                self.values[path] = _value(option, merged[path].value)
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
            return stored(*(self.values[path] for path in paths))
        except ValueError as error:
            path = getattr(error, "setting", paths[0])
            self.problems.append(problem(path, str(error), self.origins[path]))
            return ()


def _value(option: OptionInfo, raw: object) -> object:
    """Return the value of a setting; raise ValueError with a sentence about the problem."""
    section, _, name = option.path.partition(".")
    if section == REASONS:
        _refuse_fixed_reason(name)
    if option.is_secret:
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
    if values.get("server.workers", 1) > 1 and values.get("logging.file"):
        yield problem(
            "logging.file",
            "cannot be rotated by several processes; set server.workers to 1, or log to "
            "standard error alone",
            origins["logging.file"],
        )
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
