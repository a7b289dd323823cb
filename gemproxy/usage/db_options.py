"""The command line of ``gemproxy db``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import attrs

from gemproxy.config.arguments import Parser, divided

_OWN = {"--days", "--json", "--help"}

_DESCRIPTION = """\
Keep the database of the ledger: the file ledger.sqlite in server.data_dir, or what
ledger.database_url names."""
_EPILOG = """\
A backup is a file of SQLite, whichever database it comes from, and can be restored to either. It
has the requests, their sums and the hashes of the access keys; the keys themselves are nowhere.
The settings are those of the proxy: the same variables, files and flags, such as
--server.data_dir DIR.

Exit codes: 0 success, 1 a failure at run time or a check that found a problem, 2 wrong settings or
a wrong command line."""


@attrs.frozen
class Options:
    """What is to be done; ``flags`` are those of settings."""

    action: str
    file: Path
    days: int
    json: bool
    flags: Sequence[str] = attrs.field(repr=False)


def read_options(argv: Sequence[str]) -> Options:
    """Return the options; raise Misused, or SystemExit when help was shown."""
    own, flags = divided(argv, _OWN)
    found = _parser().parse_args(own)
    return Options(
        action=found.action,
        file=Path(getattr(found, "file", "")),
        days=getattr(found, "days", 0),
        json=found.json,
        flags=flags,
    )


def _days(text: str) -> int:
    try:
        days = int(text)
    except ValueError:
        days = -1
    if days < 0:
        raise argparse.ArgumentTypeError("is not a whole number of days")
    return days


def _parser() -> Parser:
    parser = Parser(prog="gemproxy db", description=_DESCRIPTION)
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, does: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=does, description=does)
        made.add_argument("--json", action="store_true", help="print JSON")
        return made

    cleanup = action("cleanup", "delete requests that are older than some days; sums stay")
    cleanup.add_argument("--days", metavar="N", type=_days, required=True, help="days that stay")
    backup = action("backup", "write a backup, also while the proxy runs")
    backup.add_argument("file", metavar="FILE", help="a new file")
    restore = action("restore", "replace the ledger by a backup; no process may have it open")
    restore.add_argument("file", metavar="FILE", help="the backup")
    action("check", "see whether the database is sound, and its sums those of its requests")
    return parser
