"""The command lines of ``gemproxy serve`` and ``gemproxy stop``."""

from collections.abc import Sequence
from pathlib import Path

import attrs

from gemproxy.config.arguments import Parser, divided

_PID_FILE = "--pid-file"
_DETACH = "--detach"
_SERVE = "Run the proxy. It takes these flags, and those of settings below."
_STOP = "End a proxy in the background; running streams get the drain timeout to finish."


@attrs.frozen
class ServeOptions:
    """Whether the proxy goes to the background, which file says its process, and the settings."""

    detach: bool
    pid_file: Path | None
    flags: Sequence[str]


@attrs.frozen
class StopOptions:
    """Which file says the process that is to end; None: the one in the data directory."""

    pid_file: Path | None
    flags: Sequence[str]


def read_serve(argv: Sequence[str]) -> ServeOptions:
    """Return what a command line of ``serve`` asks for. Raises Misused."""
    own, flags = divided(argv, {_DETACH, _PID_FILE})
    found = _serve_parser().parse_args(own)
    return ServeOptions(found.detach, found.pid_file, flags)


def serve_help(of_settings: str) -> str:
    """Return the help of ``serve``, with that of the flags of settings."""
    return f"{_serve_parser().format_help().rstrip()}\n\n{of_settings}"


def _serve_parser() -> Parser:
    parser = Parser(prog="gemproxy serve", description=_SERVE)
    parser.add_argument(_DETACH, action="store_true", help="start it in the background")
    parser.add_argument(
        _PID_FILE, type=Path, metavar="FILE", help="keep the number of the process in FILE"
    )
    return parser


def read_stop(argv: Sequence[str]) -> StopOptions:
    """Return what a command line of ``stop`` asks for. Raises Misused, SystemExit for --help."""
    own, flags = divided(argv, {_PID_FILE, "-h", "--help"})
    parser = Parser(prog="gemproxy stop", description=_STOP)
    parser.add_argument(
        _PID_FILE, type=Path, metavar="FILE", help="the file that the proxy was started with"
    )
    return StopOptions(parser.parse_args(own).pid_file, flags)
