"""The command line of ``gemproxy doctor``."""

from collections.abc import Sequence

import attrs
from yarl import URL

from gemproxy.config.arguments import Misused, Parser, divided
from gemproxy.config.kinds import public_url

_OWN = {"--json", "--offline", "--url", "--help"}

_DESCRIPTION = """\
Find what is wrong with an installation, and say what to do about it. Nothing is changed."""
_EPILOG = """\
The settings are those of the proxy: the same variables, files and flags, such as --port 9000.

Exit codes: 0 no fault, 1 a fault, 2 a wrong command line."""


@attrs.frozen
class Options:
    """What is asked for; ``flags`` are those of settings."""

    json: bool
    offline: bool
    url: URL | None
    flags: Sequence[str] = attrs.field(repr=False)


def read_options(argv: Sequence[str]) -> Options:
    """Return the options; raise Misused, or SystemExit when help was shown."""
    own, flags = divided(argv, _OWN)
    found = _parser().parse_args(own)
    return Options(found.json, found.offline, _url(found.url), flags)


def _parser() -> Parser:
    parser = Parser(prog="gemproxy doctor", description=_DESCRIPTION)
    parser.epilog = _EPILOG
    parser.add_argument("--json", action="store_true", help="print a list of findings in JSON")
    parser.add_argument("--offline", action="store_true", help="ask nobody on the network")
    parser.add_argument(
        "--url",
        metavar="URL",
        help="the address of the proxy for its clients; else server.public_url",
    )
    return parser


def _url(text: str | None) -> URL | None:
    if text is None:
        return None
    try:
        url = URL(public_url(text))
    except ValueError as error:
        raise Misused(f"--url {error}: see gemproxy doctor --help") from None
    if not url.host:
        raise Misused("--url is empty: see gemproxy doctor --help")
    return url
