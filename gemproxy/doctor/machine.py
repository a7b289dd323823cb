"""What the proxy stands on: Python, the libraries, the limits of the process."""

import importlib.metadata
import re
import sys
from importlib.util import find_spec

from gemproxy.config.outbound import needs_socks
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, warning
from gemproxy.relay.parser import NO_PARSER, parses_in_c

PYTHON = (3, 11)
"""The oldest Python that gemproxy runs on."""

FLOORS = {"aiohttp": "3.14.5", "httptools": "0.9", "msgspec": "0.22", "SQLAlchemy": "2.1"}
"""Oldest releases of the libraries whose older ones would fail in ways that are hard to read."""

_EACH = 2
"""Descriptors of a request: the client's connection, and the one to the upstream."""
_OTHERS = 64
"""Descriptors for the ports, the log, the databases and their files."""


async def python(_case: Case) -> Verdicts:
    """Judge the versions of Python and of the libraries."""
    return [judge_python(sys.version_info[:3]), *judge_libraries(_installed())]


def judge_python(version: tuple[int, ...]) -> Verdict:
    """Judge a version of Python."""
    shown = ".".join(map(str, version))
    if version[: len(PYTHON)] < PYTHON:
        oldest = ".".join(map(str, PYTHON))
        return fault(f"Python {shown} is older than {oldest}", f"install Python {oldest} or later")
    return ok(f"Python {shown}")


def _installed() -> dict[str, str]:
    found = {}
    for name in FLOORS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def judge_libraries(installed: dict[str, str]) -> list[Verdict]:
    """Judge releases by name; an empty one is missing. Nothing is said about the right ones."""
    return [
        fault(
            f"{name} {installed[name] or 'is missing,'}"
            f"{' is older than' if installed[name] else ' and gemproxy needs'} {floor}",
            f"pip install --upgrade '{name}>={floor}'",
        )
        for name, floor in FLOORS.items()
        if _numbers(installed[name]) < _numbers(floor)
    ]


def _numbers(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release.partition("+")[0])[:3]]


async def parser(_case: Case) -> Verdicts:
    """Judge aiohttp's parser."""
    if parses_in_c():
        return [ok("aiohttp parses in C")]
    words, _, advice = NO_PARSER.partition(": ")
    return [fault(words, advice)]


async def loop(_case: Case) -> Verdicts:
    """Judge the event loop."""
    if find_spec("uvloop") is None:
        words = "uvloop is missing, so each event costs more processor time"
        return [warning(words, "pip install uvloop")]
    return [ok("uvloop is installed")]


async def descriptors(case: Case) -> Verdicts:
    """Judge the limit of open files."""
    try:
        import resource  # noqa: PLC0415 (not on every platform)
    except ImportError:
        return [ok("this system has no limit of open files")]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    return [judge_descriptors(None if unlimited else soft, case.settings.server.max_connections)]


def judge_descriptors(limit: int | None, connections: int) -> Verdict:
    """Judge a limit of open files by the requests that are served at the same time."""
    wanted = _EACH * connections + _OTHERS
    if limit is None or limit >= wanted:
        return ok(f"{'no limit' if limit is None else limit}; {wanted} are enough")
    words = (
        f"{limit} files may be open at the same time (ulimit -n), and {connections} requests"
        f" (server.max_connections) need {wanted}"
    )
    least = max(1, (limit - _OTHERS) // _EACH)
    advice = (
        f"raise the limit: ulimit -n {wanted} before the start, LimitNOFILE={wanted} in a unit of"
        f" systemd, --ulimit nofile={wanted} for a container; or set server.max_connections to"
        f" {least}"
    )
    return (fault if limit < connections else warning)(words, advice)


async def extras(case: Case) -> Verdicts:
    """Judge whether the packages are installed that the settings need."""
    proxies = [str(key.proxy) for key in case.keys if key.proxy]
    url = case.settings.ledger.database_url
    told = {problem.setting for problem in case.problems}
    socks = any(map(needs_socks, [*proxies, *case.settings.pool.proxies.values()]))
    wanted = {
        "socks": socks and "pool.proxies" not in told,
        "postgres": url.partition(":")[0].partition("+")[0] in {"postgres", "postgresql"},
        "otel": case.settings.tracing.enabled and "tracing.enabled" not in told,
    }
    missing = [name for name, needed in wanted.items() if needed and _is_missing(MODULES[name])]
    if missing:
        return [
            fault(
                f"the settings need the extra {name}, which is not installed",
                f"pip install 'gemproxy[{name}]'",
            )
            for name in missing
        ]
    used = ", ".join(name for name, needed in wanted.items() if needed)
    return [ok(f"installed: {used}" if used else "the settings need none")]


MODULES = {"socks": "aiohttp_socks", "postgres": "asyncpg", "otel": "opentelemetry.sdk"}
"""Extra -> a module that it brings."""


def _is_missing(module: str) -> bool:
    try:
        return find_spec(module) is None
    except ModuleNotFoundError:  # a parent of the module
        return True
