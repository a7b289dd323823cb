"""The command line of ``gemproxy usage``."""

import argparse
from collections.abc import Sequence

import attrs

from gemproxy.config.arguments import Misused, Parser, divided
from gemproxy.ledger.naming import ALL, Only
from gemproxy.ledger.queries import By, check

LAST = 20
LAST_FOR_PROGRAMS = 10_000
"""Requests that are listed unless --last says otherwise, for people and with --json."""

_OWN = {
    "--by",
    "--since",
    "--until",
    "--last",
    "--user",
    "--model",
    "--project",
    "--key",
    "--json",
    "--help",
}

_DESCRIPTION = """\
Show what the ledger has: the sums of a time, or with "requests" the newest requests."""
_EPILOG = """\
D is a date (2026-11-28) or a date and a time (2026-11-28T09:30, 2026-11-28T08:30:00Z). Without an
offset it is of the time zone accounts.timezone, like the days and hours of --by. Money is what
users pay; what repair cost beyond that is the operator's. A request whose model has no price counts
as unpriced. The settings are those of the proxy: the same variables, files and flags, such as
--server.data_dir DIR. A proxy may run on the same database.

Exit codes: 0 success, 1 a failure at run time, 2 wrong settings or a wrong command line."""

_LAST_HELP = f"how many requests to list (default {LAST}, with --json {LAST_FOR_PROGRAMS})"


@attrs.frozen
class Options:
    """What is to be shown; ``flags`` are those of settings.

    ``requests``: the newest ``last`` requests, else sums, grouped or in total.
    """

    requests: bool = False
    by: Sequence[By] = ()
    since: str | None = None
    until: str | None = None
    last: int = LAST
    only: Only = ALL
    json: bool = False
    flags: Sequence[str] = attrs.field(default=(), repr=False)


def read_options(argv: Sequence[str]) -> Options:
    """Return the options; raise Misused, or SystemExit when help was shown."""
    own, flags = divided(argv, _OWN)
    found = _parser().parse_args(own)
    requests = found.what is not None
    if requests and found.by:
        raise Misused("--by groups sums; requests are listed one by one")
    if not requests and found.last is not None:
        raise Misused('--last is for the newest requests: "gemproxy usage requests --last N"')
    return Options(
        requests=requests,
        by=found.by,
        since=found.since,
        until=found.until,
        last=(LAST_FOR_PROGRAMS if found.json else LAST) if found.last is None else found.last,
        only=Only(found.user, found.model, found.project, found.key),
        json=found.json,
        flags=tuple(flags),
    )


def _count(words: str) -> int:
    if not (words.isascii() and words.isdecimal()):
        raise argparse.ArgumentTypeError("must be a number, 0 or more")
    return int(words)


def _requests(words: str) -> str:
    if words != "requests":
        raise argparse.ArgumentTypeError('is nothing that can be listed; only "requests" is')
    return words


def _by(words: str) -> Sequence[By]:
    known = {by.value: by for by in By}
    wanted = words.split(",")
    if not known.keys() >= {*wanted}:
        listed = ", ".join(known)
        raise argparse.ArgumentTypeError(f"must be one of {listed}; or two of them: day,model")
    by = [known[word] for word in wanted]
    try:
        check(by)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"cannot be so: {error}") from None
    return by


def _parser() -> Parser:
    parser = Parser(prog="gemproxy usage", description=_DESCRIPTION)
    parser.epilog = _EPILOG
    add = parser.add_argument
    add(
        "what",
        nargs="?",
        type=_requests,
        metavar="requests",
        help="list the newest requests, not sums",
    )
    by = "|".join(by.value for by in By)
    by_help = "the sums of each of these, or of two (day,model); else the total"
    add("--by", metavar=by, type=_by, default=(), help=by_help)
    add("--since", metavar="D", help="only requests that started at this time or later")
    add("--until", metavar="D", help="only requests that started before this time")
    add("--user", metavar="NAME", help="only requests with the access key of this name")
    add("--model", metavar="NAME", help="only requests for this model")
    add("--project", metavar="NAME", help="only requests with a key of this project")
    add("--key", metavar="ID", help="only requests with the Gemini key of this id")
    add("--last", metavar="N", type=_count, help=_LAST_HELP)
    add("--json", action="store_true", help="print JSON")
    return parser
