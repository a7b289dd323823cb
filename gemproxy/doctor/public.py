"""The address of the proxy for its clients, through whatever stands in front of it."""

import re
from collections.abc import Mapping

from yarl import URL

from gemproxy import __version__
from gemproxy.doctor.asking import Answer, Kind, Trouble, ask
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, skipped, warning
from gemproxy.doctor.port import version_in
from gemproxy.doctor.through import arrive
from gemproxy.doctor.through import judge as judge_arrival


async def public(case: Case) -> Verdicts:
    """Judge the way from the clients to this proxy."""
    url = case.url or (URL(case.settings.server.public_url) if _named(case) else None)
    if url is None:
        return [skipped("no address for clients is known", "name it: --url https://...")]
    answer = await ask(url / "health", case.now)
    found = judge(url, answer)
    if not isinstance(answer, Answer) or found.status == "fault":
        return [found]
    secret = case.settings.admin.secret
    if not secret:
        return [found, _UNTRIED, *judge_software(answer.headers)]
    tried = judge_arrival(await arrive(url, secret))
    if any(one.status in {"skipped", "fault"} for one in tried):
        tried += judge_software(answer.headers)
    return [found, *tried]


_UNTRIED = skipped(
    "whether events are held back and broken endings are passed on was not found out: the self-test"
    " of the running proxy needs admin.secret",
    "set admin.secret (openssl rand -hex 24), and restart the proxy",
)


def _named(case: Case) -> bool:
    return bool(case.settings.server.public_url)


def judge(url: URL, answer: Answer | Trouble) -> Verdict:
    """Judge what came of asking for the health of the proxy at ``url``."""
    if isinstance(answer, Trouble):
        return fault(f"{url.authority}: {answer.words}", _ADVICE.get(answer.kind, _START))
    version = version_in(answer)
    if version is None:
        return fault(
            f"{url.authority} answers {url.path.rstrip('/')}/health with status {answer.status},"
            " and not as gemproxy",
            "start the proxy, and let the reverse proxy pass every path on to it",
        )
    if version != __version__:
        return warning(
            f"{url.authority} leads to gemproxy {version}, and this is {__version__}",
            "restart the proxy, or correct the address",
        )
    return ok(f"{url.authority} leads to a gemproxy {version}")


_START = "correct the address, or start what listens there"
_ADVICE: Mapping[Kind, str] = {
    Kind.NAME: "make a record for that name, or correct server.public_url",
    Kind.CERTIFICATE: (
        "renew the certificate of the reverse proxy; for an authority of your own set SSL_CERT_FILE"
    ),
}

_SOFTWARE: tuple[tuple[str, str, str], ...] = (
    (
        r"nginx(?:/(?P<release>[\d.]+))?",
        "1.29.7",
        "proxy_http_version 1.1; in the location of gemproxy",
    ),
    (r"lighttpd(?:/(?P<release>[\d.]+))?", "", "server.stream-response-body = 1"),
    (r"envoy", "", "timeout: 0s and stream_idle_timeout: 3600s on the route"),
    (r"varnish", "", "sub vcl_recv { return (pipe); }"),
)
"""Pattern for Server or Via, the release from which on nothing is needed, what is needed."""


def judge_software(headers: Mapping[str, str]) -> list[Verdict]:
    """Judge what an answer tells of the software in front; docs/reverse-proxies.md has more."""
    said = " ".join(headers.get(name, "") for name in ("Server", "Via"))
    for pattern, fine, setting in _SOFTWARE:
        found = re.search(pattern, said, re.IGNORECASE)
        if found is None:
            continue
        release = found.groupdict().get("release") or ""
        if fine and release and _numbers(release) >= _numbers(fine):
            return []
        return [warning(f"{found[0]} is in front of the proxy", f"see that it has: {setting}")]
    return []


def _numbers(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]
