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

    ``about`` says what it finds, for docs/doctor.md. ``needs`` are the settings without which it
    is skipped. ``tells`` are those whose refusals by the rules of a start it reports, in place of
    the check ``settings``; one that ends with a dot is a section. ``network``: it asks somebody,
    so ``--offline`` leaves it out.
    """

    name: str
    about: str
    run: Callable[[Case], Awaitable[Verdicts]]
    needs: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    network: bool = False


_DATA = ("server.data_dir", "server.secret_key")
_WAY_UP = ("upstream.url_base", "upstream.proxy")

CHECKS = (
    Check(
        "settings",
        "settings that cannot be loaded, all of them at once, and settings that are probably not"
        " meant",
        files.settings,
    ),
    Check("python", "a version of Python or of a library that is too old", machine.python),
    Check(
        "parser", "aiohttp without its parser in C, with which no start is possible", machine.parser
    ),
    Check("loop", "uvloop is missing, which costs speed", machine.loop),
    Check(
        "descriptors",
        "too few open files (`ulimit -n`) for `server.max_connections`",
        machine.descriptors,
        needs=("server.max_connections",),
    ),
    Check(
        "extras",
        "a package that the settings need: for SOCKS proxies, PostgreSQL, traces",
        machine.extras,
        needs=("pool.proxies", "ledger.database_url"),
        tells=("pool.proxies", "tracing.enabled"),
    ),
    Check(
        "data-directory",
        "a data directory that cannot be made, read or written, is damaged, or belongs to a newer"
        " gemproxy or another `server.secret_key`",
        storage.data_directory,
        needs=_DATA,
        tells=_DATA,
    ),
    Check(
        "secret-files",
        "files with keys or passwords that other users of the machine can read",
        storage.secret_files,
        needs=_DATA,
    ),
    Check(
        "disk",
        "a disk that is nearly full, or a log file that cannot be written",
        storage.disk,
        needs=("server.data_dir", "logging.file", "images.directory"),
    ),
    Check(
        "ledger",
        "a database that cannot be reached, is damaged, older (the next start migrates it) or newer"
        " than this gemproxy",
        database.ledger,
        needs=("ledger.database_url", "ledger.enabled", "server.data_dir"),
        tells=("ledger.",),
    ),
    Check(
        "prices",
        "a file with prices that cannot be read",
        files.prices,
        needs=("accounts.prices",),
        tells=("accounts.prices",),
    ),
    Check(
        "keys",
        "a pool without keys, stored keys that cannot be decrypted, a key that is an access key"
        " too",
        keys.keys,
        needs=("pool.mode", "pool.keys", "pool.projects", *_DATA),
        tells=("pool.mode",),
    ),
    Check(
        "access",
        "no access key where one is needed; access keys and secrets that are weak or well known",
        guard.access,
        needs=("access.keys", "access.password", "admin.secret", "server.secret_key"),
        tells=("access.keys", "access.password", "admin.secret"),
    ),
    Check(
        "bind",
        "an address that lets other machines in without authentication or without TLS",
        guard.bind,
        needs=("server.host", "server.public_url", "server.trusted_proxies"),
        tells=("server.host", "pool.open", "server.allow_passthrough_keys"),
    ),
    Check(
        "tls",
        "a certificate that is out of date or soon will be, or does not fit its key",
        certificate.tls,
        needs=("server.tls_cert", "server.tls_key"),
        tells=("server.tls_cert", "server.tls_key"),
    ),
    Check(
        "port",
        "a port that another program has, or that this user or machine may not listen on",
        port.port,
        needs=("server.host", "server.port"),
    ),
    Check(
        "upstream",
        "an upstream that cannot be reached (name, connection, proxy, TLS, authority) or is not the"
        " Gemini API",
        reaching.upstream,
        needs=_WAY_UP,
        tells=("upstream.proxy",),
        network=True,
    ),
    Check(
        "clock",
        "a clock that differs from the upstream's",
        reaching.clock,
        needs=_WAY_UP,
        network=True,
    ),
    Check(
        "keys-at-google",
        "keys that Google refuses",
        keys.at_google,
        needs=(*_WAY_UP, "pool.keys", "pool.projects", "pool.proxies", *_DATA),
        network=True,
    ),
    Check(
        "pictures",
        "a storage of pictures that is incomplete or cannot be reached",
        pictures.pictures,
        needs=("images.storage", "images.directory"),
        tells=("images.",),
    ),
    Check(
        "public-url",
        "an address for clients that does not lead to this proxy, or leads through a reverse proxy"
        " that holds back events or hides broken endings",
        public.public,
        needs=("server.public_url", "admin.secret"),
        network=True,
    ),
)


def teller(setting: str) -> str:
    """Return the name of the check that reports a refusal of ``setting``."""
    for check in CHECKS:
        for told in check.tells:
            if setting == told or (told.endswith(".") and setting.startswith(told)):
                return check.name
    return CHECKS[0].name
