"""The sections of the settings, with their defaults."""

import attrs
from typed_settings.cls_attrs import SECRET

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
    Conventions,
    Count,
    DatabaseUrl,
    Format,
    Hosts,
    Level,
    Name,
    Networks,
    OnDisconnect,
    Origins,
    Port,
    Positive,
    ProxyUrl,
    PublicUrl,
    Ratio,
    Seconds,
    SecondsOrNone,
    ServerTiming,
    Switch,
    SwitchOrNone,
    Text,
    Unpriced,
    UrlBase,
    Zone,
)
from gemproxy.config.pictures import (
    Addressing,
    Domain,
    History,
    Response,
    SignedSeconds,
    Storage,
)
from gemproxy.config.shapes import (
    Aliases,
    Models,
    Position,
    Prompt,
    ThinkingBudget,
    ThinkingLevel,
    ThoughtsOfModels,
)
from gemproxy.shaping.family import PICTURES

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
    self_ping_seconds: SecondsOrNone = 0.0
    """Seconds between calls of /wake at public_url, for hosts that stop idle services; 0: none."""
    self_ping_url: PublicUrl = ""
    """Base URL for those calls where public_url is empty; the same as RENDER_EXTERNAL_URL."""
    trusted_proxies: Networks = ()
    """Networks of reverse proxies whose X-Forwarded-For says the client's address."""
    server_timing: ServerTiming = "ask"
    """Server-Timing on answers: off, on, or ask: for X-Gemproxy-Server-Timing: 1."""


@attrs.frozen(kw_only=True)
class Upstream:
    """Gemini, and the connection to it."""

    url_base: UrlBase = "https://generativelanguage.googleapis.com"
    """Base URL of the upstream; its path is put before the path of a request."""
    proxy: ProxyUrl = attrs.field(default="", repr=SECRET)
    """HTTP proxy to Gemini: a URL, env (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), or empty."""
    direct: Switch = True
    """Read answers where their bytes arrive; false: by the HTTP library, which costs more."""
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
class Resume:
    """Streams with an Idempotency-Key, which go on when their client loses its connection."""

    enabled: SwitchOrNone = None
    """true or false; empty: with one worker, since several do not share what they keep."""
    ttl_seconds: Seconds = 600.0
    """Seconds after its end for which an answer is kept."""
    max_stream_bytes: Bytes = 8 << 20
    """Most bytes that are kept of one answer; beyond, its oldest frames go."""
    max_total_bytes: Bytes = 128 << 20
    """Most bytes that are kept of all answers; beyond, the oldest ended answers go first."""
    max_streams: Positive = 1000
    """Most answers that are kept; beyond, the oldest ended ones go, or a request gets 503."""
    max_streams_per_user: Positive = 50
    """Most answers of one access key or client's key; beyond, the same, or a request gets 429."""
    max_followers: Positive = 4
    """Most connections that read one answer at the same time; one more gets 429."""
    on_disconnect: OnDisconnect = "continue"
    """continue or cancel an answer that nobody reads; see X-Gemproxy-On-Disconnect."""
    detach_max_seconds: Seconds = 120.0
    """Seconds for which an answer goes on that nobody reads."""
    detach_max_output_tokens: Count = 0
    """Tokens of output for which it goes on, of four characters each; 0: any number."""


@attrs.frozen(kw_only=True)
class Logging:
    """Level, format and file of the log."""

    level: Level = "info"
    """Least severe level that is logged: debug, info, warning, error or critical."""
    format: Format = "json"
    """json: an object per line; text: lines for a terminal."""
    file: Text = ""
    """File for the log besides standard error, such as logs/app.log; rotated at 10 MiB."""
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
    requests_per_minute: Count = 0
    """Requests in 60 seconds, of all clients together, lists too; 0: any number."""
    requests_per_day_per_ip: Count = 0
    """Requests in a day of each client address, lists too; 0: any number."""


@attrs.frozen(kw_only=True)
class Accounts:
    """The limits of access keys, and prices; gemproxy users sets the limits themselves."""

    timezone: Zone = "UTC"
    """Time zone in which the days and months of limits begin, such as Europe/Berlin."""
    prices: Text = ""
    """TOML file with prices; empty: conf/prices.toml here, else of the checkout."""
    unpriced: Unpriced = "refuse"
    """A model without a price for an access key with a limit in money: refuse or allow."""
    max_output_tokens: Positive = 8192
    """Most output tokens of a request that names none, under a limit in tokens or money."""
    hold_seconds: Seconds = 60.0
    """Seconds after which an estimate is given back whose request shows no life."""


@attrs.frozen(kw_only=True)
class Ledger:
    """The record of each request: who called which model, what it used and what it cost."""

    enabled: SwitchOrNone = None
    """true or false; empty: with a pool, or if data_dir or database_url is set."""
    database_url: DatabaseUrl = attrs.field(default="", repr=SECRET)
    """postgresql://user:password@host/name, sqlite:///file; empty: a file in data_dir."""
    retention_days: Count = 0
    """Days that single requests are kept; sums by hour stay. 0: for ever."""
    queue: Positive = 10_000
    """Most rows that wait for the database; beyond, the oldest are lost."""


@attrs.frozen(kw_only=True)
class Thinking:
    """How much models think where neither the request nor its model's suffix says so."""

    enabled: SwitchOrNone = None
    """true: models think, false: as little as they can; empty: as budget and level say."""
    budget: ThinkingBudget = None
    """Tokens of thoughts: -1 (the model decides), 0 (off), 1 to 32768; empty: not said."""
    level: ThinkingLevel = None
    """minimal, low, medium, high, xhigh; with a budget, each for the models that take it."""
    include_thoughts: SwitchOrNone = None
    """Whether answers show thoughts; empty: as the model does, which is not to."""
    native: Switch = False
    """Give these defaults to native requests without a thinkingConfig, too."""
    models: ThoughtsOfModels = attrs.field(factory=dict)
    """Defaults by model or pattern, as {"gemini-2.5-*" = {budget = 0}}; these go first."""


@attrs.frozen(kw_only=True)
class Injection:
    """A prompt of the operator's in every request for content, native or of OpenAI's clients."""

    enabled: Switch = False
    """Put the prompt into requests; false: none of them is changed."""
    content: Prompt = attrs.field(default="", repr=SECRET)
    """The prompt, or file:///path of a file with it."""
    position: Position = "system"
    """system (before the client's own), or around the last user text: user_prefix, user_suffix."""
    allow_opt_out: Switch = False
    """Let a request be without it that has the header X-Gemproxy-Injection: off."""


@attrs.frozen(kw_only=True)
class OpenAI:
    """The routes for OpenAI's clients, under /v1."""

    default_model: Name = "gemini-2.5-flash"
    """Model of a chat request that names none."""
    aliases: Aliases = attrs.field(factory=dict)
    """Models by the names of clients, as {"gpt-4o" = "gemini-2.5-flash"}."""
    model_suffixes: Switch = False
    """Take wishes at the end of a model's name, such as -nothinking or (8192); list them."""
    fetch_images: Switch = False
    """Fetch pictures that requests name by http(s) URL; never from private addresses."""
    fetch_max_bytes: Bytes = 20 << 20
    """Largest picture that is fetched."""
    fetch_timeout_seconds: Seconds = 10.0
    """Seconds to fetch a picture, redirects included."""
    markdown_images: Switch = False
    """Show pictures of answers in the text, too, as Markdown."""


@attrs.frozen(kw_only=True)
class Images:
    """Models that answer with pictures, and where pictures are kept for links to them."""

    models: Models = PICTURES
    """Names or patterns of the models that answer with pictures when OpenAI's clients ask."""
    default_model: Name = "gemini-3-pro-image-preview"
    """Model of a request for pictures that names none."""
    timeout_seconds: Seconds = 120.0
    """Seconds in which each picture of a request must come."""
    rate_per_minute: Count = 60
    """Requests to /generate in 60 seconds, shared out among the workers; 0: any number."""
    response: Response = "base64"
    """base64, or url if there is a storage: how /generate gives its pictures."""
    storage: Storage = ""
    """memory, local, s3, qiniu, tencent, aliyun, r2 or minio; empty: no links to pictures."""
    directory: Name = "data/images"
    """Directory of the storage local; made when it is needed."""
    public_url: PublicUrl = ""
    """Base of links to pictures in memory or local; empty: server.public_url, else the Host."""
    max_bytes: Bytes = 20 << 20
    """Largest picture that is kept; a larger one is sent as it is."""
    max_memory_bytes: Bytes = 64 << 20
    """Most bytes of pictures in memory; half of them for the storage memory, if it is that."""
    expire_seconds: SecondsOrNone = 604_800.0
    """Seconds after which a kept picture is deleted; 0: never."""
    endpoint: PublicUrl = ""
    """URL of the object store without the bucket; empty: the provider's own for the region."""
    region: Text = ""
    """Region of the bucket, as the provider writes it."""
    bucket: Text = ""
    """Bucket of the object store."""
    access_key: Secret = attrs.field(default="", repr=SECRET)
    """Id of the key for the object store."""
    secret_key: Secret = attrs.field(default="", repr=SECRET)
    """Secret of the key for the object store."""
    addressing: Addressing = ""
    """path or virtual: the bucket in the path or in front of the host; empty: by provider."""
    bucket_domain: Domain = ""
    """Domain at which everybody sees the bucket: links are domain/key; empty: signed links."""
    presign_seconds: SignedSeconds = 604_800
    """Seconds for which a signed link works."""
    history: History = "last"
    """Whose links to kept pictures go up as pictures: the last message's with any, or all."""
    markdown_links: Switch = False
    """Keep the pictures of chat answers, and show them by links, in Markdown, too."""


@attrs.frozen(kw_only=True)
class Admin:
    """The admin API."""

    secret: AccessKey = attrs.field(default="", repr=SECRET)
    """Secret of the operator, which no access key is; empty: the admin API answers 403."""
    port: Port = 0
    """Port of its own for the admin API, which is then nowhere else; 0: the port of the proxy."""
    host: Name = "127.0.0.1"
    """Address to listen on where the admin API has a port of its own."""
    hosts: Hosts = ()
    """Names by which browsers may reach it, besides addresses and server.public_url; * for any."""


@attrs.frozen(kw_only=True)
class Metrics:
    """Metrics for Prometheus, at /metrics."""

    enabled: Switch = True
    """Count requests, and show the figures at /metrics."""
    port: Port = 0
    """Port for /metrics alone, without a secret; 0: the proxy's, local or with admin.secret."""
    host: Name = "127.0.0.1"
    """Address to listen on with that port."""


@attrs.frozen(kw_only=True)
class Tracing:
    """Spans and gen_ai metrics for an OpenTelemetry collector; needs the extra otel."""

    enabled: Switch = False
    """Send spans, and metrics unless they are off, to a collector."""
    endpoint: PublicUrl = ""
    """Base URL of OTLP over HTTP; empty: OTEL_EXPORTER_OTLP_*, else http://localhost:4318."""
    sample: Ratio = 1.0
    """Share of requests that get spans, from 0 to 1; a client's traceparent cannot raise it."""
    conventions: Conventions = "new"
    """Names of gen_ai attributes and metrics: new, old (before their own repository), or both."""
    metrics: Switch = True
    """Send gen_ai metrics of all requests, too, whatever share of them gets spans."""
    accept_parent: Switch = True
    """Continue the trace of a client that sends a valid traceparent."""
    propagate_upstream: Switch = False
    """Send traceparent to the upstream; false: Google learns nothing of traces."""
