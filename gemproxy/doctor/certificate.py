"""The proxy's own certificate: whether it is out of date, or soon will be."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from gemproxy.doctor.aside import aside
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, warning

SOON = timedelta(days=14)
_ADVICE = "renew the certificate, and restart the proxy, which reads it at the start"


async def tls(case: Case) -> Verdicts:
    """Judge the certificate; whether it fits its key is a rule of the start."""
    file = case.settings.server.tls_cert
    if any(problem.setting.startswith("server.tls_") for problem in case.problems):
        return []
    if not file:
        return [ok("no TLS on the proxy's own port")]
    now = datetime.fromtimestamp(case.now(), UTC)
    return [await aside(lambda: judge(_first_in(file), now))]


def _first_in(file: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(Path(file).read_bytes())[0]


def judge(certificate: x509.Certificate, now: datetime) -> Verdict:
    """Judge a server's certificate at a time."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        return fault(f"the certificate in server.tls_cert ended on {ends:%Y-%m-%d}", _ADVICE)
    if now < begins:
        words = f"the certificate in server.tls_cert begins on {begins:%Y-%m-%d %H:%M} UTC only"
        return fault(words, "look at the clock of this machine, or wait")
    if ends - now < SOON:
        left = max(0, (ends - now).days)
        words = f"the certificate in server.tls_cert ends in {left} days, on {ends:%Y-%m-%d}"
        return warning(words, _ADVICE)
    return ok(f"the certificate is good until {ends:%Y-%m-%d}")
