"""The checks, in the order in which they are told."""

from collections.abc import Awaitable, Callable

import attrs

from gemproxy.doctor import (
    certificate,
    database,
    files,
    guard,
    keys,
    machine,
    pictures,
    port,
    public,
    reaching,
    storage,
)
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdicts


@attrs.frozen
class Check:
    """One check.

    ``about`` says what it finds, for docs/doctor.md, and ``zh`` the same in Chinese. ``needs`` are
    the settings without which it is skipped. ``tells`` are those whose refusals by the rules of a
    start it reports, in place of the check ``settings``; one that ends with a dot is a section.
    ``network``: it asks somebody, so ``--offline`` leaves it out.
    """

    name: str
    about: str
    run: Callable[[Case], Awaitable[Verdicts]]
    needs: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    network: bool = False
    zh: str = ""


_DATA = ("server.data_dir", "server.secret_key")
_WAY_UP = ("upstream.url_base", "upstream.proxy")

CHECKS = (
    Check(
        "settings",
        "settings that cannot be loaded, all of them at once, and settings that are probably not"
        " meant",
        files.settings,
        zh="无法加载的设置（一次列出全部），以及多半不是本意的设置",
    ),
    Check(
        "python",
        "a version of Python or of a library that is too old",
        machine.python,
        zh="太旧的 Python 或库",
    ),
    Check(
        "parser",
        "aiohttp without its parser in C, with which no start is possible",
        machine.parser,
        zh="aiohttp 没有 C 解析器，这样无法启动",
    ),
    Check(
        "loop",
        "uvloop is missing, which costs speed",
        machine.loop,
        zh="缺少 uvloop，速度会变慢",
    ),
    Check(
        "descriptors",
        "too few open files (`ulimit -n`) for `server.max_connections`",
        machine.descriptors,
        needs=("server.max_connections",),
        zh="可打开的文件数（`ulimit -n`）对 `server.max_connections` 来说太少",
    ),
    Check(
        "extras",
        "a package that the settings need: for SOCKS proxies, PostgreSQL, traces",
        machine.extras,
        needs=("pool.proxies", "ledger.database_url"),
        tells=("pool.proxies", "tracing.enabled"),
        zh="缺少设置所需的包：SOCKS 代理、PostgreSQL、追踪",
    ),
    Check(
        "data-directory",
        "a data directory that cannot be made, read or written, is damaged, or belongs to a newer"
        " gemproxy or another `server.secret_key`",
        storage.data_directory,
        needs=_DATA,
        tells=_DATA,
        zh="数据目录无法创建、读取或写入，已损坏，或属于更新的 gemproxy"
        " 或另一个 `server.secret_key`",
    ),
    Check(
        "secret-files",
        "files with keys or passwords that other users of the machine can read",
        storage.secret_files,
        needs=_DATA,
        zh="机器上的其他用户能读取的、含有密钥或密码的文件",
    ),
    Check(
        "disk",
        "a disk that is nearly full, or a log file that cannot be written",
        storage.disk,
        needs=("server.data_dir", "logging.file", "images.directory"),
        zh="磁盘快满了，或日志文件无法写入",
    ),
    Check(
        "ledger",
        "a database that cannot be reached, is damaged, older (the next start migrates it) or newer"
        " than this gemproxy",
        database.ledger,
        needs=("ledger.database_url", "ledger.enabled", "server.data_dir"),
        tells=("ledger.",),
        zh="数据库无法连接、已损坏、较旧（下次启动会迁移）或比这个 gemproxy 更新",
    ),
    Check(
        "prices",
        "a file with prices that cannot be read",
        files.prices,
        needs=("accounts.prices",),
        tells=("accounts.prices",),
        zh="无法读取的价格文件",
    ),
    Check(
        "keys",
        "a pool without keys or with disabled ones alone, stored keys that cannot be decrypted, a"
        " key that is an access key too",
        keys.keys,
        needs=("pool.mode", "pool.keys", "pool.projects", *_DATA),
        tells=("pool.mode",),
        zh="没有密钥或密钥全部停用的密钥池、无法解密的已存密钥、同时是访问密钥的密钥",
    ),
    Check(
        "access",
        "no access key where one is needed; access keys and secrets that are weak or well known",
        guard.access,
        needs=("access.keys", "access.password", "admin.secret", "server.secret_key"),
        tells=("access.keys", "access.password", "admin.secret"),
        zh="需要访问密钥的地方没有访问密钥；太弱或众所周知的访问密钥和秘密",
    ),
    Check(
        "bind",
        "an address that lets other machines in without authentication or without TLS",
        guard.bind,
        needs=(
            *("server.host", "server.public_url", "server.trusted_proxies"),
            *("admin.host", "admin.port", "metrics.host", "metrics.port"),
        ),
        tells=("server.host", "pool.open", "server.allow_passthrough_keys", "admin.host"),
        zh="让其他机器进入、却没有认证或没有 TLS 的地址",
    ),
    Check(
        "tls",
        "a certificate that is out of date or soon will be, or does not fit its key",
        certificate.tls,
        needs=("server.tls_cert", "server.tls_key"),
        tells=("server.tls_cert", "server.tls_key"),
        zh="证书已过期或即将过期，或与私钥不符",
    ),
    Check(
        "port",
        "a port that another program has, or that this user or machine may not listen on",
        port.port,
        needs=("server.host", "server.port"),
        zh="端口被其他程序占用，或者这个用户或这台机器不能监听它",
    ),
    Check(
        "upstream",
        "an upstream that cannot be reached (name, connection, proxy, TLS, authority) or is not the"
        " Gemini API",
        reaching.upstream,
        needs=_WAY_UP,
        tells=("upstream.proxy",),
        network=True,
        zh="上游无法到达（域名、连接、代理、TLS、证书颁发机构），或者不是 Gemini API",
    ),
    Check(
        "clock",
        "a clock that differs from the upstream's",
        reaching.clock,
        needs=_WAY_UP,
        network=True,
        zh="与上游不一致的时钟",
    ),
    Check(
        "keys-at-google",
        "keys that Google refuses",
        keys.at_google,
        needs=(*_WAY_UP, "pool.keys", "pool.projects", "pool.proxies", *_DATA),
        network=True,
        zh="被 Google 拒绝的密钥",
    ),
    Check(
        "pictures",
        "a storage of pictures that is incomplete or cannot be reached",
        pictures.pictures,
        needs=("images.storage", "images.directory"),
        tells=("images.",),
        zh="图片存储的设置不完整，或无法到达",
    ),
    Check(
        "public-url",
        "an address for clients that does not lead to this proxy, or leads through a reverse proxy"
        " that holds back events or hides broken endings",
        public.public,
        needs=("server.public_url", "admin.secret"),
        network=True,
        zh="客户端使用的地址没有通向这个代理，或者中间的反向代理扣住事件、掩盖中断的结尾",
    ),
)


def teller(setting: str) -> str:
    """Return the name of the check that reports a refusal of ``setting``."""
    for check in CHECKS:
        for told in check.tells:
            if setting == told or (told.endswith(".") and setting.startswith(told)):
                return check.name
    return CHECKS[0].name
