"""The settings of other proxies, row by row; docs/moving.md shows them (``docs/moving_table.py``).

The names are those that the projects' own examples, documents and configuration code had in 2025
and 2026. A variable that is understood here by its own name has itself as ``ours``.
"""

from gemproxy.moving.row import Row, Tool, base_url, budgets, first, limits, named

_KEYS = "GEMINI_API_KEYS"
_UPSTREAM = "GEMPROXY_UPSTREAM_URL_BASE"
_ADMIN = "GEMPROXY_ADMIN_SECRET"
_ACCESS = "GEMPROXY_ACCESS_KEYS"
_HEARTBEAT = "GEMPROXY_CLIENT_HEARTBEAT_SECONDS"
_RETRIES = "MAX_CONSECUTIVE_RETRIES"
_CORS = "GEMPROXY_CORS_ORIGINS"
_DATA = "GEMPROXY_DATA_DIR"


def _same(*names: str) -> tuple[Row, ...]:
    return tuple(Row(name, name) for name in names)


def _none(why: str, zh: str, *names: str) -> tuple[Row, ...]:
    return tuple(Row(name, why=why, zh=zh) for name in names)


_STREAMED = (
    "streams are always real here; in silence the client gets a blank line",
    "这里的流始终是真实的流；静默时客户端收到空行",
)
_VERTEX = ("Vertex AI is not spoken", "不支持 Vertex AI")
_BY_USER = (
    "models are allowed by access key: gemproxy users add NAME --models",
    "按访问密钥限定模型：gemproxy users add NAME --models",
)
_NO_DISGUISE = (
    "requests are not disguised, and answers come as the model gave them",
    "请求不作伪装，回答按模型原样返回",
)
_DATABASE = (
    "its tables are its own; gemproxy begins an own database (GEMPROXY_LEDGER_DATABASE_URL)",
    "那是它自己的表；gemproxy 使用自己的数据库（GEMPROXY_LEDGER_DATABASE_URL）",
)
_NO_CACHE = ("answers are not cached", "不缓存回答")
_ONE_ANSWER = ("a request is asked once, not several times at once", "每个请求只发一次，不并发多发")
_NO_MARKER = (
    "models are asked for no end marker; the end is judged by finishReason",
    "不要求模型写结束标记；以 finishReason 判断结尾",
)
_BY_CLIENT = ("clients send it with their requests, unchanged", "由客户端随请求发送，原样转发")
_SAME_PORT = ("the pages are at /admin/ of the same port", "页面在同一端口的 /admin/")
_CHECKED = (
    "a key's refusal says what is wrong, and sick keys are checked by themselves",
    "密钥被拒时会说明原因，失效的密钥会自动复查",
)

ANTIBLOCK = Tool(
    "antiblock",
    "gemini-antiblock",
    (
        *_same("UPSTREAM_URL_BASE", "PORT", "DEBUG_MODE", _RETRIES, "RETRY_DELAY_MS"),
        *_same("SWALLOW_THOUGHTS_AFTER_RETRY"),
        Row(
            "RATE_LIMIT_COUNT",
            "MAX_REQUESTS_PER_MINUTE",
            why="counts a minute, whatever RATE_LIMIT_WINDOW_SECONDS says",
            zh="按一分钟计数，与 RATE_LIMIT_WINDOW_SECONDS 无关",
        ),
        *_none(
            "MAX_REQUESTS_PER_MINUTE=0 is without a limit",
            "MAX_REQUESTS_PER_MINUTE=0 表示不限",
            *("ENABLE_RATE_LIMIT", "RATE_LIMIT_WINDOW_SECONDS"),
        ),
        *_none(*_NO_MARKER, "ENABLE_PUNCTUATION_HEURISTIC", "PROMPT_LENGTH_THRESHOLD"),
        *_none(*_NO_MARKER, "DISABLE_DONE_TOKEN_CHECK"),
        *_none(
            "Gemini itself refuses what is too long",
            "过长的请求由 Gemini 自己拒绝",
            *("GEMINI_MODEL_MAX_TOKENS_JSON", "TOKEN_LIMIT_EXCEEDED_CODE"),
            "TOKEN_LIMIT_EXCEEDED_MESSAGE",
        ),
        *_none(
            "which refusals are asked for again follows from their meaning",
            "哪些拒绝会重试由其含义决定",
            "NO_RETRY_ERROR_CODES",
        ),
    ),
)

GEMINI_BALANCE = Tool(
    "gemini-balance",
    "gemini-balance",
    (
        Row("API_KEYS", "API_KEYS", is_secret=True),
        Row("ALLOWED_TOKENS", _ACCESS, named, is_secret=True),
        Row(
            "AUTH_TOKEN",
            _ADMIN,
            why="it must not be one of the access keys, and needs 16 random characters",
            zh="不能与访问密钥相同，且须为 16 个以上随机字符",
            is_secret=True,
        ),
        Row("BASE_URL", _UPSTREAM, base_url),
        Row("GEMINI_BASE_URL", _UPSTREAM, base_url),
        Row("MAX_RETRIES", _RETRIES),
        Row("TIME_OUT", "REQUEST_TIMEOUT_SECONDS"),
        Row("TIMEZONE", "GEMPROXY_ACCOUNTS_TIMEZONE"),
        Row(
            "PROXIES",
            "GEMPROXY_UPSTREAM_PROXY",
            first,
            why="the first one; GEMPROXY_POOL_PROXIES has one for each project",
            zh="取第一个；GEMPROXY_POOL_PROXIES 可为每个项目各设一个",
            is_secret=True,
        ),
        *_none(
            "a project keeps its proxy: GEMPROXY_POOL_PROXIES",
            "项目固定使用自己的代理：GEMPROXY_POOL_PROXIES",
            "PROXIES_USE_CONSISTENCY_HASH_BY_API_KEY",
        ),
        Row("MODEL_RATE_LIMITS", "GEMPROXY_POOL_LIMITS", limits),
        *_none(
            "limits are those of projects by model, as Google counts: GEMPROXY_POOL_LIMITS",
            "限额按项目和模型，与 Google 的计法一致：GEMPROXY_POOL_LIMITS",
            *("DEFAULT_RPM", "DEFAULT_RPD", "KEY_RATE_LIMITS"),
        ),
        Row("THINKING_BUDGET_MAP", "GEMPROXY_THINKING_MODELS", budgets),
        *_none(
            "endings of model names say it, such as -thinking-high (docs/thinking.md)",
            "由模型名后缀表示，例如 -thinking-high（docs/thinking.md）",
            *("THINKING_MODELS", "SHOW_THINKING_PROCESS"),
        ),
        Row("CREATE_IMAGE_MODEL", "GEMPROXY_IMAGES_DEFAULT_MODEL"),
        *_none(
            "pictures are kept in memory, a folder, or S3 and its kin: IMAGE_STORAGE_TYPE",
            "图片存于内存、文件夹或 S3 及其兼容存储：IMAGE_STORAGE_TYPE",
            *("UPLOAD_PROVIDER", "SMMS_SECRET_TOKEN", "PICGO_API_KEY"),
            *("CLOUDFLARE_IMGBED_URL", "CLOUDFLARE_IMGBED_AUTH_CODE"),
        ),
        Row("LOG_LEVEL", "LOG_LEVEL"),
        Row("AUTO_DELETE_REQUEST_LOGS_DAYS", "GEMPROXY_LEDGER_RETENTION_DAYS"),
        *_none(
            "GEMPROXY_LEDGER_RETENTION_DAYS says how long requests are kept",
            "请求保留多久由 GEMPROXY_LEDGER_RETENTION_DAYS 决定",
            *("AUTO_DELETE_REQUEST_LOGS_ENABLED", "AUTO_DELETE_ERROR_LOGS_ENABLED"),
            "AUTO_DELETE_ERROR_LOGS_DAYS",
        ),
        Row("FAKE_STREAM_EMPTY_DATA_INTERVAL_SECONDS", _HEARTBEAT),
        *_none(*_STREAMED, "FAKE_STREAM_ENABLED"),
        *_none(
            "text goes out as it comes",
            "文本到达即发出",
            *("STREAM_OPTIMIZER_ENABLED", "STREAM_MIN_DELAY", "STREAM_MAX_DELAY"),
            *("STREAM_SHORT_TEXT_THRESHOLD", "STREAM_LONG_TEXT_THRESHOLD", "STREAM_CHUNK_SIZE"),
        ),
        *_none(*_DATABASE, "DATABASE_TYPE", "SQLITE_DATABASE", "MYSQL_HOST", "MYSQL_SOCKET"),
        *_none(*_DATABASE, "MYSQL_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"),
        *_none(*_VERTEX, "VERTEX_API_KEYS", "VERTEX_EXPRESS_BASE_URL"),
        *_none(*_BY_CLIENT, "SAFETY_SETTINGS", "TOOLS_CODE_EXECUTION_ENABLED", "SEARCH_MODELS"),
        *_none(*_BY_CLIENT, "SHOW_SEARCH_LINK", "URL_CONTEXT_ENABLED", "URL_CONTEXT_MODELS"),
        *_none(*_BY_USER, "FILTERED_MODELS", "IMAGE_MODELS"),
        *_none(*_CHECKED, "MAX_FAILURES", "CHECK_INTERVAL_HOURS", "TEST_MODEL"),
        *_none(
            "pictures are drawn by the keys of the pool",
            "绘图使用池中的密钥",
            "PAID_KEY",
        ),
    ),
)

HAJIMI = Tool(
    "hajimi",
    "hajimi",
    (
        Row(_KEYS, _KEYS, is_secret=True),
        Row("PASSWORD", "PASSWORD", is_secret=True),
        Row(
            "WEB_PASSWORD",
            _ADMIN,
            why="it must not be PASSWORD, and needs 16 random characters",
            zh="不能与 PASSWORD 相同，且须为 16 个以上随机字符",
            is_secret=True,
        ),
        *_same("MAX_REQUESTS_PER_MINUTE", "MAX_REQUESTS_PER_DAY_PER_IP"),
        Row("MAX_RETRY_NUM", _RETRIES),
        Row("MAX_EMPTY_RESPONSES", "GEMPROXY_REPAIR_EMPTY_STOP_RETRIES"),
        Row("FAKE_STREAMING_INTERVAL", _HEARTBEAT),
        *_none(*_STREAMED, "FAKE_STREAMING"),
        Row("ALLOWED_ORIGINS", _CORS),
        Row("STORAGE_DIR", _DATA),
        *_none(
            "keys and counts are always kept, in GEMPROXY_DATA_DIR",
            "密钥和计数始终保存在 GEMPROXY_DATA_DIR",
            "ENABLE_STORAGE",
        ),
        *_none(
            "limits are those of projects by model: GEMPROXY_POOL_LIMITS",
            "限额按项目和模型：GEMPROXY_POOL_LIMITS",
            "API_KEY_DAILY_LIMIT",
        ),
        *_none(*_CHECKED, "INVALID_API_KEYS"),
        *_none(*_NO_DISGUISE, "RANDOM_STRING", "RANDOM_STRING_LENGTH"),
        *_none(*_ONE_ANSWER, "CONCURRENT_REQUESTS", "INCREASE_CONCURRENT_ON_FAILURE"),
        *_none(*_ONE_ANSWER, "MAX_CONCURRENT_REQUESTS"),
        *_none(*_NO_CACHE, "CACHE_EXPIRY_TIME", "MAX_CACHE_ENTRIES", "PRECISE_CACHE"),
        *_none(*_NO_CACHE, "CALCULATE_CACHE_ENTRIES"),
        *_none(*_VERTEX, "ENABLE_VERTEX", "GOOGLE_CREDENTIALS_JSON", "ENABLE_VERTEX_EXPRESS"),
        *_none(*_VERTEX, "VERTEX_EXPRESS_API_KEY"),
        *_none(*_BY_CLIENT, "SEARCH_MODE", "SEARCH_PROMPT"),
        *_none(*_BY_USER, "BLOCKED_MODELS", "WHITELIST_MODELS", "WHITELIST_USER_AGENT"),
        *_none(*_SAME_PORT, "DASHBOARD_URL", "PUBLIC_MODE"),
    ),
)

IMAGE_RELAY = Tool(
    "hagemi",
    "Hagemi and its relay for pictures",
    (
        Row(_KEYS, _KEYS, is_secret=True),
        Row("PASSWORD", "PASSWORD", is_secret=True),
        *_same("MAX_REQUESTS_PER_MINUTE", "MAX_REQUESTS_PER_DAY_PER_IP"),
        *_same("HISTORY_IMAGE_SUBMIT_TYPE", "IMAGE_STORAGE_TYPE", "IMAGE_STORAGE_DIR", "HOST_URL"),
        Row("QINIU_ACCESS_KEY", "QINIU_ACCESS_KEY", is_secret=True),
        Row("QINIU_SECRET_KEY", "QINIU_SECRET_KEY", is_secret=True),
        *_same("QINIU_BUCKET_NAME", "QINIU_BUCKET_DOMAIN"),
        Row("TENCENT_SECRET_ID", "TENCENT_SECRET_ID", is_secret=True),
        Row("TENCENT_SECRET_KEY", "TENCENT_SECRET_KEY", is_secret=True),
        *_same("TENCENT_REGION", "TENCENT_BUCKET", "TENCENT_DOMAIN"),
        Row("PROXY_URL", _UPSTREAM, base_url),
        *_none(
            "GEMPROXY_IMAGES_MAX_MEMORY_BYTES bounds pictures in memory by their bytes",
            "GEMPROXY_IMAGES_MAX_MEMORY_BYTES 按字节限制内存中的图片",
            "MEMORY_MAX_IMAGE_NUMBER",
        ),
        *_none(
            "nobody is let in by an address alone",
            "不会仅凭地址放行",
            "WHITELIST_IPS",
        ),
        *_none("other providers are not spoken to", "不支持其他提供商", "XAI_RESPONSE_FORMAT"),
        *_none(
            "a client names any model, and OpenAI's clients get aliases (docs/openai.md)",
            "客户端可用任何模型名，OpenAI 客户端可用别名（docs/openai.md）",
            "EXTRA_MODELS",
        ),
    ),
)

GEMINI_API_PROXY = Tool(
    "gemini-api-proxy",
    "Gemini-api-proxy with Streamlit",
    (
        *_same("HOST", "PORT", "RENDER_EXTERNAL_URL"),
        Row("DEBUG", "DEBUG_MODE"),
        Row("ADMIN_AUTH_TOKEN", _ADMIN, is_secret=True),
        Row("CORS_ORIGINS", _CORS),
        Row("DEFAULT_THINKING_BUDGET", "GEMPROXY_THINKING_BUDGET"),
        Row("QUEUE_MAX_CONCURRENCY", "GEMPROXY_MAX_CONNECTIONS"),
        *_none(
            "a request beyond the limit is answered with 503 at once",
            "超出上限的请求立即得到 503",
            *("QUEUE_MAX_WAIT_MS", "QUEUE_POLL_INTERVAL_MS"),
        ),
        *_none(*_DATABASE, "DATABASE_URL", "SQLITE_PATH"),
        *_none(*_SAME_PORT, "API_BASE_URL", "STREAMLIT_BASE_URL", "STREAMLIT_INTERNAL_PORT"),
        *_none(
            "accounts of Gemini CLI are not pooled; the pool has API keys",
            "不汇集 Gemini CLI 账号；池中只有 API 密钥",
            *("GEMINI_AUTH_PASSWORD", "CLI_REDIRECT_BASE_URL"),
        ),
        *_none("it changes nothing here", "在这里没有作用", "APP_NAME", "ENVIRONMENT", "RELOAD"),
    ),
)

GPT_LOAD = Tool(
    "gpt-load",
    "GPT-Load",
    (
        *_same("HOST", "PORT", "LOG_LEVEL", "LOG_FILE_PATH"),
        Row("LOG_FORMAT", "GEMPROXY_LOGGING_FORMAT"),
        Row("AUTH_KEY", _ADMIN, is_secret=True),
        Row("GRACEFUL_SHUTDOWN_TIMEOUT", "GEMPROXY_DRAIN_TIMEOUT"),
        Row("SERVER_GRACEFUL_SHUTDOWN_TIMEOUT", "GEMPROXY_DRAIN_TIMEOUT"),
        Row("READ_TIMEOUT", "GEMPROXY_REQUEST_BODY_TIMEOUT"),
        Row("SERVER_READ_TIMEOUT", "GEMPROXY_REQUEST_BODY_TIMEOUT"),
        Row("IDLE_TIMEOUT", "GEMPROXY_REQUEST_HEADER_TIMEOUT"),
        Row("SERVER_IDLE_TIMEOUT", "GEMPROXY_REQUEST_HEADER_TIMEOUT"),
        Row("MAX_CONCURRENT_REQUESTS", "GEMPROXY_MAX_CONNECTIONS"),
        Row("ALLOWED_ORIGINS", _CORS),
        Row("DATA_DIR", _DATA),
        *_none(
            "its channels are in its database: export the keys, then gemproxy keys import",
            "渠道保存在它的数据库中：先导出密钥，再用 gemproxy keys import",
            *("DATABASE_DSN", "ENCRYPTION_KEY", "REDIS_DSN"),
        ),
        *_none(
            "GEMPROXY_CORS_ORIGINS turns it on",
            "由 GEMPROXY_CORS_ORIGINS 开启",
            *("ENABLE_CORS", "ALLOWED_METHODS", "ALLOWED_HEADERS", "ALLOW_CREDENTIALS"),
        ),
        *_none(
            "it is for its containers",
            "仅用于它的容器",
            *("BIND_ADDRESS", "OAUTH_CALLBACK_BIND_ADDRESS", "CONTAINER_STOP_GRACE_PERIOD"),
        ),
        *_none(
            "one process, or workers of one machine (WORKERS)",
            "单进程，或一台机器上的多个 worker（WORKERS）",
            "IS_SLAVE",
        ),
        *_none(
            "answers that have begun have no end in time",
            "已开始的回答没有总时限",
            *("WRITE_TIMEOUT", "SERVER_WRITE_TIMEOUT"),
        ),
        *_none(
            "prices are in a file of the operator's (docs/usage.md)",
            "价格写在运维者自己的文件中（docs/usage.md）",
            "MODELS_DEV_AUTO_SYNC_ENABLED",
        ),
    ),
)

LITELLM = Tool(
    "litellm",
    "LiteLLM's proxy (variables; its config.yaml is not read)",
    (
        Row(
            "LITELLM_MASTER_KEY",
            _ADMIN,
            why="clients of gemproxy do not call with it: make them access keys",
            zh="gemproxy 的客户端不使用它：请为它们创建访问密钥",
            is_secret=True,
        ),
        Row("GEMINI_API_KEY", "GEMINI_API_KEY", is_secret=True),
        Row("GOOGLE_API_KEY", "GOOGLE_API_KEY", is_secret=True),
        Row("GEMINI_API_BASE", _UPSTREAM, base_url),
        *_same("HOST", "PORT"),
        Row("NUM_WORKERS", "WORKERS"),
        Row("LITELLM_LOG", "LOG_LEVEL", str.lower),
        Row("REQUEST_TIMEOUT", "REQUEST_TIMEOUT_SECONDS"),
        *_none(*_DATABASE, "DATABASE_URL", "LITELLM_SALT_KEY", "STORE_MODEL_IN_DB"),
        *_none(*_SAME_PORT, "UI_USERNAME", "UI_PASSWORD", "DISABLE_ADMIN_UI"),
        *_none(
            "holds and limits are in memory and in the ledger",
            "预留和限额保存在内存和账本中",
            *("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_URL"),
        ),
    ),
)

TOOLS = (
    ANTIBLOCK,
    GEMINI_BALANCE,
    HAJIMI,
    IMAGE_RELAY,
    GEMINI_API_PROXY,
    GPT_LOAD,
    LITELLM,
)
