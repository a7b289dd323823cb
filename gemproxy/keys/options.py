"""The command line of ``gemproxy keys``."""

from collections.abc import Sequence

import attrs

from gemproxy.config.arguments import Parser, divided

_OWN = {"--project", "--proxy", "--json", "--yes", "--help"}
_TOO_MANY = (
    "there is an argument too many; a key is read from standard input, never from an argument"
)

_DESCRIPTION = """\
Manage the keys of the pool that are kept in the data directory (server.data_dir), encrypted.
A key is named by its fingerprint in every output but that of export. A proxy that runs takes
every change in within a second."""
_EPILOG = """\
ID is a fingerprint, or a project for all of its keys. The settings are those of the proxy: the
same variables, files and flags, such as --server.data_dir DIR.

formats of import: lines of KEY, PROJECT KEY or PROJECT,KEY, with comments behind a #;
  NAME=KEY,KEY as in a file of variables; JSON ["KEY", ...], {"PROJECT": ["KEY", ...]}, or
  what export prints.

Exit codes: 0 success, 1 a failure at run time or a key that is sick, 2 wrong settings or a wrong
command line."""


@attrs.frozen
class Options:
    """What is to be done; ``flags`` are those of settings. ``name`` is an ID, or empty."""

    action: str
    name: str = attrs.field(repr=False)
    file: str
    project: str
    proxy: str = attrs.field(repr=False)
    json: bool
    yes: bool
    flags: Sequence[str] = attrs.field(repr=False)


def read_options(argv: Sequence[str]) -> Options:
    """Return the options; raise Misused, or SystemExit when help was shown."""
    own, flags = divided(argv, _OWN)
    found = _parser().parse_args(own)
    return Options(
        action=found.action,
        name=getattr(found, "name", None) or "",
        file=getattr(found, "file", ""),
        project=getattr(found, "project", None) or "",
        proxy=getattr(found, "proxy", None) or "",
        json=getattr(found, "json", False),
        yes=getattr(found, "yes", False),
        flags=flags,
    )


def _parser() -> Parser:
    parser = Parser(prog="gemproxy keys", too_many=_TOO_MANY, description=_DESCRIPTION)
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, does: str) -> Parser:
        return actions.add_parser(name, help=does, description=does, too_many=_TOO_MANY)

    add = action("add", "add the keys on standard input, one on each line")
    add.add_argument("--project", metavar="P", help="Google's project of the keys; else each own")
    add.add_argument("--proxy", metavar="URL", help="the way out for the keys: http or socks5")
    listing = action("list", "show all keys, those of the settings too, and how they stand")
    check = action("check", "ask Gemini whether keys are well, by a request that costs nothing")
    check.add_argument("name", metavar="ID", nargs="?", help="only these keys")
    clear = action("clear", "end the rests and the sickness of a key or a project")
    clear.add_argument("name", metavar="ID")
    for name, does in (
        ("disable", "have keys serve nothing new; what runs with them goes on"),
        ("enable", "have disabled keys serve again"),
    ):
        action(name, does).add_argument("name", metavar="ID")
    remove = action("remove", "remove keys from the data directory")
    remove.add_argument("name", metavar="ID")
    imports = action("import", "add the keys in a file")
    imports.add_argument("file", metavar="FILE", help="the file; - for standard input")
    export = action("export", "print the keys of the data directory, as import reads them")
    export.add_argument("--yes", action="store_true", help="print the keys themselves")
    for machine in (add, listing, check, imports):
        machine.add_argument("--json", action="store_true", help="print JSON")
    return parser
