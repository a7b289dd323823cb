"""What an answer of the upstream says about the way there, and about our clock. No I/O.

Without a key Google answers 403 with its JSON, so any answer with an object of that form comes
from something that speaks the Gemini API.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from yarl import URL

from gemproxy.core.errors import upstream_error
from gemproxy.doctor.asking import OF_TIME, Answer, Kind, Seen, Trouble
from gemproxy.doctor.finding import Verdict, fault, ok, skipped, warning

TOLERATED_SECONDS = 30.0
"""Difference of the clocks that nothing minds."""

WRONG_SECONDS = 300.0
"""Difference from which on signed requests and certificates begin to fail."""

_VERSION = re.compile(r"/v\d+(?:alpha|beta)?\d*/*$")
_NOT_FOUND, _SERVICE = 404, 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PROXY_KEY_NEEDED = 407
_BASE = "set upstream.url_base to the URL to which a client adds /v1beta, such as {}"
_GOOGLE = "https://generativelanguage.googleapis.com"


def judge(seen: Seen, base: URL, *, has_proxy: bool) -> Verdict:
    """Return what became of asking the upstream at ``base``.

    ``has_proxy``: by the setting ``upstream.proxy``.
    """
    result = seen.result
    if isinstance(result, Trouble):
        return _trouble(seen, result, base, has_proxy=has_proxy)
    return _answer(result, base)


def judge_clock(seen: Seen) -> Verdict:
    """Return whether our clock agrees with that of the upstream."""
    answer = seen.result if isinstance(seen.result, Answer) else seen.unverified
    if answer is None:
        return skipped("the upstream does not answer, so its clock is unknown")
    theirs = _date(answer.headers)
    if theirs is None:
        return skipped("the answer of the upstream has no Date, so its clock is unknown")
    ours = (answer.began + answer.ended) / 2
    off = ours - theirs
    if abs(off) <= TOLERATED_SECONDS + (answer.ended - answer.began) / 2:
        return ok("agrees with that of the upstream")
    way = "ahead of" if off > 0 else "behind"
    words = (
        f"the clock of this machine is {_span(abs(off))} {way} that of the upstream (here"
        f" {_shown(ours)}, there {_shown(theirs)})"
    )
    advice = "set the clock: start time synchronisation, such as systemd-timesyncd or chrony"
    return (fault if abs(off) >= WRONG_SECONDS else warning)(words, advice)


def _answer(answer: Answer, base: URL) -> Verdict:
    host = base.authority
    doubled = _VERSION.search(base.raw_path) is not None
    twice = f"upstream.url_base ends with {base.raw_path!r}, and SDKs add the version once more"
    if answer.status == _PROXY_KEY_NEEDED:
        return _proxy_refuses(_PROXY_KEY_NEEDED)
    if answer.status == _NOT_FOUND and doubled:
        wrong = f"{host} has no such path: {twice}"
    elif answer.status == _NOT_FOUND:
        wrong = f"{host} has no /v1beta/models below {str(base)!r}"
    elif answer.status in _REDIRECTS:
        wrong = f"{host} redirects{_to(answer.headers.get('Location', ''))}, as a login page does"
    elif not _speaks_the_api(answer):
        wrong = f"{host} answers {_form(answer)}, not as the Gemini API does"
    elif doubled:
        return warning(twice, _right(base))
    elif answer.status >= _SERVICE:
        advice = "wait: the service has a fault of its own; see its status page"
        return warning(f"{host} answers with status {answer.status}", advice)
    else:
        return ok(f"{host} answers as the Gemini API does")
    return fault(wrong, _right(base))


def _right(base: URL) -> str:
    """Return what to set the base to."""
    path = _VERSION.sub("", base.raw_path).rstrip("/")
    right = str(base.with_path(path or "/", encoded=True)).rstrip("/")
    return _BASE.format(right if right != str(base).rstrip("/") else _GOOGLE)


def _speaks_the_api(answer: Answer) -> bool:
    """Return whether an answer has the form of Google's: an error, or a list of models."""
    if upstream_error(answer.body) is not None:
        return True
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("models", []), list)


def _form(answer: Answer) -> str:
    body = answer.body.lstrip()[:256].lower()
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if body.startswith((b"<!doctype html", b"<html")) or kind == "text/html":
        form = "an HTML page"
    elif body.startswith((b"{", b"[")):
        form = "JSON of another kind"
    else:
        form = "something else" if body else "nothing"
    return f"{form} (status {answer.status})"


def _to(location: str) -> str:
    try:
        host = URL(location).host
    except ValueError:
        host = None
    return f" to {host}" if host else ""


def _trouble(seen: Seen, trouble: Trouble, base: URL, *, has_proxy: bool) -> Verdict:
    host = base.authority
    if trouble.kind is Kind.CERTIFICATE:
        return _certificate(trouble, host)
    if trouble.kind is Kind.PROXY_REFUSES:
        return _proxy_refuses(trouble.code)
    words = f"{host}: {trouble.words}"
    if seen.by_environment is not None:
        leads = "leads there" if seen.by_environment else "does not lead there now either"
        return fault(
            f"{words}. upstream.proxy is empty, so the proxy that the environment names"
            f" (HTTPS_PROXY) is not used; it {leads}",
            "set upstream.proxy to env, or to the URL of a proxy that leads there",
        )
    advice = _ADVICE.get(trouble.kind, _ADVICE[Kind.REFUSED])
    if has_proxy and trouble.kind is not Kind.PROXY:
        advice = f"{advice}; requests go through upstream.proxy"
    return fault(words, advice)


_ADVICE: Mapping[Kind, str] = {
    Kind.NAME: "correct upstream.url_base, or the name servers of this machine (/etc/resolv.conf)",
    Kind.REFUSED: (
        "let this machine out to that host and port, or set upstream.proxy to the proxy that does"
    ),
    Kind.SILENT: (
        "look for a firewall that drops the connection; set upstream.proxy if only a proxy may"
        " connect to the internet"
    ),
    Kind.PROXY: "correct upstream.proxy, or start that proxy",
    Kind.TLS: (
        "look whether upstream.url_base has the right scheme (http or https) and port, and whether"
        " something on the way breaks TLS"
    ),
    Kind.BROKEN: "look whether upstream.url_base has the right host, port and scheme",
}


def _proxy_refuses(status: int) -> Verdict:
    if status == _PROXY_KEY_NEEDED:
        return fault(
            "the proxy on the way out wants a user and a password (status 407)",
            "write them into upstream.proxy: http://USER:PASSWORD@HOST:PORT",
        )
    return fault(
        f"the proxy on the way out does not connect to the upstream (status {status})",
        "allow the host of upstream.url_base in that proxy",
    )


def _certificate(trouble: Trouble, host: str) -> Verdict:
    words = f"the certificate of {host} is refused: {trouble.detail or 'no reason is known'}"
    if trouble.code in OF_TIME:
        return fault(
            words,
            "look at the clock of this machine (the check clock); if it is right, the certificate"
            " is out of date, and whoever runs that host has to renew it",
        )
    if trouble.code == _OTHER_NAME:
        return fault(words, "correct the host in upstream.url_base: the certificate is another's")
    return fault(
        words,
        "an authority is missing here: install the package ca-certificates, or, if a company's"
        " proxy opens TLS, set SSL_CERT_FILE to a PEM file with its authority and all usual ones",
    )


_OTHER_NAME = 62  # X509_V_ERR_HOSTNAME_MISMATCH


def _date(headers: Mapping[str, str]) -> float | None:
    """Return the Unix time of an answer, which a cache may have kept for a while (Age)."""
    try:
        said = parsedate_to_datetime(headers.get("Date", ""))
        age = float(headers.get("Age", "0"))
    except (ValueError, TypeError, IndexError):
        return None
    moment = said if said.tzinfo else said.replace(tzinfo=UTC)
    return moment.timestamp() + age


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"
