"""``gemproxy doctor``: makes the case, runs the checks and shows their findings."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gemproxy.config.loading import Stored as Lookups
from gemproxy.config.settings import Examined, Settings
from gemproxy.config.starting import StoredUsers
from gemproxy.doctor.aside import patient_loop
from gemproxy.doctor.case import Case, Problem, Stored
from gemproxy.doctor.finding import Finding
from gemproxy.doctor.hiding import hidden
from gemproxy.doctor.options import Options
from gemproxy.doctor.report import document, page
from gemproxy.doctor.running import run as run_checks
from gemproxy.ledger.peeking import look
from gemproxy.store.peeking import peek_at_projects
from gemproxy.store.unusable import Unusable

OK, FAULT, USAGE, INTERRUPTED = 0, 1, 2, 130

_USERS_SECONDS = 2.0
"""Seconds for the database before the checks begin, one of which waits for it longer."""
_COMMAND_LINE = "the command line"


def run(options: Options) -> int:
    """Find out and show; return the exit code."""
    examined = _examined(options.flags, offline=options.offline)
    problems = [Problem.of(line) for line in examined.problems]
    misused = [one for one in problems if one.origin == _COMMAND_LINE]
    if misused:
        for one in misused:
            sys.stderr.write(f"gemproxy: {one.setting}: {one.why}\n")
        return USAGE
    case = _case(options, examined, problems)
    try:
        with asyncio.Runner(loop_factory=patient_loop) as runner:
            findings = runner.run(run_checks(case))
    except KeyboardInterrupt:
        return INTERRUPTED
    findings = hidden(findings, case)
    _show(findings, options)
    return FAULT if any(one.status == "fault" for one in findings) else OK


def _examined(flags: Sequence[str], *, offline: bool) -> Examined:
    """Return the settings and their problems; what is stored is looked up without a change.

    A store that cannot be read counts as one with something in it: its check says why.
    """

    def projects(data_dir: str, _secret_key: str) -> frozenset[str]:
        try:
            return peek_at_projects(Path(data_dir))
        except Unusable:
            return frozenset({"?"})

    def users(data_dir: str, database_url: str) -> StoredUsers:
        if offline and database_url and not database_url.startswith("sqlite"):
            return StoredUsers(any=True)
        try:
            with asyncio.Runner(loop_factory=patient_loop) as runner:
                looking = look(database_url, Path(data_dir))
                found = runner.run(asyncio.wait_for(looking, _USERS_SECONDS)).users
        except (Unusable, TimeoutError):
            found = None
        if found is None:
            return StoredUsers(any=True)
        return StoredUsers(any=bool(found), limited=[one.name for one in found if one.limits])

    return Settings.examine(flags, stored=Lookups(projects=projects, users=users))


def _case(options: Options, examined: Examined, problems: Sequence[Problem]) -> Case:
    loaded = examined.loaded
    warnings = () if problems else tuple(map(Problem.of, loaded.warnings()))
    return Case(
        settings=loaded.settings,
        origins=loaded.origins,
        stored=Stored.of(loaded.settings),
        problems=problems,
        warnings=warnings,
        wrong=examined.wrong,
        environ=os.environ,
        url=options.url,
        offline=options.offline,
    )


def _show(findings: Sequence[Finding], options: Options) -> None:
    if options.json:
        text = document(findings)
    else:
        colour = sys.stdout.isatty() and wants_colour(os.environ)
        width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
        text = page(findings, width=width, colour=colour)
    sys.stdout.write(f"{text}\n")


def wants_colour(environ: Mapping[str, str]) -> bool:
    """Return whether a terminal may be written to in colours (https://no-color.org)."""
    return not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
