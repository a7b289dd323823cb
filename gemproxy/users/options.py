"""The command line of ``gemproxy users``."""

from collections.abc import Mapping, Sequence

import attrs

from gemproxy.accounts.gauges import MONEY
from gemproxy.accounts.user import Kind
from gemproxy.config.arguments import Parser, divided
from gemproxy.users.values import OFF, flag_of

_LIMITS: Mapping[Kind, str] = {
    Kind.RPM: "requests in 60 seconds",
    Kind.TPM: "tokens in 60 seconds",
    Kind.RPD: "requests in a day",
    Kind.CONCURRENCY: "requests at the same time",
    Kind.TOKENS_PER_DAY: "tokens in a day",
    Kind.TOKENS_PER_MONTH: "tokens in a month",
    Kind.USD_PER_DAY: "dollars in a day, such as 1.50",
    Kind.USD_PER_MONTH: "dollars in a month",
    Kind.PER_IP_RPM: "requests in 60 seconds from each client address",
    Kind.PER_IP_RPD: "requests in a day from each client address",
}
_OTHERS = ("--json", "--models", "--expires", "--shadow", "--grace", "--help")
_OWN = {*_OTHERS, *map(flag_of, _LIMITS)}

_TOO_MANY = "there is an argument too many"

_DESCRIPTION = """\
Manage the access keys with which clients call the pool. They are kept in the ledger's database, as
hashes; a proxy that runs takes every change up within half a second."""
_EPILOG = """\
A limit is for all models together (--rpm 50) or for one (--rpm gemini-2.5-pro=5), and each flag may
be repeated. Days and months are those of accounts.timezone. The settings are those of the proxy:
the same variables, files and flags, such as --server.data_dir DIR.

Exit codes: 0 success, 1 a failure at run time, 2 wrong settings or a wrong command line."""


@attrs.frozen
class Options:
    """What is to be done; ``flags`` are those of settings.

    ``limits`` has the values of each flag as they were written, ``models`` and ``expires`` None
    where the flag is missing.
    """

    action: str
    name: str = attrs.field(repr=False)
    json: bool
    limits: Mapping[Kind, Sequence[str]]
    models: Sequence[str] | None
    expires: str | None
    shadow: bool
    grace: str
    flags: Sequence[str] = attrs.field(repr=False)


def read_options(argv: Sequence[str]) -> Options:
    """Return the options; raise Misused, or SystemExit when help was shown."""
    own, flags = divided(argv, _OWN)
    found = _parser().parse_args(own)
    given = {kind: getattr(found, kind.value, None) or () for kind in _LIMITS}
    return Options(
        action=found.action,
        name=getattr(found, "name", ""),
        json=getattr(found, "json", False),
        limits={kind: values for kind, values in given.items() if values},
        models=getattr(found, "models", None),
        expires=getattr(found, "expires", None),
        shadow=getattr(found, "shadow", False),
        grace=getattr(found, "grace", "0"),
        flags=flags,
    )


def _parser() -> Parser:
    parser = Parser(prog="gemproxy users", too_many=_TOO_MANY, description=_DESCRIPTION)
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, does: str) -> Parser:
        return actions.add_parser(name, help=does, description=does, too_many=_TOO_MANY)

    add = action("add", "make an access key; it is shown once")
    add.add_argument("name", metavar="NAME", help="who uses it; a name is never used again")
    listing = action("list", "show all users and their limits, without keys")
    change = action("set", "change the limits, the models or the expiry of a user")
    rotate = action("rotate", "make another key for a user; it is shown once")
    revoke = action("revoke", "refuse a user's key from now on, for good")
    for one in (change, rotate, revoke):
        one.add_argument("name", metavar="NAME|ID")
    rotate.add_argument(
        "--grace", metavar="SECONDS", default="0", help="how long the old key stays good, as in 2h"
    )
    for limited in (add, change):
        _add_limits(limited)
    change.epilog = f"What is not given stays. The value {OFF} takes a limit away."
    for machine in (add, listing, change, rotate, revoke):
        machine.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_limits(parser: Parser) -> None:
    for kind, counts in _LIMITS.items():
        unit = "X" if kind in MONEY else "N"
        parser.add_argument(
            flag_of(kind), metavar=unit, dest=kind.value, action="append", help=counts
        )
    parser.add_argument(
        "--models",
        metavar="A,B",
        action="append",
        help="the only models that may be called; a * at the end of a name stands for any rest",
    )
    parser.add_argument(
        "--expires", metavar="DATE", help="when the key ends: 2027-01-31 or 2027-01-31T18:00"
    )
    parser.add_argument(
        "--shadow",
        action="store_true",
        help="only count and log the limits that are given here, and refuse nothing",
    )
