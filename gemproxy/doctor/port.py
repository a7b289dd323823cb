"""Whether the ports are free, and who has those that are not."""

import errno
import json
import os
import socket

from yarl import URL

from gemproxy import __version__
from gemproxy.doctor.aside import aside
from gemproxy.doctor.asking import Answer, ask
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, warning

_LOW = 1024
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 (to ask, not to listen)
SECONDS = 3.0
"""Seconds that whoever has a port may take to say who it is."""

LISTENING = ("server", "admin", "metrics")
"""Sections that may have a port of their own."""


async def port(case: Case) -> Verdicts:
    """Judge the ports that the settings name."""
    found: list[Verdict] = []
    default = case.settings.server.host
    for section in LISTENING:
        part = getattr(case.settings, section, None)
        number = getattr(part, "port", None)
        unused = section != "server" and not (number and getattr(part, "enabled", True))
        if number is None or unused:
            continue
        host = getattr(part, "host", "") or default
        found.append(await _judge(f"{section}.port", host, number, case))
    return found


async def _judge(setting: str, host: str, number: int, case: Case) -> Verdict:
    if not number:
        return ok("any free one")
    code = await aside(lambda: try_to_bind(host, number))
    if code == errno.EADDRINUSE:
        return await _taken(setting, host, number, case)
    return judge_bind(setting, host, number, code)


def try_to_bind(host: str, number: int) -> int:
    """Return 0 if a server could listen there, else the number of the error. Nobody can connect.

    An unknown host is EADDRNOTAVAIL. Blocks.
    """
    try:
        places = socket.getaddrinfo(host or None, number, type=socket.SOCK_STREAM, flags=_PASSIVE)
    except OSError:
        return errno.EADDRNOTAVAIL
    for family, kind, protocol, _, address in places:
        try:
            trial = socket.socket(family, kind, protocol)
        except OSError:  # no IPv6 here
            continue
        with trial:
            if os.name == "posix":
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                trial.bind(address)
            except OSError as error:
                return error.errno or errno.EADDRNOTAVAIL
    return 0


_PASSIVE = socket.AI_PASSIVE


def judge_bind(setting: str, host: str, number: int, code: int) -> Verdict:
    """Judge the number of the error of a try to listen; 0: it was possible."""
    if not code:
        return ok(f"{setting} {number} on {host} is free")
    if code in {errno.EACCES, errno.EPERM}:
        low = f"ports below {_LOW} are for root" if number < _LOW else "the system forbids it"
        return fault(
            f"{setting}: this user may not listen on {number}: {low}",
            "use a port from 1024 on, with a reverse proxy or a redirection in front, or give the"
            " process CAP_NET_BIND_SERVICE",
        )
    if code == errno.EADDRNOTAVAIL:
        return fault(
            f"server.host: {host!r} is no address of this machine",
            "set server.host to 127.0.0.1, to 0.0.0.0 for all addresses, or to one of this machine",
        )
    return fault(f"{setting}: nobody can listen on {number}: {os.strerror(code)}", "look at that")


async def _taken(setting: str, host: str, number: int, case: Case) -> Verdict:
    scheme = "https" if case.settings.server.tls_cert else "http"
    address = URL.build(scheme=scheme, host=_WILDCARDS.get(host, host), port=number, path="/health")
    answer = await ask(address, case.now, verify=False, seconds=SECONDS)
    version = version_in(answer) if isinstance(answer, Answer) else None
    if version == __version__:
        return ok(f"{setting} {number} is that of a running gemproxy {version}")
    if version:
        return warning(
            f"{setting} {number} is that of a running gemproxy {version}, and this is"
            f" {__version__}",
            "restart the proxy, so that it runs what is installed",
        )
    return fault(
        f"{setting} {number} on {host} is taken by another program",
        f"stop that program (ss -ltnp 'sport = :{number}' names it), or set {setting} to a free"
        " one",
    )


def version_in(answer: Answer) -> str | None:
    """Return the version that gemproxy's ``/health`` says; None if another program answers."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    if not isinstance(document, dict) or "status" not in document:
        return None
    version = document.get("version")
    return version if isinstance(version, str) and len(version) < _LONGEST else None


_LONGEST = 40
