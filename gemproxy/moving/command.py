"""``gemproxy check --from TOOL FILE``: what the settings of another proxy are here."""

import os
from collections.abc import Sequence
from pathlib import Path

import attrs

from gemproxy.config.arguments import Misused, Parser
from gemproxy.config.sources import read_variables
from gemproxy.moving.tables import TOOLS
from gemproxy.moving.translate import translate

FROM = "--from"
_DESCRIPTION = """\
Show what the settings of another proxy are here, as a file of variables, and what has no
equivalent. Secrets are not printed; --write makes a file that has them, which only you can read.
"""


@attrs.frozen
class Options:
    """Which proxy the file is of, and the new file, if one is wanted."""

    tool: str
    file: Path
    write: Path | None


def read_options(argv: Sequence[str]) -> Options:
    """Return what a command line asks for. Raises Misused, SystemExit for --help."""
    names = {tool.name for tool in TOOLS}
    parser = Parser(prog="gemproxy check", description=_DESCRIPTION)
    listed = ", ".join(tool.name for tool in TOOLS)
    parser.add_argument(
        FROM, dest="source", nargs=2, metavar=("TOOL", "FILE"), required=True, help=listed
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="the new file, with secrets")
    found = parser.parse_args(argv)
    tool, file = found.source
    if tool not in names:
        raise Misused(f"{FROM}: no such proxy is known, only {listed}")
    return Options(tool, Path(file), found.write)


def run(options: Options) -> tuple[int, str, str]:
    """Return the exit code, the text for standard output, and that for standard error."""
    tool = next(tool for tool in TOOLS if tool.name == options.tool)
    try:
        variables, wrong = read_variables(options.file.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        return 1, "", f"{options.file}: is not UTF-8"
    except OSError as error:
        return 1, "", f"{options.file}: {error.strerror}"
    notes = "".join(f"{options.file}: line {number}: is not NAME=value\n" for number in wrong)
    found = translate(tool, variables)
    if options.write is not None:
        try:
            _write(options.write, found.text(whole=True))
        except OSError as error:
            return 1, "", f"{options.write}: {error.strerror}"
        notes += f"{options.write}: written, for you alone; gemproxy check --env-file reads it\n"
    return 0, found.text(whole=False), notes


def _write(file: Path, text: str) -> None:
    """Make a file that only its user may read; raise FileExistsError for one that is there."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
