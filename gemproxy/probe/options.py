"""The command line of ``gemproxy probe``, and the key.

The key is never an argument, because arguments appear in process lists and shell histories. It is
read from the environment or a file. Users may still pass it as an argument by mistake, so no
message repeats a given value.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import attrs
from yarl import URL

from gemproxy.probe.bench import Case
from gemproxy.probe.cases import CASES, selected
from gemproxy.probe.models import bare

GOOGLE = URL("https://generativelanguage.googleapis.com")
KEY_VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")

_KEY = re.compile(r"[!-~]{8,512}")
_MODEL = re.compile(r"(?:models/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_FLAG = re.compile(r"--[a-z][a-z-]*")
_DESCRIPTION = """\
Try out with real models what gemproxy assumes about them: it streams a few answers, cuts
each on purpose, resumes it, and reports what held. Every request is paid for, or counts
against your quota; what it will take is said before the first one.

The key comes from GEMINI_API_KEY, GOOGLE_API_KEY or --key-file, never from an argument.
"""


class Misused(Exception):
    """The command line, the environment or the server prevents a run."""


@attrs.frozen
class Options:
    """The user's options; empty ``models`` means the newest, ``timeout`` is in seconds."""

    models: tuple[str, ...]
    cases: tuple[Case, ...]
    key: str = attrs.field(repr=False)
    base: URL
    report: Path
    excerpts: bool
    seed: int
    max_requests: int
    timeout: float
    confirmed: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Misused(re.sub("'[^']*'", "'...'", message))


def read_options(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return the options of a command line. Raises Misused, and SystemExit after ``--help``."""
    given, others = _parser().parse_known_args(argv)
    if others:
        flags = [flag for other in others if _FLAG.fullmatch(flag := other.partition("=")[0])]
        names = f": {', '.join(flags)}" if flags else ""
        raise Misused(f"arguments that it does not know{names}; a key is never an argument")
    return Options(
        models=tuple(dict.fromkeys(given.model)),
        cases=_cases(given.only),
        key=_key(given.key_file, environ),
        base=given.base_url,
        report=given.report,
        excerpts=not given.no_excerpts,
        seed=given.seed,
        max_requests=given.max_requests,
        timeout=float(given.timeout),
        confirmed=given.yes,
    )


def _parser() -> argparse.ArgumentParser:
    cases = "".join(f"  {case.name:20}{case.about}\n" for case in CASES)
    parser = _Parser(
        prog="gemproxy probe",
        description=_DESCRIPTION,
        epilog=f"cases:\n{cases}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--model",
        action="append",
        default=[],
        type=_model,
        metavar="NAME",
        help="model to probe, repeatable (default: the newest flash models, at most 3)",
    )
    add("--only", action="append", default=[], metavar="CASE", help="repeatable; echo: all echo-*")
    add("--key-file", type=Path, metavar="FILE", help="file that holds the key and nothing else")
    add("--base-url", type=_base_url, default=GOOGLE, metavar="URL", help="default: Google's")
    add(
        "--report",
        type=Path,
        default=Path("probe-report.json"),
        metavar="FILE",
        help="where the JSON report goes (default: %(default)s)",
    )
    add("--no-excerpts", action="store_true", help="no model text at all in the report")
    add("--seed", type=_count, default=0, metavar="N", help="moves the places of the cuts")
    add("--max-requests", type=_count, default=120, metavar="N", help="default: %(default)s")
    add("--timeout", type=_count, default=180, metavar="SECONDS", help="for one answer")
    add("--yes", action="store_true", help="do not ask before the first paid request")
    return parser


def _model(name: str) -> str:
    if not _MODEL.fullmatch(name):
        raise argparse.ArgumentTypeError("not the name of a model")
    return bare(name)


def _base_url(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host or url.query_string or url.user:
        raise argparse.ArgumentTypeError("expected http(s)://host[:port][/path] and no more")
    return url


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("not a whole number")
    return int(text)


def _cases(wanted: Sequence[str]) -> tuple[Case, ...]:
    try:
        return tuple(selected(wanted))
    except ValueError as error:
        raise Misused(str(error)) from None


def _key(file: Path | None, environ: Mapping[str, str]) -> str:
    """Return the key from ``file``, else from the environment."""
    found = [environ.get(name, "").strip() for name in KEY_VARIABLES]
    key = next(filter(None, found), "") if file is None else _read(file)
    if not key:
        raise Misused(f"no key; set {' or '.join(KEY_VARIABLES)}, or name a --key-file")
    if not _KEY.fullmatch(key):
        raise Misused("what was given as the key cannot be one")
    return key


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Misused(f"the key file cannot be read: {error.strerror}") from None
    except ValueError:
        raise Misused("the key file cannot be read: it is not text") from None
