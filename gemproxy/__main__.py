"""The command line: finds the command, passes it its settings, returns its exit code.

Each command is imported when it is called, so it does not load the imports of the others.
"""

import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from gemproxy import __version__

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from gemproxy.config.settings import Loaded
    from gemproxy.config.starting import StoredUsers
    from gemproxy.keys.site import Site
    from gemproxy.service.background import Outcome
    from gemproxy.service.options import ServeOptions
    from gemproxy.users.site import Site as PlaceOfUsers

COMMAND_LINE = """\
gemproxy [serve] [flags]   run the proxy
gemproxy stop [flags]      end a proxy that "gemproxy serve --detach" has started
gemproxy health [flags]    ask whether the proxy of this machine lives
gemproxy check [flags]     show every setting and where it comes from
gemproxy doctor ...        find out what is wrong with an installation, and what to do
gemproxy demo ...          watch a broken stream being repaired; needs no key
gemproxy keys ...          add, list, check and remove the keys of the pool
gemproxy users ...         make and limit the access keys of clients
gemproxy usage ...         show what was used, by whom, and what it cost
gemproxy db ...            back up, restore, check and clean up the ledger
gemproxy chaos ...         run a fake Gemini that breaks on purpose
gemproxy probe ...         try out with real models what gemproxy assumes of them
gemproxy --version

"gemproxy serve --help" lists the flags; the others have a --help of their own.
Exit codes: 0 success, 1 a failure at run time, 2 wrong settings or a wrong command line."""

OK, FAILED, USAGE = 0, 1, 2
PID_FILE, OUTPUT = "gemproxy.pid", "gemproxy.out"
"""Files in the data directory of a proxy in the background: its process, and what it prints."""
AFTER_DRAIN_SECONDS = 10.0
"""Seconds that an orderly end may take behind the drain timeout."""


class Options(Protocol):
    """What a command line asks for; ``flags`` are those of settings."""

    @property
    def flags(self) -> Sequence[str]:
        """The flags of settings."""


O = TypeVar("O", bound=Options)  # noqa: E741 (no number is near)
HELP = {"-h", "--help"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` (None: the process's arguments) names; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--version"]:
        return _say(f"gemproxy {__version__}")
    if HELP.intersection(arguments[:1]):
        return _say(COMMAND_LINE)
    if not arguments or arguments[0].startswith("-"):
        arguments.insert(0, "serve")
    name, *rest = arguments
    command = COMMANDS.get(name)
    return command(rest) if command else _complain([_unknown(name)])


def _serve(argv: Sequence[str]) -> int:
    from gemproxy.config.arguments import Misused  # noqa: PLC0415 (see this module's docstring)
    from gemproxy.config.settings import usage  # noqa: PLC0415
    from gemproxy.service.options import ServeOptions, read_serve, serve_help  # noqa: PLC0415

    if HELP.intersection(argv):
        return _say(serve_help(usage()).rstrip())

    def run(options: ServeOptions, loaded: "Loaded") -> int:
        if options.detach:
            return _start(options, loaded)
        if options.pid_file is not None:
            return _kept(options.pid_file, loaded)
        from gemproxy.web.server import serve  # noqa: PLC0415 (check does not need a server)

        return serve(loaded)

    try:
        options = read_serve(argv)
    except Misused as misuse:
        return _complain([str(misuse)])
    return _with_settings(options.flags, lambda loaded: run(options, loaded))


def _start(options: "ServeOptions", loaded: "Loaded") -> int:
    """Start the proxy in the background."""
    from gemproxy.service.background import start  # noqa: PLC0415 (see this module's docstring)

    folder = Path(loaded.settings.server.data_dir)
    pid_file = options.pid_file or folder / PID_FILE
    arguments = ["serve", "--pid-file", str(pid_file), *options.flags]
    return _told(start(arguments, pid_file, folder / OUTPUT))


def _kept(pid_file: Path, loaded: "Loaded") -> int:
    """Serve while a file says which process does."""
    from gemproxy.service.pidfile import PidFile, Taken  # noqa: PLC0415
    from gemproxy.web.server import serve  # noqa: PLC0415 (see this module's docstring)

    try:
        with PidFile(pid_file).held():
            return serve(loaded)
    except Taken as taken:
        sys.stderr.write(f"gemproxy: {pid_file}: process {taken.pid} runs already\n")
    except OSError as error:
        sys.stderr.write(f"gemproxy: {pid_file}: {error.strerror}\n")
    return FAILED


def _stop(argv: Sequence[str]) -> int:
    from gemproxy.service.options import StopOptions, read_stop  # noqa: PLC0415

    def run(options: StopOptions, loaded: "Loaded") -> int:
        from gemproxy.service.background import stop  # noqa: PLC0415 (see this module's docstring)

        server = loaded.settings.server
        pid_file = options.pid_file or Path(server.data_dir, PID_FILE)
        return _told(stop(pid_file, server.drain_timeout + AFTER_DRAIN_SECONDS))

    return _with_options(argv, read_stop, run)


def _health(argv: Sequence[str]) -> int:
    def run(loaded: "Loaded") -> int:
        from gemproxy.service.health import Address, ask  # noqa: PLC0415 (see this docstring)

        server = loaded.settings.server
        wrong = ask(Address(server.host, server.port, bool(server.tls_cert)))
        if not wrong:
            return OK
        sys.stderr.write(f"gemproxy: {wrong}\n")
        return FAILED

    return _with_settings(argv, run, starting=False)


def _told(outcome: "Outcome") -> int:
    """Tell what became of an order; return its exit code."""
    if outcome.code == OK:
        return _say(outcome.text)
    sys.stderr.write(f"gemproxy: {outcome.text}\n")
    return outcome.code


def _check(argv: Sequence[str]) -> int:
    from gemproxy.config.arguments import aligned  # noqa: PLC0415 (see this module's docstring)

    if any(argument.partition("=")[0] == "--from" for argument in argv):
        return _moved(argv)

    def run(loaded: "Loaded") -> int:
        loaded = _with_changes(loaded)
        for warning in loaded.warnings():
            _warn(warning)
        return _say(aligned([("setting", "value", "from"), *loaded.rows()]))

    return _with_settings(argv, run)


def _moved(argv: Sequence[str]) -> int:
    """Show the settings of another proxy as ours."""
    from gemproxy.config.arguments import Misused  # noqa: PLC0415 (see this module's docstring)
    from gemproxy.moving.command import read_options, run  # noqa: PLC0415

    try:
        code, text, notes = run(read_options(argv))
    except Misused as misuse:
        return _complain([str(misuse)])
    except SystemExit:  # --help was shown
        return OK
    sys.stdout.write(text)
    for line in notes.splitlines():
        sys.stderr.write(f"gemproxy: {line}\n")
    return code


def _doctor(argv: Sequence[str]) -> int:
    from gemproxy.config.arguments import Misused  # noqa: PLC0415 (see this module's docstring)
    from gemproxy.doctor.command import run  # noqa: PLC0415
    from gemproxy.doctor.options import read_options  # noqa: PLC0415

    try:
        return run(read_options(argv))
    except Misused as misuse:
        return _complain([str(misuse)])
    except SystemExit:  # --help was shown
        return OK


def _with_changes(loaded: "Loaded") -> "Loaded":
    """Return the settings with those that were changed while a proxy ran, as a start takes them.

    If they cannot be read that is a warning: the others can be shown.
    """
    import asyncio  # noqa: PLC0415 (see the docstring of this module)

    from gemproxy.config.live import taken  # noqa: PLC0415
    from gemproxy.config.operators import keeps_a_ledger, mode_of  # noqa: PLC0415
    from gemproxy.ledger.peeking import look  # noqa: PLC0415
    from gemproxy.store.store import stored_projects  # noqa: PLC0415
    from gemproxy.store.unusable import Unusable  # noqa: PLC0415

    settings = loaded.settings
    server, pooled = settings.server, mode_of(settings, stored=loaded.stored) != "passthrough"
    if not keeps_a_ledger(settings, pooled=pooled):
        return loaded
    try:
        sight = asyncio.run(look(settings.ledger.database_url, Path(server.data_dir)))
        projects = stored_projects(server.data_dir, server.secret_key) if pooled else ()
    except Unusable as error:
        _warn(f"settings that were changed at run time cannot be read: {error.setting}: {error}")
        return loaded
    changed, left_out = taken(loaded, sight.settings, projects)
    for text in left_out:
        _warn(f"a stored setting is not used: {text}")
    return changed


def _keys(argv: Sequence[str]) -> int:
    from gemproxy.keys.command import run  # noqa: PLC0415 (see the docstring of this module)
    from gemproxy.keys.options import read_options  # noqa: PLC0415

    return _with_options(argv, read_options, lambda options, loaded: run(options, _site(loaded)))


def _users(argv: Sequence[str]) -> int:
    from gemproxy.users.command import run  # noqa: PLC0415 (see the docstring of this module)
    from gemproxy.users.options import read_options  # noqa: PLC0415

    return _with_options(
        argv, read_options, lambda options, loaded: run(options, _place_of_users(loaded))
    )


def _place_of_users(loaded: "Loaded") -> "PlaceOfUsers":
    """Return what the command ``users`` needs to know of the settings."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 (see the docstring of this module)

    from gemproxy.config.operators import mode_of  # noqa: PLC0415
    from gemproxy.users.site import Site  # noqa: PLC0415

    settings = loaded.settings
    return Site(
        data_dir=Path(settings.server.data_dir),
        secret_key=settings.server.secret_key,
        database_url=settings.ledger.database_url,
        zone=ZoneInfo(settings.accounts.timezone),
        workers=settings.server.workers,
        taken=frozenset(settings.access.keys),
        pooled=mode_of(settings, stored=loaded.stored) != "passthrough",
    )


def _usage(argv: Sequence[str]) -> int:
    from gemproxy.usage.command import run  # noqa: PLC0415 (see the docstring of this module)
    from gemproxy.usage.options import read_options  # noqa: PLC0415

    return _with_options(argv, read_options, lambda options, loaded: run(options, *_ledger(loaded)))


def _db(argv: Sequence[str]) -> int:
    from gemproxy.usage.db import run  # noqa: PLC0415 (see the docstring of this module)
    from gemproxy.usage.db_options import read_options  # noqa: PLC0415

    return _with_options(argv, read_options, lambda options, loaded: run(options, *_ledger(loaded)))


def _ledger(loaded: "Loaded") -> "tuple[str, Path, ZoneInfo]":
    """Return the URL of the ledger's database, the data directory, and the time zone."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 (see the docstring of this module)

    settings = loaded.settings
    zone = ZoneInfo(settings.accounts.timezone)
    return settings.ledger.database_url, Path(settings.server.data_dir), zone


def _site(loaded: "Loaded") -> "Site":
    """Return what the command ``keys`` needs to know of the settings."""
    from yarl import URL  # noqa: PLC0415 (see the docstring of this module)

    from gemproxy.config.operators import operators_keys  # noqa: PLC0415
    from gemproxy.config.outbound import resolve_proxy  # noqa: PLC0415
    from gemproxy.config.starting import access_keys  # noqa: PLC0415
    from gemproxy.keys.site import Site  # noqa: PLC0415

    settings = loaded.settings
    base = URL(settings.upstream.url_base)
    return Site(
        data_dir=Path(settings.server.data_dir),
        secret_key=settings.server.secret_key,
        keys=operators_keys(settings),
        proxies=settings.pool.proxies,
        base=base,
        proxy=resolve_proxy(settings.upstream.proxy, base, os.environ),
        connect_seconds=settings.upstream.connect_timeout_seconds,
        access=frozenset(access_keys(settings.access.keys, settings.access.password).values()),
        admin=settings.admin.secret,
    )


def _demo(argv: Sequence[str]) -> int:
    from gemproxy.demo import run  # noqa: PLC0415 (see the docstring of this module)

    return run(argv)


def _chaos(argv: Sequence[str]) -> int:
    from gemproxy.chaos.__main__ import run  # noqa: PLC0415 (see the docstring of this module)

    return run(argv)


def _probe(argv: Sequence[str]) -> int:
    from gemproxy.probe import run  # noqa: PLC0415 (see the docstring of this module)

    return run(argv)


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "serve": _serve,
    "stop": _stop,
    "health": _health,
    "check": _check,
    "doctor": _doctor,
    "demo": _demo,
    "keys": _keys,
    "users": _users,
    "usage": _usage,
    "db": _db,
    "chaos": _chaos,
    "probe": _probe,
}


def _with_options(
    argv: Sequence[str],
    read: Callable[[Sequence[str]], O],
    run: Callable[[O, "Loaded"], int],
) -> int:
    """Return the result of ``run`` for a command line with flags of settings, or print problems."""
    from gemproxy.config.arguments import Misused  # noqa: PLC0415 (see this module's docstring)

    try:
        options = read(argv)
    except Misused as misuse:
        return _complain([str(misuse)])
    except SystemExit:  # --help was shown
        return OK
    return _with_settings(options.flags, lambda loaded: run(options, loaded), starting=False)


def _with_settings(
    argv: Sequence[str], run: Callable[["Loaded"], int], *, starting: bool = True
) -> int:
    """Return the result of ``run`` for the loaded settings, or print their problems."""
    from gemproxy.config.loading import Stored  # noqa: PLC0415
    from gemproxy.config.settings import (  # noqa: PLC0415 (see the docstring of this module)
        Settings,
        SettingsError,
        usage,
    )
    from gemproxy.store.store import stored_projects  # noqa: PLC0415

    if HELP.intersection(argv):
        return _say(usage().rstrip())
    stored = Stored(projects=stored_projects, users=_stored_users)
    try:
        loaded = Settings.load(argv, stored=stored, starting=starting)
    except SettingsError as error:
        return _complain(error.problems)
    return run(loaded)


def _stored_users(data_dir: str, database_url: str) -> "StoredUsers":
    """Return the users in the database of the ledger. Blocks; raises Unusable."""
    from gemproxy.config.starting import StoredUsers  # noqa: PLC0415
    from gemproxy.ledger.users import good_users  # noqa: PLC0415

    users = good_users(database_url, Path(data_dir))
    limited = [user.name for user in users if user.limits]
    return StoredUsers(any=bool(users), limited=limited)


def _unknown(name: str) -> str:
    guesses = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"; did you mean {guesses[0]}?" if guesses else f", only {', '.join(COMMANDS)}"
    return f"no command {name!r}{hint}"


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return OK


def _warn(warning: str) -> None:
    sys.stderr.write(f"gemproxy: warning: {warning}\n")


def _complain(problems: Sequence[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"gemproxy: {problem}\n")
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
