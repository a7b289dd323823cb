"""The files of the proxy: the data directory, who may read secrets, the room on the disk."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from gemproxy.config.operators import keeps_a_ledger
from gemproxy.doctor.aside import aside
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, warning
from gemproxy.store.database import FILE
from gemproxy.store.vault import KEY_FILE

FULL_BYTES = 32 << 20
"""Free bytes below which databases and logs fail soon."""
SCARCE_BYTES = 512 << 20

_OTHERS = 0o077
_WORLD_WRITES = 0o002
_READ = "is open to other users (mode {:o})"


def keeps_files(case: Case) -> bool:
    """Return whether anything is written to the data directory."""
    ledger = keeps_a_ledger(case.settings, pooled=case.pooled)
    return case.pooled or (ledger and not case.settings.ledger.database_url)


async def data_directory(case: Case) -> Verdicts:
    """Judge whether the data directory can be used."""
    if not keeps_files(case):
        return [ok("nothing is kept: the proxy needs no data directory")]
    if case.stored.unusable:
        words = f"{case.stored.setting}: {case.stored.unusable}"
        return [_refused(words), *await aside(lambda: _writable(case, quiet=True))]
    return await aside(lambda: _writable(case))


def _refused(words: str) -> Verdict:
    """Return a fault of a refusal whose last words, behind a colon, may say what to do."""
    message, colon, advice = words.rpartition(": ")
    if colon and ": " in message:
        return fault(message, advice)
    return fault(words, "correct that, or put a backup of the data directory back")


def _writable(case: Case, *, quiet: bool = False) -> list[Verdict]:
    folder = case.data_dir
    wrong = writing_problem(folder)
    if wrong:
        return [
            fault(
                f"server.data_dir: '{folder}' {wrong}",
                "give it to the user that runs gemproxy (chown), or set server.data_dir",
            )
        ]
    if quiet:
        return []
    return [ok(f"'{folder}' can be written" if folder.exists() else f"'{folder}' can be made")]


def writing_problem(folder: Path) -> str:
    """Return why nothing can be written into ``folder``, which need not exist; "" if it can."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        if not place.is_dir():
            return f"cannot be made: '{place}' is a file" if place != folder else "is a file"
        if os.access(place, os.W_OK | os.X_OK):
            return ""
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    if place != folder.absolute():
        return f"cannot be made: this user may not write to '{place}'"
    return "cannot be written by this user"


async def secret_files(case: Case) -> Verdicts:
    """Judge who may read the files with secrets."""
    return await aside(lambda: list(_open_files(case))) or [ok("no file with a secret is open")]


def _open_files(case: Case) -> Iterator[Verdict]:
    if os.name != "posix":
        return
    refused = f"'{case.data_dir / KEY_FILE}'" in case.stored.unusable
    for file in () if refused else (case.data_dir / KEY_FILE,):
        if mode := _mode_for_others(file):
            words = f"'{file}' {_READ.format(mode)}, and the start refuses it"
            yield fault(words, f"chmod 600 '{file}'")
    for file in _other_files(case):
        if mode := _mode_for_others(file):
            yield warning(f"'{file}' {_READ.format(mode)}, and has secrets", f"chmod 600 '{file}'")
    if _mode_for_others(case.data_dir) & _WORLD_WRITES:
        words = f"anybody on this machine can write to '{case.data_dir}'"
        yield warning(words, f"chmod 700 '{case.data_dir}'")


_NO_FILES = ("environment", "flag")


def _other_files(case: Case) -> list[Path]:
    """Return the files that have secrets, if they exist."""
    files = [case.data_dir / FILE, case.data_dir / "ledger.sqlite"]
    if case.settings.server.tls_key:
        files.append(Path(case.settings.server.tls_key))
    origins = [key.origin for key in case.keys]
    origins += [case.origins[path] for path in SECRETS if _value(case, path)]
    for origin in dict.fromkeys(origins):
        label = origin.rpartition(" ")[0]  # of a variable: the file that has it, or "environment"
        if label not in _NO_FILES:
            files.append(Path(label or origin))
    return list(dict.fromkeys(files))


SECRETS = (
    "access.keys",
    "access.password",
    "admin.secret",
    "images.secret_key",
    "ledger.database_url",
    "pool.keys",
    "pool.projects",
    "server.secret_key",
    "upstream.proxy",
)
"""Settings whose values are secrets."""


def _value(case: Case, path: str) -> object:
    section, _, name = path.partition(".")
    return getattr(getattr(case.settings, section), name)


def _mode_for_others(file: Path) -> int:
    """Return the permissions that others have; 0 if there are none, or no file."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return 0
    return mode if mode & _OTHERS else 0


async def disk(case: Case) -> Verdicts:
    """Judge the room on the disks that are written to."""
    folders = {}
    if keeps_files(case):
        folders["server.data_dir"] = case.data_dir
    if case.settings.logging.file:
        folders["logging.file"] = Path(case.settings.logging.file).parent
    if case.settings.images.storage == "local":
        folders["images.directory"] = Path(case.settings.images.directory)
    return await aside(lambda: _rooms(folders))


def _rooms(folders: dict[str, Path]) -> list[Verdict]:
    found = []
    for setting, folder in folders.items():
        place = folder.absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        try:
            free = shutil.disk_usage(place).free
        except OSError as error:
            words = f"{setting}: the disk of '{folder}' cannot be asked: {error.strerror}"
            found.append(warning(words, "look at the disk"))
            continue
        verdict = judge_room(setting, folder, free)
        if verdict.status != "ok" or not found:
            found.append(verdict)
        wrong = writing_problem(folder) if setting == "logging.file" else ""
        if wrong:
            found.append(fault(f"{setting}: '{folder}' {wrong}", "correct logging.file"))
    bad = [one for one in found if one.status != "ok"]
    return bad or found[:1] or [ok("nothing is written to a disk")]


def judge_room(setting: str, folder: Path, free: int) -> Verdict:
    """Judge the ``free`` bytes of the disk that ``folder`` is on."""
    words = f"{free >> 20} MiB are free for {setting} ('{folder}')"
    if free >= SCARCE_BYTES:
        return ok(words)
    advice = "make room, or use another disk; gemproxy db cleanup removes old requests"
    return (fault if free < FULL_BYTES else warning)(f"only {words}", advice)
